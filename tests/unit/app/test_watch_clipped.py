"""Events clipped to a moment are judged as if nothing had come after it."""

from pathlib import Path

import numpy as np
import pytest

from stillwatch.app.clipped import ClippedSource
from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import KEY_KINDS, RollupArray, SharedQuery, Window
from tests.e2e.command_line import traffic


@pytest.fixture(scope="module")
def events() -> EventArray:
    return Reducer(KeyRing(bytes(range(32))), AddressTable.empty()).reduce_all(traffic().exchanges)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.77, 1.0, 2.0])
def test_every_answer_is_that_of_the_events_before_the_end(events: EventArray, share: float) -> None:
    first, last = float(events["time"].min()), float(events["time"].max())
    end = first + share * (last - first)
    clipped = ClippedSource(MemoryStore(events), end)
    early = MemoryStore(events[events["time"] < end])
    assert clipped.epochs() == early.epochs()
    for epoch in (*clipped.epochs(), None):
        assert clipped.span(epoch) == early.span(epoch)
    epoch = early.span().epoch
    accounts = np.unique(events["account"])[:50]
    middle = first + 0.5 * (last - first)
    for window in (
        Window(epoch=epoch), Window(epoch=epoch, start=middle), Window(epoch=epoch, end=middle, fold=1),
        Window(epoch=epoch, start=first, end=last + 1.0, block_seconds=3600.0, fold=0),
    ):  # fmt: skip
        assert clipped.rollup(window).tobytes() == early.rollup(window).tobytes()
        assert clipped.events(accounts, window).tobytes() == early.events(accounts, window).tobytes()
        query = SharedQuery(window=window)
        shared = clipped.shared_keys(query)
        assert shared.tobytes() == early.shared_keys(query).tobytes()
        for number in np.unique(shared["kind"]):
            keys = shared["key"][shared["kind"] == number][:20]
            kind = KEY_KINDS[int(number)]
            assert clipped.carriers(kind, keys, window).tobytes() == early.carriers(kind, keys, window).tobytes()
            assert clipped.popularity(kind, keys, window).tobytes() == early.popularity(kind, keys, window).tobytes()


def test_late_events_of_earlier_time_are_seen(events: EventArray, tmp_path: Path) -> None:
    end = float(np.median(events["time"]))
    shuffled = events[np.random.default_rng(1).permutation(len(events))]
    assert ClippedSource(MemoryStore(shuffled), end).span() == ClippedSource(MemoryStore(events), end).span()


def test_a_span_is_worked_out_once_however_often_it_is_asked_for(events: EventArray) -> None:
    class Counting(MemoryStore):
        asked = 0

        def rollup(self, window: Window) -> RollupArray:
            self.asked += 1
            return super().rollup(window)

    source = Counting(events)
    clipped = ClippedSource(source, float(np.median(events["time"])))
    for _ in range(3):
        assert [clipped.span(epoch).epoch for epoch in clipped.epochs()] == list(clipped.epochs())
        assert clipped.span().n_events > 0
    assert source.asked == len(source.epochs())
