"""Decisions at the shell: the trail has the system's user beside the stated name; a rule can want an approver."""

import json
import os
import pwd
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stillwatch.app.appeals import Answer, Answered, open_appeal
from stillwatch.app.claims import claims_of
from stillwatch.app.consoleconfig import ConsoleConfig
from stillwatch.app.decide import Ask
from stillwatch.app.proposals import at_shell, confirmers
from stillwatch.app.settings import Settings
from stillwatch.app.settingscheck import look_over
from stillwatch.app.shelldesk import WHY, Proposed, answer_at_shell, decide_at_shell, keep_rule, keep_rule_of
from stillwatch.app.systemuser import system_user
from stillwatch.store.people import People
from stillwatch.terms.account import Decision
from stillwatch.terms.errors import StillwatchError
from tests.console_rig import Rig, rigged
from tests.e2e.command_line import Place

PROPOSE = ConsoleConfig(shell="propose")
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as rig:
        yield rig


def decided(
    rig: Rig, verb: str = "confirm", by: str = "ada", *, dry_run: bool = False, **more: object
) -> Proposed | None:
    ask = Ask(subject=rig.campaign().id, verb=verb, by=by, reason="one template", **more)  # type: ignore[arg-type]
    return decide_at_shell(rig.state.book, ask, claims_of(rig.folder), rig.now, dry_run=dry_run)[1]


def test_the_trail_has_the_systems_user_and_the_stated_name_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("USER", "LOGNAME", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(variable, "mallory")
    place = Place(tmp_path)
    assert (
        place.run_here("decide", "confirm", "acct-1", "--by", "ada", "--reason", "r", "--without-verdict").exit_code
        == 0
    )
    entry = json.loads(place.run_here("console", "audit", "--json").stdout)[0]
    assert (entry["what"], entry["how"]) == ("decision", "command") and json.loads(entry["detail"])["by"] == "ada"
    assert entry["by"].startswith(f"system user {ME}") and "mallory" not in entry["by"]
    table = place.run_here("console", "audit").stdout
    assert f"system user {ME}" in table and "ada" in table and "mallory" not in table


def test_who_signed_in_to_the_machine_is_told_where_that_is_somebody_else(tmp_path: Path) -> None:
    login = tmp_path / "loginuid"
    for text, told in (
        (f"{os.getuid()}\n", ME), (f"{2**32 - 1}\n", ME), ("no number", ME),
        ("4000000001\n", f"{ME}, signed in as number 4000000001"),
    ):  # fmt: skip
        login.write_text(text)
        assert system_user(login) == told
    assert system_user(tmp_path / "absent") == ME


def test_without_a_rule_one_person_at_the_shell_decides(rig: Rig) -> None:
    assert decided(rig) is None
    assert [d.by for d in rig.state.book.decisions()] == ["ada"]


def test_under_the_rule_what_bites_waits_for_an_approver_who_signed_in(rig: Rig) -> None:
    keep_rule(rig.state.book, PROPOSE, rig.now)
    tried = decided(rig, dry_run=True)
    assert tried is not None and tried.number == 0 and rig.state.people.proposals() == ()
    made = decided(rig)
    assert made is not None and made.why == WHY and rig.state.book.decisions() == ()
    assert rig.state.people.proposals()[0].by == f"ada (shell: {system_user()})"
    with pytest.raises(StillwatchError, match="proposed to confirm it already"):
        decided(rig)
    rig.signed_in("analyst").send("/proposal", 403, number=made.number, verb="agree")
    rig.signed_in("approver").send("/proposal", number=made.number, verb="agree")
    decision = rig.state.book.decisions()[0]
    assert decision.verb == "confirm" and decision.by == f"ada (shell: {system_user()}) and approver"
    assert confirmers([decision]) == ["ada", "approver"]


def test_a_name_stated_at_the_shell_is_no_second_person_for_its_holder(rig: Rig) -> None:
    keep_rule(rig.state.book, PROPOSE, rig.now)
    made = decided(rig, by="approver")
    assert made is not None
    rig.signed_in("approver").send("/proposal", 403, number=made.number, verb="agree")
    assert rig.state.book.decisions() == ()


@pytest.mark.parametrize("more", [{"without_verdict": True}, {"include_cleared": True}])
def test_a_proposal_is_of_a_published_verdict_and_nothing_else(rig: Rig, more: dict[str, object]) -> None:
    keep_rule(rig.state.book, PROPOSE, rig.now)
    with pytest.raises(StillwatchError, match="on a published verdict alone"):
        decided(rig, **more)
    with pytest.raises(StillwatchError, match="on a published verdict alone"):
        decide_at_shell(rig.state.book, Ask(subject="nobody", verb="step_up", by="a", reason="r"), (), rig.now)
    assert rig.state.people.proposals() == ()


@pytest.mark.parametrize("verb", ["dismiss", "release"])
def test_clearing_takes_one_person_at_the_shell_too(rig: Rig, verb: str) -> None:
    keep_rule(rig.state.book, PROPOSE, rig.now)
    assert decided(rig, verb) is None and [d.verb for d in rig.state.book.decisions()] == [verb]


def test_an_appeal_is_refused_by_an_approver_and_heard_by_somebody_who_did_not_confirm(rig: Rig) -> None:
    book = rig.state.book
    decided(rig)
    keep_rule(book, PROPOSE, rig.now)
    for number, (by, grant, open_still) in enumerate((("bo", True, False), ("bo", False, True), ("ada", True, True))):
        appeal = open_appeal(book, rig.member(0, number), "why", rig.now)
        done = answer_at_shell(book, Answer(id=appeal.id, grant=grant, by=by, reason="r"), rig.now)
        assert isinstance(done, Proposed if open_still else Answered), by
        assert next(a for a in book.appeals() if a.id == appeal.id).state == ("open" if open_still else "granted")
    heard = {p.verb: p.id for p in rig.state.people.proposals()}
    rig.signed_in("approver").send("/proposal", number=heard["refuse"], verb="agree")
    assert [a.state for a in book.appeals()].count("refused") == 1


def test_the_rule_stands_in_the_control_file_and_its_change_in_the_trail(tmp_path: Path) -> None:
    keep_rule_of(tmp_path, ConsoleConfig(), 1.0)
    assert not (tmp_path / "control.sqlite").exists(), "a folder that needs no rule gets no file"
    for config in (PROPOSE, PROPOSE, ConsoleConfig()):
        keep_rule_of(tmp_path, config, 1.0)
    place = Place(tmp_path)
    trail = json.loads(place.run_here("console", "audit", "--json", "--state", str(tmp_path)).stdout)
    said = [json.loads(e["detail"]) for e in trail if e["what"] == "rule for the shell"]
    assert said == [{"rule": "decide", "before": "propose"}, {"rule": "propose", "before": "decide"}]


def test_two_people_can_be_wanted_for_everything_that_bites(tmp_path: Path) -> None:
    settings = Settings().changed("console", two_people="always", enabled=True)
    with rigged(tmp_path, settings=settings) as rig:
        wish = {"subject": rig.member(), "reason": "seen", "kind": "account"}
        assert "a second person has to agree" in rig.signed_in("admin").send("/decide", verb="confirm", **wish)
        assert rig.state.book.decisions() == ()
        rig.signed_in("admin").send("/decide", verb="release", **wish)
        assert [d.verb for d in rig.state.book.decisions()] == ["release"]
    assert any("at the shell still decides alone" in w for w in look_over(settings, {}, 0.0).warnings)


@pytest.mark.parametrize("values", [{"two_people": "never"}, {"shell": "ask"}])
def test_a_rule_that_is_none_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(StillwatchError, match="must be"):
        ConsoleConfig(**values)  # type: ignore[arg-type]


def test_what_another_program_changed_is_not_put_down_to_who_came_next(rig: Rig) -> None:
    with closing(sqlite3.connect(rig.folder / "control.sqlite")) as other:
        other.execute("UPDATE accounts SET plan = 'gold'")
        other.execute(
            "INSERT INTO decisions (subject, kind, accounts, verb, by, reason, at, expires, receipt)"
            " VALUES ('x', 'account', '[\"x\"]', 'confirm', 'ada', 'r', 1, 2, '')"
        )
        other.commit()
    decided(rig)
    entries = People(rig.state.book).trail(limit=2)
    assert [(e.subject, e.by, e.how) for e in entries] == [
        (rig.campaign().id, "unnamed", "command"), ("x", "unknown", "outside"),
    ]  # fmt: skip
    assert People(rig.state.book).trail_broken() is None


def test_names_that_confirmed_are_told_from_how_they_came_in() -> None:
    made = [
        Decision(subject="x", kind="account", accounts=("x",), verb="confirm", by=by, reason="r", at=1.0, expires=2.0)
        for by in ("ada and bo", at_shell("cy", "root, signed in as dan") + " and ed")
    ]
    assert confirmers(made) == ["ada", "bo", "cy", "ed"]
