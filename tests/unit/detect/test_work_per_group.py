"""Judging a group costs what the group holds: accounts and events that have nothing to do with it are not gone through.

Measured in bytes that NumPy allocates: whatever goes through all accounts, or all events, makes an array of that
length, or copies one. Time is not looked at.
"""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from stillwatch.detect.campaign import Group, merge, spoken_for
from stillwatch.detect.campaign import Tested as Weighed
from stillwatch.detect.candidates import Candidate
from stillwatch.detect.families import Elsewhere, infrastructure_families
from stillwatch.detect.hits import Concerned
from stillwatch.detect.linkage import Links, members_of
from stillwatch.detect.population import Population
from stillwatch.detect.record import Around, campaign_record
from stillwatch.terms.event import empty_events
from stillwatch.terms.ports import ROLLUP_DTYPE
from stillwatch.terms.verdict import Evidence

MANY = 200_000
"""Accounts, and events, that have nothing to do with the group."""
SMALL = 100_000
"""Bytes that a group of twenty may take: less than one byte an account of the others."""


def allocated(work: Callable[[], object]) -> int:
    """Return the most bytes held at a time for `work`, beyond what was held before."""
    work()  # what is made once, such as compiled parts of SciPy, is no work of a group's
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def people() -> Population:
    roll = np.zeros(MANY, ROLLUP_DTYPE)
    roll["account"] = np.arange(1, MANY + 1)
    roll["payment"] = roll["account"] + 7
    roll["payment"][:20] = 5
    roll["n_requests"] = roll["n_contents"] = 12
    return Population.of(roll)


@pytest.fixture(scope="module")
def concerned(people: Population) -> Concerned:
    """Return ten events of each of twenty accounts, which carry one anchor, among those of others."""
    events = empty_events(MANY)
    rng = np.random.default_rng(3)
    events["account"] = rng.integers(21, MANY, MANY)
    mine = rng.choice(MANY, 200, replace=False)
    events["account"][mine] = np.arange(200) % 20 + 1
    events["sketch"]["content"] = rng.integers(1, 2**62, MANY)
    events["sketch"]["anchors"] = rng.integers(1, 2**62, (MANY, 1))
    events["sketch"]["anchors"][mine, 0] = 99
    keys = {"anchor": np.array([99], np.uint64)}
    return Concerned.of(events, people.find(events["account"]), np.zeros(MANY, np.int8), [keys])


@pytest.fixture(scope="module")
def group() -> Group:
    claim = Evidence(scenario="chance", null="none", log_e=9.0, n=20, unit="account", detail={})
    candidate = Candidate("content", 0, np.arange(20), {"anchor": np.array([99], np.uint64)})
    return Group((Weighed(candidate, (claim,), granted=True),))


def test_a_campaign_is_written_down_without_going_through_everybody(
    people: Population, concerned: Concerned, group: Group
) -> None:
    families = infrastructure_families(Elsewhere.of(people, np.arange(20, MANY)), group.rows)
    assert "payment" in families
    around = Around(families, spoken_for([group], MANY), np.random.default_rng(0))
    campaign = campaign_record(people, concerned, group, around)
    assert sorted(campaign.accounts) == list(range(1, 21))
    assert campaign.requests == campaign.harvest == 200
    assert allocated(lambda: campaign_record(people, concerned, group, around)) < SMALL


def test_events_and_ties_of_a_group_are_looked_up(people: Population, concerned: Concerned, group: Group) -> None:
    elsewhere = Elsewhere.of(people, np.arange(20, MANY))
    assert allocated(lambda: concerned.of_accounts(group.rows)) < SMALL
    assert allocated(lambda: concerned.index.events(group.lead.candidate.keys)) < SMALL
    assert allocated(lambda: infrastructure_families(elsewhere, group.rows)) < SMALL
    assert allocated(lambda: people.find(np.array([3, 9], np.uint64))) < SMALL


def test_the_members_of_a_group_of_keys_are_looked_up_among_its_own_carriers() -> None:
    holder = np.arange(MANY)
    links = Links(holder // 20, holder, np.full(MANY, 2), MANY // 20, MANY)
    assert members_of(links, np.array([7]), min_holders=10).tolist() == list(range(140, 160))
    assert allocated(lambda: members_of(links, np.array([7]), min_holders=10)) < SMALL


def test_candidates_apart_are_never_compared_with_one_another() -> None:
    claim = Evidence(scenario="chance", null="none", log_e=1.0, n=2, unit="account", detail={})
    asked: list[int] = []

    class Rows(np.ndarray):
        def tolist(self) -> list[int]:  # type: ignore[override]
            asked.append(len(self))
            return super().tolist()  # type: ignore[no-any-return]

    items = [Weighed(Candidate("content", 0, np.arange(n, n + 2).view(Rows), {}), (claim,)) for n in range(0, 4_000, 2)]
    assert len(merge(items)) == 2_000
    assert sum(asked) == 4_000  # every account is read once, whatever the number of candidates
