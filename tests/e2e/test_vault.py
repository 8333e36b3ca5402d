"""With the vault off there is no text anywhere; with it on, only inside what the gateway itself cannot open."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.app.control import open_control
from stillwatch.store.vaultfiles import read_vault
from stillwatch.terms.account import Decision
from tests.e2e.command_line import Place
from tests.e2e.live_gateway import SETTINGS, LiveGateway, until
from tests.fake_upstream import FakeUpstream

WORD = "zqcanaryvault"
RULE = """
[[policy.rule]]
name = "go-on-and-look"
action = "mark"
needs = "confirmed"
shadow = false
expires_days = 14
"""
"""The shipped rules would refuse a confirmed account, and there would be no answers to keep."""


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeUpstream]:
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
def gateway(tmp_path: Path, fake: FakeUpstream) -> Iterator[LiveGateway]:
    made = LiveGateway(Place(tmp_path / "gateway"), fake.url)
    (made.place.folder / "settings.toml").write_text(SETTINGS + RULE)
    yield made
    made.kill()


def confirm(gateway: LiveGateway, account: str) -> None:
    now = time.time()
    with open_control(gateway.folder.state) as book:
        book.add_decision(Decision(subject=account, kind="account", accounts=(account,), verb="confirm", by="ann",
                                   reason="r", at=now, expires=now + 9_000.0, receipt="0" * 32))  # fmt: skip


def holding(folder: Path, word: bytes) -> list[str]:
    """Return the files that hold a word in the clear, or its start in base64 or hex."""
    found = []
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if word in content or word.hex().encode() in content:
            found.append(path.relative_to(folder).as_posix())
    return found


def records(gateway: LiveGateway) -> int:
    return sum(len(segment.records) for segment in read_vault(gateway.folder.state / "vault"))


def test_with_the_vault_off_no_text_is_kept_even_of_a_confirmed_account(gateway: LiveGateway) -> None:
    confirm(gateway, "acme")
    gateway.start(workers=1)
    assert [gateway.ask(f"{WORD} number {n}", stream=n % 2 == 0) for n in range(12)] == [200] * 12
    until(lambda: gateway.watcher()["exchanges"] >= 12, what="the events")
    assert gateway.stop() == 0
    assert holding(gateway.place.folder, WORD.encode()) == []
    assert not (gateway.folder.state / "vault").exists()
    assert "vault      off: no text is kept" in gateway.place.run_here("status").output


@pytest.fixture
def office(tmp_path: Path) -> Place:
    """Return another machine, where the private keys are."""
    made = Place(tmp_path / "office")
    made.folder.mkdir()
    return made


def vault_on(gateway: LiveGateway, office: Place) -> None:
    made = office.run_here("vault", "keygen", "--out", "forensics.key")
    public = re.findall(r"swv1-\S+", made.stdout)[0]
    settings = f'[vault]\npublic_key = "{public}"\nconfirmed = true\n'
    (gateway.place.folder / "settings.toml").write_text(SETTINGS + RULE + settings)
    confirm(gateway, "acme")


def test_text_is_kept_once_and_sealed_whatever_dies_and_no_private_key_is_near(
    gateway: LiveGateway, office: Place
) -> None:
    vault_on(gateway, office)
    gateway.start(workers=1)
    for round_ in range(2):
        assert [gateway.ask(f"{WORD} round {round_} number {n}", stream=n % 2 == 0) for n in range(10)] == [200] * 10
        until(lambda: records(gateway) > 10 * round_, what="a record")  # noqa: B023
        victim = gateway.watcher()["pid"]
        os.kill(victim, signal.SIGKILL)
        until(lambda: gateway.watcher()["pid"] != victim, what="a new watcher")  # noqa: B023
    assert gateway.ask(f"{WORD} at last") == 200
    assert gateway.stop() == 0
    assert records(gateway) == 21, "each answer once, whatever died"
    place = gateway.place
    assert holding(place.folder, WORD.encode()) == []
    private = (office.folder / "forensics.key").read_bytes().split(b"\n")[1]
    assert holding(place.folder, private) == holding(place.folder, b"PRIVATE KEY") == []
    listed = json.loads(place.run_here("vault", "list", "--account", "acme", "--json").stdout)
    assert len(listed) == 21
    assert {(one["why"], one["action"]) for one in listed} == {("confirmed", "mark")}
    assert "on: confirmed accounts" in place.run_here("status").output

    shown = place.run_here(*reading(office), "--json")
    read = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [WORD in one["text"]["request"] for one in read] == [True] * 21
    assert all(one["text"]["answer"] for one in read)
    assert "at last" in read[-1]["text"]["request"]
    assert holding(place.folder, WORD.encode()) == []


def reading(office: Place, key: str = "forensics.key") -> tuple[str, ...]:
    return ("vault", "read", "--key", str(office.folder / key), "--account", "acme", "--by", "ann", "--reason",
            "appeal 7")  # fmt: skip


def test_every_read_is_recorded_and_an_altered_record_of_it_is_told(gateway: LiveGateway, office: Place) -> None:
    vault_on(gateway, office)
    gateway.start(workers=1)
    assert [gateway.ask(f"{WORD} number {n}") for n in range(3)] == [200] * 3
    assert gateway.stop() == 0
    place = gateway.place
    nobody = place.run_here(*reading(office)[:6])
    assert nobody.exit_code == 2 and WORD not in nobody.output
    shown = place.run_here(*reading(office))
    assert shown.exit_code == 0 and shown.stdout.count(WORD) == 3
    office.run_here("vault", "keygen", "--out", "other.key")
    wrong = place.run_here(*reading(office, "other.key"))
    assert wrong.exit_code == 2 and "sealed to key" in wrong.stderr and WORD not in wrong.output
    log = json.loads(place.run_here("vault", "log", "--json").stdout)
    assert [(e["kind"], e.get("count", 0)) for e in log["entries"]] == [
        ("read", 3), ("ended", 3), ("read", 3), ("ended", 0)
    ]  # fmt: skip
    assert place.run_here("vault", "log", "--verify", "--head", log["head"]).exit_code == 0
    gone = place.run_here("vault", "purge", "--account", "acme", "--by", "ann", "--reason", "erasure request 3")
    assert gone.output.startswith("3 records deleted") and records(gateway) == 0
    path = gateway.folder.state / "vault" / "reads.log"
    path.write_bytes(path.read_bytes().replace(b"appeal 7", b"appeal 8", 1))
    broken = place.run_here("vault", "log", "--verify")
    assert broken.exit_code == 1 and "altered" in broken.output


def test_a_key_is_never_left_open_where_a_passphrase_was_wanted(office: Place) -> None:
    for content in (b"", b"\nsecret", b"\xff\xfe", b"x" * 1024):
        (office.folder / "phrase").write_bytes(content)
        made = office.run_here("vault", "keygen", "--out", "forensics.key", "--passphrase-file", "phrase")
        assert made.exit_code == 2 and "passphrase" in made.stderr
        assert not (office.folder / "forensics.key").exists()


def test_a_purge_of_nothing_does_not_say_that_the_log_tells_of_it(office: Place) -> None:
    gone = office.run_here("vault", "purge", "--account", "acme", "--by", "ann", "--reason", "erasure request 3")
    assert gone.output == "0 records deleted: none was meant.\n"
    assert "No reads." in office.run_here("vault", "log").output
