"""A live run in a terminal: what a person said is told, and nobody is asked again."""

import pytest

from stillwatch.console.live import Caught, Commands, Truth, caught, next_steps
from stillwatch.console.terminal import Paper
from stillwatch.console.wording import moment
from stillwatch.terms.action import ALLOW, Action
from tests import console_fixture

FULL = console_fixture.report()
COMMANDS = Commands(decide="stillwatch decide confirm C", member="m", bystander="b", python="p", standing="s", scan="x")
UNTIL = 1_800_000_000.0


def told(action: Action) -> str:
    truth = Truth(label="distil", members=3, found=3, honest=9, accused=0)
    shown = Caught(report=FULL, campaign=FULL.verdicts.campaigns[0], truth=truth, action=action, receipt="r")
    return " ".join(caught(shown, Paper(80, False)).split())


def test_a_release_is_told_with_its_end_and_is_no_verdict_that_is_still_to_come() -> None:
    text = told(Action(kind="allow", rule="", since=UNTIL - 9.0, expires=UNTIL))
    assert f"a person dismissed or released it, and that holds until {moment(UNTIL)}" in text
    assert "not taken effect" not in text
    assert "has not taken effect yet" in told(ALLOW)


@pytest.mark.parametrize("decided", [True, False])
def test_only_where_nobody_decided_is_a_person_asked(decided: bool) -> None:
    text = next_steps(COMMANDS, "report.html", decided, Paper(80, False))
    assert ("Confirm it" not in text) is decided
    assert (COMMANDS.decide not in text) is decided
