"""Campaign evidence keeps its guarantee on worlds whose truth is known, and finds what is there."""

from functools import cache
from math import log

import numpy as np
import pytest
from scipy.stats import binom

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.judge import judge
from stillwatch.detect.scenarios import SCENARIOS
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.event import EventArray
from stillwatch.terms.verdict import Campaign, Verdicts
from tests.detect_worlds import DAYS, World, keys, volumes

WORLDS = 24
LUCK = 1e-6
"""Chance that a test here fails although every promise holds; decides each tolerance."""
Q = DetectConfig().q
HONEST = ("crowd", "template", "course", "company", "campus")


def judged(events: EventArray, **settings: float) -> Verdicts:
    return judge(MemoryStore(events), DetectConfig(**settings))  # type: ignore[arg-type]


@cache
def honest_worlds() -> tuple[tuple[World, Verdicts], ...]:
    out = []
    for seed in range(WORLDS):
        world = World(np.random.default_rng(seed))
        for group in HONEST:
            getattr(world, group)(80 if group == "crowd" else 16)
        out.append((world, judged(world.events)))
    return tuple(out)


def about(verdicts: Verdicts, group: set[int]) -> list[Campaign]:
    return [c for c in verdicts.campaigns if len(group & set(c.accounts)) * 2 > len(c.accounts)]


def test_worlds_of_honest_accounts_report_false_campaigns_no_more_often_than_q() -> None:
    wrong = sum(any(c.accused for c in verdicts.campaigns) for _, verdicts in honest_worlds())
    assert wrong <= binom.ppf(1 - LUCK, WORLDS, Q)


@pytest.mark.parametrize("group", HONEST[1:])
def test_evidence_against_an_honest_group_is_an_e_value(group: str) -> None:
    strongest = [max((c.log_e for c in about(v, w.groups[group])), default=-np.inf) for w, v in honest_worlds()]
    assert np.isfinite(strongest).sum() >= WORLDS / 2, "the group was never even looked at: the test shows nothing"
    for alpha in (0.5, 0.2, 0.05, 0.01):
        exceeded = int((np.array(strongest) >= log(1 / alpha)).sum())
        assert exceeded <= binom.ppf(1 - LUCK, WORLDS, alpha), f"{group}: {exceeded} of {WORLDS} at alpha {alpha}"


@pytest.mark.parametrize("group", HONEST)
def test_an_honest_group_is_not_accused(group: str) -> None:
    accused = sum(bool(w.groups[group] & set(c.accounts)) for w, v in honest_worlds() for c in v.campaigns if c.accused)
    assert accused <= binom.ppf(1 - LUCK, WORLDS, Q)


def test_accounts_with_own_habits_and_no_shared_text_are_not_even_candidates_as_a_rule() -> None:
    for seed in range(3):
        world = World(np.random.default_rng(1000 + seed))
        world.crowd(200)
        assert judged(world.events).campaigns == ()


@pytest.mark.parametrize("n", [8, 25, 60])
def test_shared_infrastructure_with_own_work_is_never_accused(n: int) -> None:
    seeds = 6
    wrong = 0
    for seed in range(seeds):
        world = World(np.random.default_rng(2000 + seed))
        world.crowd()
        world.campus(n)
        wrong += any(c.accused for c in judged(world.events).campaigns)
    assert wrong <= binom.ppf(1 - LUCK, seeds, Q)


def test_shared_text_alone_must_pass_at_a_tenth_of_q() -> None:
    seen = 0
    for seed in range(4, 12, 2):
        world = World(np.random.default_rng(3000 + seed))
        world.crowd()
        hidden(world, accounts=10 + seed, requests=8)
        for campaign in judged(world.events).campaigns:
            if campaign.families == ("content",):
                seen += 1
                assert not campaign.accused or campaign.log_e >= log(10 / Q) - 1e-3
    assert seen


def hidden(world: World, *, accounts: int, requests: int) -> None:
    """Add a campaign that shares its wrapper and queue, and no payer, network or client."""
    events, _ = world.rows("hidden", np.full(accounts, requests))
    world.wrap(events)
    world.talk(events, world.rng.integers(0, len(world.subjects), len(events)))


@pytest.mark.parametrize("seed", range(4))
def test_a_campaign_with_one_queue_and_several_payers_is_found_among_honest_groups(seed: int) -> None:
    world = World(np.random.default_rng(4000 + seed))
    for group in (*HONEST, "campaign"):
        getattr(world, group)()
    found = [c for c in judged(world.events).campaigns if c.accused]
    caught = set().union(*(c.accounts for c in found))
    assert len(caught & world.groups["campaign"]) >= 0.85 * len(world.groups["campaign"])
    assert not caught - world.groups["campaign"]


def test_two_campaigns_of_different_wrappers_are_two_campaigns() -> None:
    world = World(np.random.default_rng(7))
    world.crowd()
    world.campaign(30, name="one")
    world.campaign(50, name="two")
    found = [set(c.accounts) for c in judged(world.events).campaigns if c.accused]
    assert len(found) == 2
    assert sorted(len(group & world.groups["one"]) * len(group & world.groups["two"]) for group in found) == [0, 0]


def test_a_record_agrees_with_the_events_of_its_members() -> None:
    world = World(np.random.default_rng(8))
    world.crowd()
    world.campaign()
    events = world.events
    campaign = next(c for c in judged(events).campaigns if c.accused)
    mine = events[np.isin(events["account"], np.array(campaign.accounts, np.uint64))]
    assert campaign.requests == len(mine) and campaign.harvest <= campaign.requests
    assert (campaign.first_seen, campaign.last_seen) == (mine["time"].min(), mine["time"].max())
    assert campaign.tokens_out == mine["tokens_out"].sum()
    assert len(set(campaign.accounts)) == len(campaign.accounts) == len(campaign.account_log_e)
    honest = [item.log_e for item in campaign.evidence if item.scenario not in SCENARIOS.names()]
    assert campaign.log_e <= min(honest) + 1e-3, "more than the explanation that is refuted least"


def mixed(seed: int) -> World:
    world = World(np.random.default_rng(seed))
    for group in (*HONEST, "campaign"):
        getattr(world, group)()
    return world


@pytest.mark.parametrize("seed", [11])
def test_order_repeats_and_networks_change_no_verdict(seed: int) -> None:
    world = mixed(seed)
    events = world.events
    plain = judged(events)
    assert any(c.accused for c in plain.campaigns)
    assert judged(events) == plain
    assert judged(world.rng.permutation(events)) == plain
    assert judged(np.concatenate([events, events[::3]])) == plain
    elsewhere = events.copy()
    elsewhere["asn"] = world.rng.permutation(events["asn"])
    assert judged(elsewhere) == plain


@pytest.mark.parametrize("seed", [21, 22])
def test_other_hashes_for_the_same_accounts_accuse_the_same_accounts(seed: int) -> None:
    world = mixed(seed)
    events = world.events
    old = np.unique(events["account"])
    new = keys(world.rng, len(old))
    renamed = events.copy()
    renamed["account"] = new[np.searchsorted(old, events["account"])]
    meant = dict(zip(old.tolist(), new.tolist(), strict=True))
    before = sorted(sorted(meant[a] for a in c.accounts) for c in judged(events).campaigns if c.accused)
    after = sorted(sorted(c.accounts) for c in judged(renamed).campaigns if c.accused)
    assert before == after != []


def test_whole_weeks_later_the_verdict_is_the_same() -> None:
    world = mixed(31)
    later = world.events
    before = judged(later)
    later["time"] += 4 * DAYS * 86_400.0
    after = judged(later)
    assert [(c.accounts, c.log_e, c.accused) for c in after.campaigns] == [
        (c.accounts, c.log_e, c.accused) for c in before.campaigns
    ]


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_logs_too_small_to_tell_accuse_nobody_and_do_not_fail(n: int) -> None:
    world = World(np.random.default_rng(n))
    if n:
        events, _ = world.rows("few", volumes(world.rng, n))
        world.wrap(events)
        world.parts = [events[:n]]
        assert not any(c.accused for c in judged(world.events).campaigns)
    else:
        assert (
            judged(np.zeros(0, World(np.random.default_rng(0)).rows("x", np.ones(1, np.int64))[0].dtype)).campaigns
            == ()
        )


def test_everything_at_one_moment_or_under_one_account_does_not_fail() -> None:
    world = World(np.random.default_rng(5))
    world.crowd(30)
    events = world.events
    events["time"] = events["time"][0]
    assert not any(c.accused for c in judged(events).campaigns)
    events["account"] = events["account"][0]
    assert judged(events).campaigns == ()
