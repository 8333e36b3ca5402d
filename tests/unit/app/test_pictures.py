"""Pictures of a log: every event is drawn once, whatever the span."""

import numpy as np
import pytest

from stillwatch.app.pictures import BINS, timeline_of
from stillwatch.console.report import ALL_TRAFFIC
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.judge import judge
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.event import empty_events
from tests.detect_worlds import World, volumes


@pytest.mark.parametrize("span", [0.0, 0.001, 1.0, 50.25, 119.0, 120.0, 121.0, 3_600.0, 1e7])
def test_every_event_is_drawn_once_over_any_span(span: float) -> None:
    world = World(np.random.default_rng(int(span)))
    events, _ = world.rows("few", volumes(world.rng, 9))
    events["time"] = 1.7e9 + span * np.linspace(0.0, 1.0, len(events))
    store = MemoryStore(events)
    lines, start, step = timeline_of(store, judge(store, DetectConfig()))  # type: ignore[arg-type]
    assert len(lines[ALL_TRAFFIC]) == BINS and sum(lines[ALL_TRAFFIC]) == len(events)
    assert start == events["time"].min() and step > 0
    assert start + (BINS + 1) * step >= events["time"].max()


def test_a_campaign_has_a_line_of_its_own_requests() -> None:
    world = World(np.random.default_rng(1))
    world.crowd()
    world.campaign()
    store = MemoryStore(world.events)
    verdicts = judge(store, DetectConfig())
    lines, _, _ = timeline_of(store, verdicts)  # type: ignore[arg-type]
    accused = [c for c in verdicts.campaigns if c.accused]
    assert accused and set(lines) == {ALL_TRAFFIC, *(c.id for c in accused)}
    assert [sum(lines[c.id]) for c in accused] == [c.requests for c in accused]


def test_no_events_draw_an_empty_line() -> None:
    store = MemoryStore(empty_events())
    lines, _, step = timeline_of(store, judge(store, DetectConfig()))  # type: ignore[arg-type]
    assert sum(lines[ALL_TRAFFIC]) == 0 and step > 0
