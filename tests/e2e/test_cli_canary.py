"""Canaries from the command line: refused before a person confirmed, kept without values, read on a suspect."""

import json
import time
from pathlib import Path

import pytest

from stillwatch.app.control import canary_secret, open_control
from stillwatch.terms.account import Decision
from stillwatch.treatments.canaries import drawn
from tests.e2e.command_line import Place

WHO = ("--by", "ada", "--reason", "clear case")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    for account in ("thief", "honest"):
        assert made.run_here("keys", "create", "--account", account).exit_code == 0
    return made


def confirmed(place: Place, account: str = "thief") -> None:
    now = time.time()
    with open_control(place.folder / ".stillwatch") as book:
        held = Decision(subject=account, kind="account", accounts=(account,), verb="confirm", by="ada",
                        reason="clear case", at=now, expires=now + 30 * 86_400.0, receipt="f" * 32)  # fmt: skip
        book.add_decision(held)


def values(place: Place) -> dict[str, str]:
    state = place.folder / ".stillwatch"
    with open_control(state) as book:
        found = [drawn(record, canary_secret(state)) for record in book.canaries()]
    return {one.template.name: one.value for one in found}


def test_nothing_is_planned_before_a_person_confirmed(place: Place) -> None:
    done = place.run_here("canary", "plan", "thief", *WHO)
    assert done.exit_code == 2 and done.stdout == "" and "decide confirm thief" in done.stderr
    assert place.run_here("decide", "confirm", "thief", *WHO, "--without-verdict").exit_code == 0
    assert place.run_here("canary", "plan", "thief", *WHO).exit_code == 2, "nobody confirmed a verdict"
    assert "No canaries." in place.run_here("canary", "list", "--all").stdout


def test_planning_says_until_when_who_approved_and_what_is_owed_and_never_a_value(place: Place) -> None:
    confirmed(place)
    told = place.run_here("canary", "plan", "thief", *WHO, "--days", "7")
    assert told.exit_code == 0 and "32 canaries of 16" in told.stdout and "by ada" in told.stdout
    assert "copies of the model can be recognised" in told.stdout and 'treatments = ["canary"]' in told.stdout
    dry = place.run_here("canary", "plan", "thief", *WHO, "--count", "1", "--dry-run")
    assert "Would register 1 canary" in dry.stdout
    listed = place.run_here("canary", "list", "--json").stdout
    rows = json.loads(listed)
    assert len(rows) == 32 and {row["state"] for row in rows} == {"planted"}
    names = [value for name, value in values(place).items() if name.startswith("name")]
    assert names and all(value not in told.stdout + listed for value in names)
    kept = b"".join(p.read_bytes() for p in (place.folder / ".stillwatch").rglob("*") if p.is_file())
    assert all(value.encode() not in kept for value in names)


def test_a_suspect_that_shows_the_values_is_told_from_one_that_does_not(place: Place) -> None:
    for account in ("thief", "honest"):
        confirmed(place, account)
        assert place.run_here("canary", "plan", account, *WHO).exit_code == 0
    state = place.folder / ".stillwatch"
    with open_control(state) as book:
        own = {r.template: drawn(r, canary_secret(state)) for r in book.canaries() if r.subject == "thief"}
    questions = [json.loads(line) for line in place.run_here("canary", "probes").stdout.splitlines()]
    assert len(questions) == 48
    copied = [
        {"probe": q["probe"], "answer": f"Sure: {own[q['probe']].value}."} for q in questions if q["probe"] in own
    ]
    (place.folder / "copied.jsonl").write_text("\n".join(map(json.dumps, copied[:20])))
    done = place.run_here("canary", "test", "copied.jsonl", "--json", "--open")
    found = json.loads(done.stdout)
    assert done.exit_code == 1 and found["shown"] == ["thief"] and len(found["opened"]) == 20
    plain = place.run_here("canary", "test", "copied.jsonl")
    assert plain.exit_code == 1 and "20 of 20" in plain.stdout and "1e-" in plain.stdout or "e-" in plain.stdout
    (place.folder / "few.jsonl").write_text(json.dumps(copied[0]))
    assert place.run_here("canary", "test", "few.jsonl").exit_code == 3
    other = [
        {"probe": name, "answer": one.alternatives[one.index - 1 - n % 9]} for n, (name, one) in enumerate(own.items())
    ]
    (place.folder / "other.jsonl").write_text("\n".join(map(json.dumps, other)))
    assert place.run_here("canary", "test", "other.jsonl").exit_code == 0


def test_retired_canaries_are_planted_no_more_and_still_tested(place: Place) -> None:
    confirmed(place)
    place.run_here("canary", "plan", "thief", *WHO, "--count", "3")
    done = place.run_here("canary", "retire", "thief", "--by", "bo")
    assert done.exit_code == 0 and "Retired 3 canaries" in done.stdout
    assert place.run_here("canary", "list").stdout.strip() == "No canaries."
    assert [row["retired_by"] for row in json.loads(place.run_here("canary", "list", "--all", "--json").stdout)] == [
        "bo"
    ] * 3
    (place.folder / "a.jsonl").write_text(json.dumps({"probe": next(iter(values(place))), "answer": "none"}))
    assert json.loads(place.run_here("canary", "test", "a.jsonl", "--json").stdout)["readings"][0]["canaries"] == 3
