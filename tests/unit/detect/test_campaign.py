"""Joining candidates and accusing them: one family pays for being alone, and more evidence never hurts."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.campaign import Tested as Weighed
from stillwatch.detect.campaign import accuse, merge
from stillwatch.detect.candidates import Candidate
from stillwatch.detect.conduct import first_of_each, openings
from stillwatch.detect.config import DetectConfig
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import empty_events
from stillwatch.terms.verdict import Evidence

NATS = st.lists(st.tuples(st.floats(-20, 30), st.integers(1, 4)), max_size=25)


def arrays(groups: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([g[0] for g in groups], float), np.array([g[1] for g in groups], np.int64)


def by_definition(groups: list[tuple[float, int]], q: float) -> list[bool]:
    """e-BH as it is written: the largest k such that k groups have an e-value of at least n / (q k)."""
    paid = [nats - (0.0 if families >= 2 else log(10)) for nats, families in groups]
    n, best = len(paid), 0
    for k in range(1, n + 1):
        if sum(nats >= log(n / (q * k)) for nats in paid) >= k:
            best = k
    return [bool(best) and nats >= log(n / (q * best)) for nats in paid]


@given(NATS, st.floats(0.01, 0.4))
def test_groups_are_accused_as_e_bh_says_after_single_families_paid(groups: list[tuple[float, int]], q: float) -> None:
    log_e, families = arrays(groups)
    near = [abs(x - log(len(groups) / (q * k))) for x in log_e for k in range(1, len(groups) + 1)]
    near += [abs(x - log(10) - log(len(groups) / (q * k))) for x in log_e for k in range(1, len(groups) + 1)]
    if min(near, default=1.0) > 1e-9:
        assert accuse(log_e, families, q=q).tolist() == by_definition(groups, q)


@given(NATS, st.floats(0.01, 0.4), st.floats(0, 10), st.integers(0, 24))
def test_more_evidence_or_another_family_never_takes_an_accusation_back(
    groups: list[tuple[float, int]], q: float, more: float, which: int
) -> None:
    log_e, families = arrays(groups)
    before = accuse(log_e, families, q=q)
    if len(groups):
        log_e[which % len(groups)] += more
        families[which % len(groups)] += 1
    assert (accuse(log_e, families, q=q) | ~before).all()


@pytest.mark.parametrize(
    ("families", "nats", "accused"), [(2, 3.1, True), (2, 2.9, False), (1, 5.2, False), (1, 5.4, True)]
)
def test_one_group_needs_ln_20_nats_or_ln_200_when_content_alone_links_it(
    families: int, nats: float, accused: bool
) -> None:
    assert accuse(np.array([nats]), np.array([families]), q=0.05).tolist() == [accused]


def weighed(rows: list[int], nats: float, origin: str = "content") -> Weighed:
    claim = Evidence(scenario="chance", null="none", log_e=nats, n=1, unit="account", detail={})
    candidate = Candidate(origin, 0, np.array(sorted(rows), np.int64), {})
    return Weighed(candidate, (claim,))


BLOCKS = st.lists(st.tuples(st.sets(st.integers(0, 30), min_size=1), st.floats(-5, 20)), max_size=12)


@given(BLOCKS)
def test_merging_keeps_every_candidate_once_and_disjoint_blocks_apart(blocks: list[tuple[set[int], float]]) -> None:
    items = [weighed(list(rows), nats) for rows, nats in blocks]
    groups = merge(items)
    assert sorted(id(part) for group in groups for part in group.parts) == sorted(map(id, items))
    for group in groups:
        assert group.lead.log_e == max(part.log_e for part in group.parts)
        lead = set(group.lead.candidate.rows.tolist())
        assert all(lead & set(part.candidate.rows.tolist()) for part in group.parts)


def test_the_same_members_are_one_campaign() -> None:
    assert len(merge([weighed([1, 2, 3], 5.0), weighed([1, 2, 3], 6.0)])) == 1


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), max_size=40), st.integers(1, 5))
def test_the_first_of_each_content_counts_and_at_most_so_many_an_account(
    rows: list[tuple[int, int]], most: int
) -> None:
    events = empty_events(len(rows))
    events["account"] = [account for account, _ in rows]
    events["sketch"]["content"] = [content for _, content in rows]
    chosen, seen, count = [], set(), dict.fromkeys(range(5), 0)
    for account, content in rows:
        new = content != 0 and (account, content) not in seen and count[account] < most
        seen.add((account, content))
        count[account] += new
        chosen.append(new)
    assert first_of_each(events, most=most).tolist() == chosen


def test_a_request_that_continues_an_answered_exchange_opens_nothing() -> None:
    events = empty_events(4)
    events["account"] = [1, 1, 2, 3]
    events["turns"] = [1, 3, 3, 3]
    events["sketch"]["issued"] = [50, 51, 60, 0]
    events["sketch"]["chain"][1, 0] = 50  # its own answer
    events["sketch"]["chain"][2, 0] = 50  # somebody else's
    # account 3 has no recorded answers, so its later turns cannot be told to open anything
    assert openings(events).tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("name", "value"),
    [("q", 0.0), ("q", 1.0), ("alpha", -1.0), ("alpha", float("nan")), ("block_seconds", 0.0), ("controls", 99)],
)
def test_a_setting_out_of_range_is_named(name: str, value: float) -> None:
    with pytest.raises(StillwatchError, match=f"detect.{name} = {value}"):
        DetectConfig(**{name: value})  # type: ignore[arg-type]
