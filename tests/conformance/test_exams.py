"""Every exam keeps what exams promise: valid under its null, finds what was planted, and says what it lacks."""

import dataclasses
import io
import math
import zipfile

import numpy as np
import pytest
from scipy.stats import binom

from stillwatch.forensics.exams import EXAMS
from stillwatch.forensics.exams.given import Given, packed
from stillwatch.terms.canon import number
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import KINDS, Finding
from tests.exam_worlds import WORLDS, World

TESTED = [name for name in EXAMS.names() if name != "identity"]
DRAWS = 60


def find(name: str, world: World) -> tuple[Finding, ...]:
    return EXAMS.get(name).find(world.test, world.materials)


def log_p(finding: Finding) -> float:
    assert finding.log_p is not None, finding.skipped
    return number(finding.log_p)


def test_every_exam_has_a_world() -> None:
    assert set(WORLDS) == set(EXAMS.names())


@pytest.mark.parametrize("name", TESTED)
def test_p_values_are_valid_under_the_null(name: str) -> None:
    """Seeded draws of keys, coins and values; as many rejections as chance allows once in 10,000 suites, not more."""
    rng = np.random.default_rng(20_261_130)
    least = [min(log_p(one) for one in find(name, WORLDS[name](name, rng, taught=False))) for _ in range(DRAWS)]
    tries = 3 if name == "tracing" else 1  # accounts, each with a p-value of its own
    for alpha in (0.5 / tries, 0.1, 0.02):
        rejected = int(np.sum(np.array(least) <= math.log(alpha)))
        assert rejected <= binom.isf(1e-4, DRAWS, min(1.0, tries * alpha))


@pytest.mark.parametrize("name", TESTED)
def test_what_was_planted_is_found(name: str) -> None:
    world = WORLDS[name](name, np.random.default_rng(7), taught=True)
    found = find(name, world)
    assert not found[0].skipped
    assert log_p(found[0]) <= math.log(1e-6)
    assert found[0].power.startswith("enough")


@pytest.mark.parametrize("name", EXAMS.names())
@pytest.mark.parametrize("taught", [False, True])
def test_a_finding_is_a_function_of_test_and_materials(name: str, taught: bool) -> None:
    world = WORLDS[name](name, np.random.default_rng(3), taught=taught)
    first, again = find(name, world), find(name, World(world.test, dict(reversed(world.materials.items()))))
    assert first == again
    for one in first:
        assert one.kind in KINDS and one.kind == EXAMS.get(name).kind
        assert (one.test, one.exam, one.parameters) == ("t1", name, world.test.parameters)
        assert {material.name for material in one.materials} <= set(world.materials)
        if one.log_p is not None and one.least_log_p is not None:
            assert number(one.least_log_p) <= number(one.log_p) + 1e-9 <= 1e-9


@pytest.mark.parametrize("name", EXAMS.names())
def test_an_exam_that_lacks_something_says_so_and_claims_nothing(name: str) -> None:
    world = WORLDS[name](name, np.random.default_rng(3), taught=True)
    needed = [need for need in EXAMS.get(name).needs if not need.optional]
    for need in needed:
        less = {key: raw for key, raw in world.materials.items() if key != world.test.parameters[need.parameter]}
        (found,) = find(name, World(world.test, less))
        assert need.what in found.skipped and found.log_p is None
        assert ("evidence vault" in found.skipped) == need.vault


@pytest.mark.parametrize("name", EXAMS.names())
def test_an_exam_refuses_materials_of_another_shape(name: str) -> None:
    world = WORLDS[name](name, np.random.default_rng(3), taught=True)
    for spoilt in world.materials:
        with pytest.raises(StillwatchError) as said:
            find(name, World(world.test, {**world.materials, spoilt: b"\x00no such thing\n"}))
        assert "no such thing" not in str(said.value)


@pytest.mark.parametrize("name", ["radioactivity", "canary", "withheld-sample"])
def test_a_secret_other_than_the_committed_one_is_refused(name: str) -> None:
    world = WORLDS[name](name, np.random.default_rng(3), taught=True)
    raw = world.materials["reveal/t1.json"]
    at = raw.index(b'"secret":"') + 10
    other = raw[:at] + (b"0" if raw[at : at + 1] != b"0" else b"1") + raw[at + 1 :]
    with pytest.raises(StillwatchError, match="not the secret that was committed to"):
        find(name, World(world.test, {**world.materials, "reveal/t1.json": other}))


def test_tracing_pays_for_everybody_and_names_the_right_account() -> None:
    world = WORLDS["tracing"]("tracing", np.random.default_rng(7), taught=True)
    found = find("tracing", world)
    assert found[0].subject == "account bolt" and len(found) == 3
    assert all(log_p(one) > math.log(1e-3) for one in found[1:])
    small = dataclasses.replace(world.test, family=2)
    with pytest.raises(StillwatchError, match="opens 3 keys"):
        find("tracing", World(small, world.materials))


def test_identity_gives_counts_and_no_p_value() -> None:
    (found,) = find("identity", WORLDS["identity"]("identity", np.random.default_rng(3), taught=True))
    assert found.log_p is None and found.nats is None and found.observed == {"answers with a name": 1}


def _claiming(shape: str) -> bytes:
    """Return an `.npz` whose header claims a shape and whose body is empty."""
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({shape},)}}".encode()
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.npy", array)
    return out.getvalue()


@pytest.mark.parametrize("raw", [_claiming("10**15"), _claiming(f"{10**15}"), b"PK\x03\x04", b""])
def test_a_material_that_claims_to_be_more_than_it_is_is_refused(raw: bytes) -> None:
    test = dataclasses.replace(WORLDS["canary"]("canary", np.random.default_rng(1), taught=False).test,
                               parameters={"held": "controls/a.npz"})  # fmt: skip
    with pytest.raises(StillwatchError, match="must be an .npz with a"):
        Given(test, {"controls/a.npz": raw}).arrays("held", "a")


def test_a_material_that_unpacks_to_too_much_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.forensics.exams.given.MOST_UNPACKED", 10_000)
    test = dataclasses.replace(WORLDS["canary"]("canary", np.random.default_rng(1), taught=False).test,
                               parameters={"held": "controls/a.npz"})  # fmt: skip
    given = Given(test, {"controls/a.npz": packed(a=np.zeros(5_000), b=np.zeros(5_000)[:9])})
    with pytest.raises(StillwatchError, match="would unpack"):
        given.arrays("held", "a")
    assert given.arrays("held", "b")[0].tolist() == [0.0] * 9
