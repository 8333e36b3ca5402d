"""What `make run` sends is enough to find its campaign, and nobody honest looks like it."""

import random
from dataclasses import replace

import pytest

from stillwatch.app.addresses import packaged_addresses
from stillwatch.app.cast import CAMPAIGN, DAY, HONEST, cast_of
from stillwatch.app.demo import score
from stillwatch.app.intake import note_names
from stillwatch.app.report import main_epoch
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.judge import judge
from stillwatch.lab.liveplan import FURTHER_DAYS, REPLAYED_DAYS, live_plan
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.memory import MemoryStore

MONDAY = 1_794_700_800.0


@pytest.mark.parametrize("seed", [1, 2, 11, 19])
def test_by_the_end_of_the_replay_the_whole_campaign_is_accused_and_nobody_else(seed: int) -> None:
    cast = cast_of(seed, MONDAY + seed * DAY)
    late = random.Random(seed)  # an hour of event time is a quarter of a second on the wire
    sent = sorted((replace(x, time=x.time + abs(late.gauss(0, 3600))) for x in cast.replayed), key=lambda x: x.time)
    events = Reducer(KeyRing(b"k" * 32), packaged_addresses()).reduce_all(sent)
    names: dict[int, dict[int, str]] = {}
    note_names(names, events, sent)
    store = MemoryStore(events)
    epoch = main_epoch(store)
    assert epoch is not None
    verdicts = judge(store, DetectConfig(), epoch=epoch)
    found = score(verdicts.campaigns, names[epoch], {name: cast.truth[name] for name in cast.groups})
    assert sum(found.caught.values()) == len(cast.members())
    assert found.honest_accused == ()


def test_the_replay_stays_within_what_a_laptop_carries_and_leaves_traffic_for_afterwards() -> None:
    cast = cast_of(5, MONDAY)
    assert 2_000 <= len(cast.replayed) <= 3_500
    assert [x.time for x in cast.replayed] == sorted(x.time for x in cast.replayed)
    assert all(cast.start <= x.time < cast.end for x in cast.replayed)
    assert cast.end - cast.start == REPLAYED_DAYS * DAY
    turns = [cast.groups[x.account] for x in cast.further]
    assert turns == [CAMPAIGN, HONEST] * (len(turns) // 2) and len(turns) >= 300


def test_a_seed_names_one_plan_and_other_seeds_others() -> None:
    plans = {live_plan(seed, 0.0) for seed in range(30)}
    assert len(plans) == 30 and live_plan(7, 0.0) in plans
    assert {plan.days for plan in plans} == {REPLAYED_DAYS + FURTHER_DAYS}
    assert {plan.campaigns[0].evasion for plan in plans} == {"E0", "E1"}
