"""Keys, accounts, decisions, appeals, settings and backups from the command line: what is said, kept and refused."""

import hashlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stillwatch.app.control import key_secret, open_control
from stillwatch.app.report import write_outputs
from stillwatch.cli import main
from stillwatch.gateway.desk import MemoryDesk
from stillwatch.gateway.published import Published, write_published
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.ladder import RULES
from stillwatch.terms.action import Held
from tests.console_fixture import report
from tests.e2e.command_line import Place

DAY = 86_400.0
RAW = "sk-zqcanary-0123456789abcdefghij"
WHO = ("--by", "ada", "--reason", "looked at it")


def held(account: str, log_e: float = 12.0, campaign: str | None = "C-1", **more: Any) -> Held:
    now = time.time()
    return Held(**{"account": account, "log_e": log_e, "accused": True, "campaign": campaign, "since": now - DAY,
                   "effective": now - DAY / 2, "expires": now + 7 * DAY, **more})  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A state with one key and a campaign of three published accounts."""
    made = Place(tmp_path)
    assert made.run_here("keys", "create", "--account", "acme", "--label", "prod").exit_code == 0
    verdicts = {h.account: h for h in (held("m1", 20.0), held("m2"), held("m3"), held("alone", 9.3, None))}
    write_published(tmp_path / ".stillwatch" / "published.json",
                    Published(generation=1, made_at=time.time(), judged_until=time.time(), held=verdicts))  # fmt: skip
    return made


def out(place: Place, *words: str, code: int = 0) -> Any:
    """What a command prints with --json."""
    done = place.run_here(*words, "--json")
    assert done.exit_code == code, (done.exit_code, done.stderr)
    return json.loads(done.stdout)


def refused(place: Place, *words: str) -> str:
    done = place.run_here(*words)
    assert done.exit_code == 2 and done.stdout == "", (done.exit_code, done.stdout)
    return done.stderr


def kept(place: Place) -> bytes:
    """All bytes below the state folder."""
    return b"".join(p.read_bytes() for p in sorted((place.folder / ".stillwatch").rglob("*")) if p.is_file())


def test_a_key_is_printed_once_alone_on_standard_output_and_kept_nowhere(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = place.run("keys", "create", "--account", "acme", "--label", "prod")
    key = done.stdout.decode().strip()
    assert key.startswith("sk-sw-") and done.stdout.decode() == f"{key}\n", "so that `KEY=$(stillwatch ...)` works"
    assert key.encode() not in done.stderr and b"acme" in done.stderr
    told = b""
    words = (["keys", "list", "--all"], ["keys", "list", "--json"], ["accounts", "show", "acme", "--json"],
             ["accounts", "list"], ["status", "--json"], ["config", "check", "--dry-run"], ["backup", "b"])  # fmt: skip
    for line in words:
        done = place.run(*line)
        told += done.stdout + done.stderr
    every = told + b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    for secret in (key, key.removeprefix("sk-sw-"), hashlib.sha256(key.encode()).hexdigest()):
        assert secret.encode() not in every
    digest = [k["key_id"] for k in json.loads(place.run("keys", "list", "--json").stdout)]
    assert len(digest) == 1 and b"digest" not in told


def test_no_key_given_anywhere_is_kept_or_repeated(place: Place) -> None:
    sha = hashlib.sha256(RAW.encode()).hexdigest()
    good, bad = place.folder / "keys.csv", place.folder / "bad.csv"
    good.write_text(f"account,key\nacme,{RAW}\n")
    bad.write_text(f"acme,{RAW}x\n{RAW},acme\n")
    told = ""
    for words in (
        ("keys", "import", "keys.csv"), ("keys", "import", "bad.csv"), ("keys", "import", "keys.csv", "--json"),
        ("keys", "revoke", RAW), ("keys", "rotate", RAW), ("keys", "create", "--account", RAW),
        ("keys", "create", "--account", "a", "--label", RAW), ("accounts", "set", RAW, "--plan", "pro"),
        ("accounts", "set", "acme", "--plan", RAW), ("decide", "confirm", "m1", "--by", "ada", "--reason", RAW),
        ("decide", "confirm", RAW, *WHO), ("appeal", "open", "acme", "--statement", RAW), ("keys", "list", "--all"),
        ("accounts", "list"), ("decide", "list", "--all"), ("appeal", "list", "--all"),
    ):  # fmt: skip
        done = place.run_here(*words)
        told += done.stdout + done.stderr
    assert RAW not in told and "zqcanary" not in told and sha not in told
    everything = kept(place)
    assert RAW.encode() not in everything and sha.encode() not in everything and b"zqcanary" not in everything
    assert len(out(place, "keys", "list")) == 2, "the good file was taken, and nothing else"


def test_a_leaked_key_can_be_revoked_by_itself(place: Place) -> None:
    issued = out(place, "keys", "create", "--account", "leaky")
    done = CliRunner().invoke(main, ["keys", "revoke", "--stdin", "--state", str(place.folder / ".stillwatch")],
                              input=f"{issued['key']}\n")  # fmt: skip
    assert done.exit_code == 0 and issued["key_id"] in done.stdout and issued["key"] not in done.output
    assert [k["key_id"] for k in out(place, "keys", "list", "--account", "leaky")] == []


def test_keys_are_listed_rotated_and_revoked(place: Place) -> None:
    first = out(place, "keys", "list")[0]
    new = out(place, "keys", "rotate", first["key_id"], "--overlap-hours", "2")
    assert new["account"] == "acme" and new["old"]["expires"] - time.time() == pytest.approx(7200, abs=60)
    assert len(out(place, "keys", "list")) == 2
    out(place, "keys", "revoke", first["key_id"])
    assert [k["key_id"] for k in out(place, "keys", "list")] == [new["key_id"]]
    assert len(out(place, "keys", "list", "--all")) == 2
    assert len(out(place, "keys", "revoke", "--account", "acme")) == 1
    assert "Give one of" in refused(place, "keys", "revoke")
    assert "no key has this id" in refused(place, "keys", "revoke", "k_none")


def test_accounts_are_set_a_field_at_a_time_and_shown_whole(place: Place) -> None:
    out(place, "accounts", "set", "acme", "--plan", "pro", "--unmodified", "--verified", "contact")
    out(place, "accounts", "set", "acme", "--workload", "research", "--workload-tokens", "1000")
    shown = out(place, "accounts", "show", "acme")
    record = shown["record"]
    assert (record["plan"], record["unmodified"], record["workload"]) == ("pro", True, "research")
    assert len(shown["keys"]) == 1 and "digest" not in shown["keys"][0]
    assert out(place, "accounts", "set", "acme", "--workload", "")["workload_tokens"] == 0
    assert out(place, "accounts", "set", "acme", "--verified", "")["verified"] == []
    assert [r["account"] for r in out(place, "accounts", "list", "--plan", "pro")] == ["acme"]
    assert out(place, "accounts", "show", "m1")["claims"][0]["campaign"] == "C-1"
    assert "is not known" in refused(place, "accounts", "show", "nobody")
    assert "Nothing to set" in refused(place, "accounts", "set", "acme")
    assert "two capital letters" in refused(place, "accounts", "set", "acme", "--country", "de")


def test_a_verdict_waits_until_a_person_decides_and_the_decision_can_be_undone(place: Place) -> None:
    waiting = out(place, "decide", "list", "--waiting")
    assert [(c["kind"], c["subject"]) for c in waiting] == [("campaign", "C-1"), ("account", "alone")]
    assert len(out(place, "status", code=1)["waiting"]) == 2
    tried = out(place, "decide", "confirm", "C-1", *WHO, "--dry-run")
    assert out(place, "decide", "list") == []
    done = out(place, "decide", "confirm", "C-1", *WHO)
    assert done["decision"]["accounts"] == ["m1", "m2", "m3"] == tried["decision"]["accounts"]
    assert done["decision"]["receipt"] == waiting[0]["receipt"]
    out(place, "decide", "dismiss", "alone", *WHO, "--days", "365")
    assert len(out(place, "status")["waiting"]) == 0
    out(place, "decide", "release", "m2", *WHO)
    standing = out(place, "accounts", "show", "m2")["in_force"]
    assert standing["verb"] == "release"
    assert [d["verb"] for d in out(place, "decide", "list", "--account", "m2", "--all")] == ["confirm", "release"]


def test_nobody_is_confirmed_by_a_slip(place: Place) -> None:
    assert "nothing is held against" in refused(place, "decide", "confirm", "acme", *WHO)
    assert "--reason" in refused(place, "decide", "confirm", "m1", "--by", "ada")
    assert "--by" in refused(place, "decide", "confirm", "m1", "--reason", "r")
    assert "at most 366" in refused(place, "decide", "confirm", "m1", *WHO, "--days", "1000")
    assert out(place, "decide", "list", "--all") == []
    assert out(place, "decide", "confirm", "acme", *WHO, "--without-verdict")["decision"]["receipt"] == ""


def test_a_campaign_of_a_report_is_decided_on_by_its_receipt(place: Place) -> None:
    made = report()
    write_outputs(made, place.folder / "stillwatch-report")
    accused = next(c for c in made.verdicts.campaigns if c.accused)
    assert "nothing is held" in refused(place, "decide", "confirm", accused.id, *WHO)
    done = out(place, "decide", "confirm", accused.id, *WHO, "--report", "stillwatch-report")
    assert done["decision"]["receipt"] == accused.receipt()
    assert set(done["decision"]["accounts"]) == {made.names[a] for a in accused.accounts if a in made.names}
    honest = next(a for a in made.verdicts.accounts if not a.accused and a.account in made.names)
    name = made.names[honest.account]
    assert "is not accused" in refused(place, "decide", "confirm", name, *WHO, "--report", "stillwatch-report")


def test_the_report_of_the_live_watcher_is_read_without_being_named(place: Place) -> None:
    made = report()
    write_outputs(made, place.folder / ".stillwatch" / "live" / "report")
    accused = next(c for c in made.verdicts.campaigns if c.accused)
    assert out(place, "decide", "confirm", accused.id, *WHO)["decision"]["receipt"] == accused.receipt()


def test_an_appeal_is_opened_listed_and_answered(place: Place) -> None:
    out(place, "decide", "confirm", "C-1", *WHO)
    opened = out(place, "appeal", "open", "m1", "--statement", "our evaluation suite")
    assert [a["id"] for a in out(place, "appeal", "list")] == [opened["id"]]
    assert len(out(place, "status", code=1)["open_appeals"]) == 1
    for flags in ((), ("--grant", "--refuse"), ("--refuse", "--grant")):
        said = refused(place, "appeal", "answer", opened["id"], *flags, *WHO)
        assert "give exactly one of --grant and --refuse" in said
    assert [a["state"] for a in out(place, "appeal", "list")] == ["open"]
    done = out(place, "appeal", "answer", opened["id"], "--grant", *WHO)
    assert done["release"]["accounts"] == ["m1"] and sorted(done["also"]) == ["m2", "m3"]
    assert out(place, "appeal", "list") == [] and len(out(place, "appeal", "list", "--all")) == 1
    assert "was granted by ada" in refused(place, "appeal", "answer", opened["id"], "--refuse", *WHO)
    assert "no account here was told" in refused(place, "appeal", "open", "ap_0000")


def test_a_worker_that_runs_sees_what_the_command_line_changes(place: Place) -> None:
    state = place.folder / ".stillwatch"
    issued = out(place, "keys", "create", "--account", "m1")
    with open_control(state) as book:
        desk = MemoryDesk(book, state / "published.json", PolicyConfig(), key_secret(state))

        def seen() -> tuple[Any, str]:
            desk.refresh(time.time())
            caller = desk.caller(issued["key"], time.time())
            action = desk.action(caller, "large", "chat", time.time()) if caller else None
            return caller and caller.account, action.kind if action and action.bites else ""

        assert seen() == ("m1", ""), "before a person confirmed, nothing bites"
        out(place, "decide", "confirm", "C-1", *WHO)
        assert seen() == ("m1", "refuse")
        out(place, "accounts", "set", "m1", "--unmodified")
        assert seen() == ("m1", ""), "a promise of unchanged answers beats every rule"
        out(place, "accounts", "set", "m1", "--modifiable")
        assert seen() == ("m1", "refuse")
        out(place, "decide", "release", "m1", *WHO)
        assert seen() == ("m1", "")
        out(place, "keys", "revoke", issued["key_id"])
        assert seen() == (None, "")


def test_keys_rotate_under_load_without_a_request_refused(place: Place) -> None:
    state = place.folder / ".stillwatch"
    issued = out(place, "keys", "create", "--account", "busy")
    in_use, refusals, stop = [issued["key"]], [], threading.Event()

    def worker() -> None:
        with open_control(state) as book:
            desk = MemoryDesk(book, state / "published.json", PolicyConfig(), key_secret(state))
            while not stop.is_set():
                key = in_use[-1]
                desk.refresh(time.time())
                if desk.caller(key, time.time()) is None:
                    refusals.append(key)

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        issued = out(place, "keys", "rotate", issued["key_id"], "--overlap-hours", "1")
        in_use.append(issued["key"])
    stop.set()
    for thread in threads:
        thread.join()
    assert len(out(place, "keys", "list", "--account", "busy")) == 9 and refusals == []


def test_settings_are_checked_explained_and_tried(place: Place) -> None:
    (place.folder / "good.toml").write_text('[gateway]\nupstream = "http://127.0.0.1:9"\n')
    (place.folder / "bad.toml").write_text(
        '[[policy.rule]]\nname = "a"\naction = "refuse"\nneeds = "verdict"\nexpires_days = 3\n'
    )
    found = out(place, "config", "check", "good.toml", "--dry-run")
    assert found["warnings"] == [] and len(found["rules"]) == len(RULES)
    assert {o["account"] for o in found["dry_run"]["ordered"]} == {"m1", "m2", "m3", "alone"}
    assert "before a person confirmed" in refused(place, "config", "check", "bad.toml")
    assert out(place, "config", "explain", "detect.q")[0]["default"] == "0.05"
    text = place.run_here("config", "explain", "gateway.upstream", "--config", "good.toml").stdout
    assert 'now      "http://127.0.0.1:9"' in text
    assert json.loads(place.run_here("config", "schema").stdout)["title"].startswith("Stillwatch settings")


def test_a_state_is_taken_away_and_put_back(place: Place) -> None:
    out(place, "decide", "confirm", "C-1", *WHO)
    made = out(place, "backup", "b.tar")
    assert made["counts"]["decisions"] == 1
    assert "has a key of its own" in refused(place, "restore", "b.tar")
    done = out(place, "restore", "b.tar", "--state", "new")
    assert done["aside"] is None
    assert len(out(place, "decide", "list", "--state", "new")) == 1
    assert len(out(place, "decide", "list", "--waiting", "--state", "new")) == 1


def test_what_ails_the_state_is_named(place: Place) -> None:
    assert "has no control file yet" in refused(place, "keys", "list", "--state", "elsewhere")
    assert not (place.folder / "elsewhere").exists(), "a command that only reads makes nothing"
    state = place.folder / ".stillwatch"
    (state / "published.json").write_text("{")
    assert "published.json" in refused(place, "decide", "list", "--waiting")
    (state / "control.sqlite").write_bytes(b"damaged " * 1000)
    assert "stillwatch restore" in refused(place, "keys", "list")
    (state / "control.sqlite").unlink()
    (state / "master.key").write_bytes(b"short")
    assert "master.key" in refused(place, "keys", "create", "--account", "a")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_that_may_not_be_written_is_named(place: Place) -> None:
    (place.folder / ".stillwatch").chmod(0o500)
    try:
        assert "--state" in refused(place, "keys", "create", "--account", "a")
    finally:
        (place.folder / ".stillwatch").chmod(0o700)
