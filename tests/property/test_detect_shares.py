"""Work that is dealt out is told from a set that people choose from, and one wrapper may hold two groups."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.deal import deal_ranks, dealt_nats
from stillwatch.detect.judge import judge
from stillwatch.store.memory import MemoryStore
from tests.detect_worlds import START, World, keys, volumes

IntArray = npt.NDArray[np.int64]
Choice = tuple[IntArray, IntArray]
PEOPLE, SET, EACH = 60, 300, 12
DRAWS = 200


def blind(rng: np.random.Generator) -> Choice:
    """Anybody takes anything."""
    return np.repeat(np.arange(PEOPLE), EACH), rng.integers(0, SET, PEOPLE * EACH)


def popular(rng: np.random.Generator) -> Choice:
    """Some pieces are liked by all."""
    liking = 1.0 / np.arange(1, SET + 1)
    return np.repeat(np.arange(PEOPLE), EACH), rng.choice(SET, PEOPLE * EACH, p=liking / liking.sum())


def from_the_top(rng: np.random.Generator) -> Choice:
    """Evaluators of four suites run each from its first item on, as far as they care to."""
    sizes, suite = volumes(rng, PEOPLE), rng.integers(0, 4, PEOPLE)
    return np.repeat(np.arange(PEOPLE), sizes), np.concatenate(
        [np.arange(n) + 1000 * s for n, s in zip(sizes, suite, strict=True)]
    )


def excerpts(rng: np.random.Generator) -> Choice:
    """Each takes a run of neighbouring items, wherever it begins."""
    sizes = rng.integers(8, 16, PEOPLE)
    return np.repeat(np.arange(PEOPLE), sizes), np.concatenate(
        [(rng.integers(0, SET) + np.arange(n)) % SET for n in sizes]
    )


def no_item_twice(rng: np.random.Generator) -> Choice:
    """Each takes a sample of its own without repeats, of very different size."""
    sizes = volumes(rng, PEOPLE)
    return np.repeat(np.arange(PEOPLE), sizes), np.concatenate([rng.permutation(SET)[:n] for n in sizes])


@pytest.mark.parametrize("choose", [blind, popular, from_the_top, excerpts, no_item_twice])
def test_people_who_choose_without_knowing_of_one_another_seldom_look_dealt(choose: Callable[..., Choice]) -> None:
    e_values = []
    for seed in range(DRAWS):
        who, what = choose(np.random.default_rng(seed))
        ranks = deal_ranks(who, what.astype(np.uint64), np.random.default_rng(seed))
        e_values.append(np.exp(dealt_nats(ranks)))
    # Mean 1 at most: no alpha is undercut by more than luck, and 200 draws leave luck a factor of five.
    for alpha in (0.1, 0.02):
        assert np.mean(np.array(e_values) >= 1.0 / alpha) <= alpha


@pytest.mark.parametrize("times", [2, 3])
def test_pieces_that_are_handed_out_a_fixed_number_of_times_look_dealt(times: int) -> None:
    rng = np.random.default_rng(times)
    what = np.concatenate([rng.permutation(SET) for _ in range(times)])
    who = np.arange(len(what)) // EACH
    ranks = deal_ranks(who, what.astype(np.uint64), rng)
    assert dealt_nats(ranks) > np.log(200.0)


def dealt(world: World, *, accounts: int, twice: float) -> None:
    """Add a campaign with nothing but a wrapper in common, whose queue hands a part of its pieces out again."""
    counts = world.rng.integers(12, 15, accounts)
    events, _ = world.rows("campaign", counts)
    world.wrap(events)
    world.talk(events, world.rng.integers(0, len(world.subjects), len(events)))
    pieces = keys(world.rng, int(len(events) / (1.0 + twice)) + 1)
    events["sketch"]["content"] = pieces[np.arange(len(events)) % len(pieces)]
    events["time"] = START + 86_400.0 + world.rng.random(len(events)) * 2 * 86_400.0


@pytest.mark.parametrize("twice", [0.0, 0.3, 0.6, 1.0])
def test_a_queue_that_hands_pieces_out_again_hides_no_member(twice: float) -> None:
    world = World(np.random.default_rng(int(10 * twice)))
    world.crowd(200)
    dealt(world, accounts=120, twice=twice)
    found = {a for c in judge(MemoryStore(world.events), DetectConfig()).campaigns if c.accused for a in c.accounts}
    assert len(found & world.groups["campaign"]) >= 0.95 * 120
    assert found <= world.groups["campaign"]


@pytest.mark.parametrize("seed", range(3))
def test_an_even_class_that_chooses_from_a_public_set_is_not_accused(seed: int) -> None:
    world = World(np.random.default_rng(seed))
    world.crowd(200)
    events, _ = world.rows("course", world.rng.integers(12, 15, 150))
    world.wrap(events)
    chosen = world.rng.integers(0, 400, len(events))
    events["sketch"]["content"] = keys(world.rng, 400)[chosen]
    world.talk(events, chosen % len(world.subjects))
    events["time"] = START + 86_400.0 + world.rng.random(len(events)) * 2 * 86_400.0
    assert not [c.log_e for c in judge(MemoryStore(world.events), DetectConfig()).campaigns if c.accused]


def one_wrapper(world: World, names: tuple[str, ...]) -> None:
    """Put the first wrapper of the groups named last round all of them."""
    parts = world.parts[-len(names) :]
    for events in parts[1:]:
        events["sketch"]["anchors"][:, :8] = parts[0]["sketch"]["anchors"][0, :8]
        events["sketch"]["head"] = parts[0]["sketch"]["head"][0]


@pytest.mark.parametrize("seed", range(3))
def test_whoever_uses_the_public_wrapper_of_a_campaign_is_no_member_of_it(seed: int) -> None:
    world = World(np.random.default_rng(seed))
    world.crowd(200)
    world.campaign(40)
    world.template(30)
    one_wrapper(world, ("campaign", "template"))
    found = {a for c in judge(MemoryStore(world.events), DetectConfig()).campaigns if c.accused for a in c.accounts}
    assert found == world.groups["campaign"]


@pytest.mark.parametrize("seed", range(3))
def test_a_campaign_with_own_payers_is_not_hidden_by_one_that_shares_them(seed: int) -> None:
    world = World(np.random.default_rng(10 + seed))
    world.crowd(300)
    world.campaign(90, name="cards")
    dealt(world, accounts=60, twice=0.0)
    one_wrapper(world, ("cards", "campaign"))
    found = [set(c.accounts) for c in judge(MemoryStore(world.events), DetectConfig()).campaigns if c.accused]
    assert sorted(map(sorted, found)) == sorted(map(sorted, (world.groups["cards"], world.groups["campaign"])))


@pytest.mark.parametrize("seed", range(3))
def test_customers_of_a_reseller_among_others_with_the_same_tool_are_not_accused(seed: int) -> None:
    world = World(np.random.default_rng(20 + seed))
    world.crowd(200)
    events, index = world.rows("group", volumes(world.rng, 80))
    world.wrap(events)
    bought = index < 30
    events["payment"][bought] = keys(world.rng, 4)[index[bought] % 4]
    assert not [c.log_e for c in judge(MemoryStore(world.events), DetectConfig()).campaigns if c.accused]
