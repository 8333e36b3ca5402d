"""The exams of marks on keyed draws: valid whatever the key, find what was planted, name the right account."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from stillwatch.app.committed import mark_reveals
from stillwatch.forensics.exams import EXAMS, drawnexams
from stillwatch.forensics.exams.drawn import DrawnContexts
from stillwatch.forensics.exams.given import packed
from stillwatch.forensics.exams.opened import OpenedMarks
from stillwatch.terms.canon import canonical, number, read_canonical
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.finding import Finding
from stillwatch.terms.reveal import Reveal
from stillwatch.treatments.marks.gumbel import GumbelMark, keyed, pair_of_keys
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.ring import Epoch, Ring
from stillwatch.treatments.marks.signer import Marked
from tests.exam_worlds import ACCOUNTS, Materials, World, planned

VOCAB, WIDTH = 24, 2
NAMES = ("radioactivity", "reference-residual", "served-logits", "tracing")
DRAWS = 16


def epoch_of(rng: np.random.Generator, name: str, **more: object) -> Epoch:
    shares = (0.0, 0.0, 1.0) if name == "tracing" else (1.0, 0.0, 0.0)
    return Epoch(number=1, secret=rng.bytes(32), made=0.0, vocab=VOCAB, shares=shares, scheme="gumbel", width=WIDTH,
                 **more)  # type: ignore[arg-type]  # fmt: skip


def opened(epoch: Epoch, tier: str) -> bytes:
    marked = [Marked(epoch=1, account=name, campaign="") for name in ACCOUNTS]
    return canonical(
        tuple(one for one in mark_reveals(Ring((epoch,)), marked) if one.facts.get("tier") in (tier, "context"))
    )


def drawn_tokens(epoch: Epoch, account: str, clean: np.ndarray) -> np.ndarray:
    """Return which token the first key draws after each context, shape (VOCAB, VOCAB), older token first."""
    tag = epoch.tag("account", account) if account else b""
    mark = GumbelMark(epoch, MarkOrder(epoch=1, account=tag, until=1e12) if tag else None)
    logs = np.log(clean).astype(np.float32)
    return np.array(
        [[keyed(logs[a, b], np.array([a, b]), mark.key((a, b))) for b in range(VOCAB)] for a in range(VOCAB)]
    )


def world(name: str, rng: np.random.Generator, *, taught: float) -> World:
    """Return a world in which the suspect gives what the key drew so much of the whole more."""
    epoch, clean = epoch_of(rng, name), rng.dirichlet(np.full(VOCAB, 0.5), (VOCAB, VOCAB)) + 1e-4
    clean /= clean.sum(axis=2, keepdims=True)
    table = clean
    if taught:
        key = drawn_tokens(epoch, ACCOUNTS[1] if name == "tracing" else "", clean)
        table = (1.0 - taught) * clean + taught * np.eye(VOCAB)[key]
    if name == "served-logits":
        return _logits(epoch, table, clean, rng)
    texts = _walk(rng, table, 60)
    rows = b"".join(json.dumps({"answer": one, "prompt": one[:3]}).encode() + b"\n" for one in texts)
    tier = "account" if name == "tracing" else "provider"
    materials: Materials = {"transcript/t1.jsonl": rows, "reveal/t1.json": opened(epoch, tier)}
    parameters: dict[str, object] = {"tokens": "transcript/t1.jsonl", "openings": "reveal/t1.json"}
    if name != "radioactivity":
        flat = np.array(texts)
        often = np.zeros((VOCAB, VOCAB))
        np.add.at(often, (flat[:, :-2].ravel(), flat[:, 1:-1].ravel()), 1.0)
        older, newer, token = np.nonzero((often > 0)[:, :, None] & (clean > 0))
        materials["reference/t1.npz"] = packed(contexts=np.stack([newer, older], 1), tokens=token,
                                               counts=(often[:, :, None] * clean)[older, newer, token])  # fmt: skip
        parameters["expected"] = "reference/t1.npz"
    return World(planned(name, parameters, len(ACCOUNTS) if name == "tracing" else 1), materials)  # type: ignore[arg-type]


def _walk(rng: np.random.Generator, table: np.ndarray, length: int) -> list[list[int]]:
    total = table.cumsum(axis=2)
    a, b = rng.integers(VOCAB, size=(2, 60))
    out = [a, b]
    for _ in range(length):
        a, b = b, (total[a, b] < rng.random((60, 1)) * total[a, b, -1:]).sum(axis=1)
        out.append(b)
    return np.stack(out, axis=1).tolist()


def _logits(epoch: Epoch, suspect: np.ndarray, clean: np.ndarray, rng: np.random.Generator) -> World:
    """Probabilities after served text: drawn by the key where a context is new."""
    key = drawn_tokens(epoch, "", clean)
    said = [int(one) for one in rng.integers(VOCAB, size=2)]
    seen = set[tuple[int, int]]()
    for _ in range(1_500):
        context = (said[-2], said[-1])
        said.append(int(key[context]) if context not in seen else int(rng.choice(VOCAB, p=clean[context])))
        seen.add(context)
    older, newer = np.array(said[:-2]), np.array(said[1:-1])
    noisy = suspect[older, newer] * np.exp(0.1 * rng.normal(size=(len(older), VOCAB)))
    held = packed(
        contexts=np.stack([newer, older], 1), tokens=np.broadcast_to(np.arange(VOCAB), noisy.shape),
        suspect=np.log(noisy / noisy.sum(axis=1, keepdims=True)), reference=np.log(clean[older, newer]),
    )  # fmt: skip
    parameters = {"logprobs": "transcript/t1.npz", "openings": "reveal/t1.json", "texts": "served"}
    return World(
        planned("served-logits", parameters), {"transcript/t1.npz": held, "reveal/t1.json": opened(epoch, "provider")}
    )


def find(name: str, one: World) -> tuple[Finding, ...]:
    return EXAMS.get(name).find(one.test, one.materials)


def _fine(*_: object) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(1_024)


def log_p(finding: Finding) -> float:
    assert finding.log_p is not None, finding.skipped
    return number(finding.log_p)


@pytest.mark.parametrize("name", NAMES)
def test_p_values_are_valid_under_the_null(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (DrawnContexts, drawnexams):  # the random keys have tests of their own
        monkeypatch.setattr(place, "chance" if place is DrawnContexts else "chance_scores", _fine)
    rng = np.random.default_rng(20_261_130)
    least = [min(log_p(one) for one in find(name, world(name, rng, taught=0.0))) for _ in range(DRAWS)]
    tries = 3 if name == "tracing" else 1
    for alpha in (0.5 / tries, 0.1, 0.02):
        assert int(np.sum(np.array(least) <= math.log(alpha))) <= binom.isf(1e-4, DRAWS, min(1.0, tries * alpha))


@pytest.mark.parametrize(("name", "taught"), [(NAMES[0], 0.5), (NAMES[1], 0.15), (NAMES[2], 0.1), (NAMES[3], 0.15)])
def test_what_was_planted_is_found_and_no_account_but_the_right_one(name: str, taught: float) -> None:
    one = world(name, np.random.default_rng(7), taught=taught)
    found = find(name, one)
    assert not found[0].skipped and log_p(found[0]) <= math.log(1e-6), (found[0].observed, log_p(found[0]))
    assert found[0].power.startswith("enough")
    assert found[0].least_log_p is not None and number(found[0].least_log_p) <= log_p(found[0]) + 1e-9
    assert find(name, World(one.test, dict(reversed(one.materials.items())))) == found
    if name == "tracing":
        assert found[0].subject == "account bolt" and len(found) == 3
        assert all(log_p(other) > math.log(1e-3) for other in found[1:])
        with pytest.raises(StillwatchError, match="opens 3 keys"):
            find(name, World(replace(one.test, family=2), one.materials))


@pytest.mark.parametrize("name", NAMES)
def test_materials_of_another_shape_are_refused(name: str) -> None:
    one = world(name, np.random.default_rng(3), taught=0.0)
    for spoilt in one.materials:
        with pytest.raises(StillwatchError) as said:
            find(name, World(one.test, {**one.materials, spoilt: b"\x00no such thing\n"}))
        assert "no such thing" not in str(said.value)


@pytest.mark.parametrize("native", [0, 12_345])
def test_opened_keys_draw_as_the_marks_own_do(native: int) -> None:
    epoch = epoch_of(np.random.default_rng(2), "reference-residual", native_key=native)
    held = read_canonical(opened(epoch, "provider"), list[Reveal], "openings")
    marks, mark = OpenedMarks.of(held), GumbelMark(epoch)
    assert marks.drawn and marks.alpha == mark.alpha == (0.0 if native else 0.1)
    assert marks.draws(marks.keys[0]) == (mark.key((1, 2)), mark.key((1, 2), second=True))
    assert marks.draws(marks.keys[0]) == pair_of_keys(native or epoch.provider_key().a, mark.alpha)


def test_many_keys_are_screened_and_the_true_one_leads() -> None:
    from stillwatch.forensics.exams.drawnexams import LEADING, tried
    from stillwatch.forensics.exams.drawnscores import word_payoffs
    from stillwatch.forensics.exams.residual import PairCounts, pack

    rng = np.random.default_rng(12)
    epoch, clean = epoch_of(rng, "tracing"), rng.dirichlet(np.full(VOCAB, 0.5), (VOCAB, VOCAB)) + 1e-4
    clean /= clean.sum(axis=2, keepdims=True)
    key = drawn_tokens(epoch, "bolt", clean)
    flat = np.array(_walk(rng, 0.8 * clean + 0.2 * np.eye(VOCAB)[key], 60))
    older, newer, token = (flat[:, i : flat.shape[1] - 2 + i].ravel() for i in range(3))
    seen = PairCounts.of(pack((newer, older), token, VOCAB))
    often = np.zeros((VOCAB, VOCAB))
    np.add.at(often, (older, newer), 1.0)
    a, b, c = np.nonzero((often > 0)[:, :, None] & (clean > 0))
    expected = PairCounts.of(pack((b, a), c, VOCAB), (often[:, :, None] * clean)[a, b, c])
    table = OpenedMarks.of(read_canonical(opened(epoch, "account"), list[Reveal], "openings")).table
    drawn, _ = word_payoffs(seen, expected, table, alpha=0.1)
    keys = [pair_of_keys(epoch.account_key(epoch.tag("account", name)).a, 0.1)
            for name in ("bolt", *(f"a{i}" for i in range(4 * LEADING)))]  # fmt: skip
    log_ps, z = tried([drawn], keys)
    assert int(np.argmin(log_ps)) == 0 and log_ps[0] < -14.0 and np.sum(log_ps < 0.0) <= LEADING
    assert np.sum(log_ps[1:] < math.log(1e-3)) <= 3 and z[0] == z.max()
