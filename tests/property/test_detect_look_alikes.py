"""Honest groups that agree in more than one respect, each with work of its own: none is a campaign."""

from collections.abc import Callable

import numpy as np
import pytest

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.judge import judge
from stillwatch.store.memory import MemoryStore
from tests.detect_worlds import World, keys, volumes


def resellers(world: World) -> None:
    """A popular tool sold through four resellers, each of whom pays for its customers."""
    events, index = world.rows("group", volumes(world.rng, 25))
    world.wrap(events)
    events["payment"] = keys(world.rng, 4)[index % 4]


def university(world: World) -> None:
    """Members of a university, on its network and four cards, who use the assistant that it provides."""
    events, index = world.rows("group", volumes(world.rng, 25))
    world.wrap(events)
    events["payment"], events["network"], events["sdk"] = keys(world.rng, 4)[index % 4], keys(world.rng, 1), 3


def quota(world: World) -> None:
    """People on a shared network and four cards, who all use up their quota of ten requests."""
    events, index = world.rows("group", np.full(25, 10))
    events["payment"], events["network"], events["sdk"] = keys(world.rng, 4)[index % 4], keys(world.rng, 1), 3


def free_tier(world: World) -> None:
    """Customers of a popular tool on a free tier that stops at twenty requests."""
    events, _ = world.rows("group", np.minimum(volumes(world.rng, 40, 20.0), 20))
    world.wrap(events)


def families(world: World) -> None:
    """Families of four, each with one card and one line."""
    events, index = world.rows("group", volumes(world.rng, 20))
    events["payment"], events["network"] = keys(world.rng, 5)[index // 4], keys(world.rng, 5)[index // 4]


@pytest.mark.parametrize("group", [resellers, university, quota, free_tier, families])
def test_people_with_work_of_their_own_are_not_accused(group: Callable[[World], None]) -> None:
    for seed in range(3):
        world = World(np.random.default_rng(seed))
        world.crowd()
        group(world)
        verdicts = judge(MemoryStore(world.events), DetectConfig())
        assert not [c.log_e for c in verdicts.campaigns if c.accused]
