"""Payers whose accounts use one program and draw on one queue are found without a word in common; customers are not."""

from collections.abc import Callable
from math import log

import numpy as np
import pytest
from scipy.stats import binom

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.grid import block_seconds
from stillwatch.detect.judge import judge
from stillwatch.detect.payergroups import LIKENESS, payer_candidates
from stillwatch.detect.population import Fold, Population
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import Window
from tests.detect_worlds import N_SUBJECTS, World, keys, volumes

LUCK = 1e-6
"""Chance that a test here fails although every promise holds."""


def reworded(world: World, name: str, payers: int = 12, size: int = 6, topics: slice = slice(0, 40)) -> None:
    """A campaign whose every request is worded anew: many payers of a few accounts each, one client, one queue."""
    n = payers * size
    events, index = world.rows(name, world.rng.integers(12, 15, n))
    events["payment"] = keys(world.rng, payers)[index % payers]
    events["sdk"], events["tls"] = 5, keys(world.rng, 1)
    about(world, events, topics)


def about(world: World, events: EventArray, topics: slice) -> None:
    """Have every request be of any of some topics, which lie near each other."""
    chosen = world.rng.choice(np.arange(N_SUBJECTS)[topics], len(events))
    world.subjects[topics] += 0.05 * world.subjects[topics.start]
    world.talk(events, chosen)


def near(world: World, topics: slice, share: float = 1.2) -> None:
    """Move some subjects towards one of them: a trade, of which each is a part."""
    world.subjects[topics] = world.subjects[topics] + share * world.subjects[topics.start]


def candidates(events: EventArray) -> list[set[int]]:
    store, config = MemoryStore(events), DetectConfig()
    span = store.span(None)
    seconds = block_seconds(span.first, span.last, longest=config.block_seconds)
    window = Window(epoch=span.epoch, block_seconds=seconds)
    people = Population.of(store.rollup(window))
    found = [
        block for fold in Fold.both(store, people, window) for block in payer_candidates(store, people, fold, config)
    ]
    assert all(block.origin == "infrastructure" and not block.keys for block in found)
    return [{int(account) for account in people.roll["account"][block.rows]} for block in found]


def caught(events: EventArray) -> set[int]:
    verdicts = judge(MemoryStore(events), DetectConfig())
    return set().union(*(c.accounts for c in verdicts.campaigns if c.accused))


@pytest.mark.parametrize("seed", range(3))
def test_a_campaign_without_a_word_in_common_is_found_by_its_payers_and_its_queue(seed: int) -> None:
    world = World(np.random.default_rng(seed))
    world.crowd(200)
    near(world, slice(0, 40))
    reworded(world, "campaign")
    assert caught(world.events) == world.groups["campaign"]


def test_two_campaigns_of_one_program_are_two_blocks() -> None:
    world = World(np.random.default_rng(5))
    world.crowd()
    near(world, slice(0, 40))
    near(world, slice(40, 80))
    reworded(world, "one", topics=slice(0, 40))
    reworded(world, "two", topics=slice(40, 80))
    for part in world.parts[1:]:
        part["tls"] = 9
    found = candidates(world.events)
    assert len(found) == 4 and all(block in (world.groups["one"], world.groups["two"]) for block in found)


def agencies(world: World) -> None:
    """Customers of twelve agencies that pay for them, in one trade, by one program, each with work of its own."""
    near(world, slice(0, 40))
    events, index = world.rows("group", volumes(world.rng, 72))
    events["payment"], events["sdk"], events["tls"] = keys(world.rng, 12)[index % 12], 5, keys(world.rng, 1)
    world.talk(events, world.rng.integers(0, 40, 72)[index])


def quotas(world: World) -> None:
    """The same, and all use up a quota, so that their load is even."""
    near(world, slice(0, 40))
    events, index = world.rows("group", np.full(72, 12))
    events["payment"], events["sdk"], events["tls"] = keys(world.rng, 12)[index % 12], 5, keys(world.rng, 1)
    world.talk(events, world.rng.integers(0, 40, 72)[index])


def seminars(world: World) -> None:
    """Schools with a card for each class, who all ask about one subject, as often as each likes."""
    near(world, slice(0, 40))
    events, index = world.rows("group", volumes(world.rng, 72))
    events["payment"], events["sdk"], events["tls"] = keys(world.rng, 12)[index % 12], 5, keys(world.rng, 1)
    about(world, events, slice(0, 40))


@pytest.mark.parametrize("group", [agencies, quotas, seminars])
def test_customers_of_several_payers_are_looked_at_and_not_accused(group: Callable[[World], None]) -> None:
    seeds, looked_at, strongest = 4, 0, []
    for seed in range(seeds):
        world = World(np.random.default_rng(100 + seed))
        world.crowd()
        group(world)
        looked_at += bool(candidates(world.events))
        verdicts = judge(MemoryStore(world.events), DetectConfig())
        mine = [c for c in verdicts.campaigns if world.groups["group"] & set(c.accounts)]
        strongest.append(max((c.log_e for c in mine), default=-np.inf))
        assert not any(c.accused for c in mine)
    assert looked_at == seeds, "the group was never looked at: the test shows nothing"
    for alpha in (0.5, 0.1):
        assert int((np.array(strongest) >= log(1 / alpha)).sum()) <= binom.ppf(1 - LUCK, seeds, alpha)


def test_couples_firms_with_two_cards_and_mixed_programs_are_no_block() -> None:
    for payers, size, programs in ((20, 2, 1), (2, 20, 1), (12, 6, 6)):
        world = World(np.random.default_rng(payers))
        world.crowd()
        near(world, slice(0, 40))
        reworded(world, "group", payers, size)
        world.parts[-1]["tls"] = keys(world.rng, programs)[world.rng.integers(0, programs, len(world.parts[-1]))]
        if programs > 1:
            account = np.unique(world.parts[-1]["account"], return_inverse=True)[1]
            world.parts[-1]["tls"] = keys(world.rng, programs)[account % programs]
        assert candidates(world.events) == []


def test_without_payers_there_is_nothing_to_join() -> None:
    world = World(np.random.default_rng(3))
    reworded(world, "group")
    events = world.events
    events["payment"] = 0
    assert candidates(events) == [] and 0.0 < LIKENESS < 1.0
