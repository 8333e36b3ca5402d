"""What the containment bench counts, and when it says that a promise is broken."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.contained import Contained, Outcome, Person, counted
from bench.containment import broken, render
from stillwatch.app.cast import CAMPAIGN, DAY, HONEST, Cast
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.runrequest import RunRequest
from stillwatch.store.controlmemory import MemoryControl
from stillwatch.terms.exchange import Exchange

GROUPS = {"a": CAMPAIGN, "b": CAMPAIGN, "c": CAMPAIGN, "h": HONEST}


def _of(outcomes: list[tuple[str, float, int, int]], confirmed_at: dict[str, float]) -> Contained:
    cast = Cast(
        start=0.0, end=7.0 * DAY, groups=GROUPS, truth={}, label="reasoning E0 proxy", further=[],
        replayed=[Exchange(time=float(at), account=name) for at, name in enumerate(GROUPS)],
    )  # fmt: skip
    person = Person(LiveFolder(Path("unused")), MemoryControl(), cast.start)
    person.confirmed_at, person.confirmed_days = confirmed_at, [3.0] if confirmed_at else []
    made = [Outcome(account=name, at=at, status=status, composed=composed) for name, at, status, composed in outcomes]
    return counted(cast, RunRequest(seed=1, folder=Path("unused"), seconds=42.0), person, made)


def test_answers_are_parted_by_whether_the_member_was_confirmed_by_then() -> None:
    found = _of(
        [("a", 1.0, 200, 200), ("a", 11.0, 200, 200), ("a", 12.0, 403, 200), ("b", 13.0, 200, 200),
         ("b", 21.0, 401, 200), ("c", 14.0, 200, 200), ("c", 15.0, 500, 500)],
        {"a": 10.0, "b": 20.0},
    )  # fmt: skip
    assert (found.plan, found.before, found.late, found.early, found.never, found.refused) == (7, 1, 1, 1, 1, 2)
    assert (found.named_first, found.named, found.members) == (1, 2, 3)
    assert found.harvest == pytest.approx(3 / 7) and found.recall == pytest.approx(2 / 3)
    assert found.refusal_seconds == pytest.approx(2.0)


def test_a_limit_that_the_model_itself_set_is_no_refusal_of_ours() -> None:
    found = _of([("a", 1.0, 403, 200), ("h", 1.0, 429, 429), ("h", 2.0, 500, 500), ("h", 3.0, 200, 200)], {"a": 0.5})
    assert (found.honest_answered, found.honest_refused) == (1, 0)
    assert broken(found) == []


@pytest.mark.parametrize("status", [401, 403, 429])
def test_one_honest_refusal_breaks_the_promise(status: int) -> None:
    found = _of([("h", 1.0, status, 200), ("a", 2.0, 403, 200)], {"a": 0.5})
    assert found.honest_refused == 1 and any("honest" in fault for fault in broken(found))


def test_harvest_above_the_bound_breaks_the_promise_and_what_nobody_named_does_not_count_against_it() -> None:
    everyone = dict.fromkeys("abc", 5.0)
    asked = [(name, float(at), 403, 200) for at in range(10, 43) for name in "abc"]
    assert broken(_of([*asked, ("a", 6.0, 200, 200)], everyone)) == []
    over = _of([*asked, *[("a", 6.0, 200, 200)] * 3], everyone)
    assert len(broken(over)) == 1 and broken(replace(over, late=2)) == []
    missed = _of([(n, t, 200 if n == "c" else s, k) for n, t, s, k in asked], {"a": 5.0, "b": 5.0})
    assert missed.never == 33 and broken(missed) == []


def test_a_run_in_which_nobody_was_accused_keeps_no_promise() -> None:
    found = _of([("a", 1.0, 200, 200)], {})
    assert broken(found) and "never" in render([found])
