"""A log that spans key epochs says so, where part of it cannot be compared."""

import numpy as np
import pytest

from stillwatch.app.report import unread_parts
from stillwatch.app.scan import left_out
from stillwatch.logs.tally import Tally
from stillwatch.sketch.keys import EPOCH_SECONDS
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.event import empty_events


@pytest.mark.parametrize(("days", "noted"), [((0.0, 5.0), False), ((0.0, 20.0), False), ((0.0, 60.0), True)])
def test_events_outside_the_compared_epoch_are_noted(days: tuple[float, float], noted: bool) -> None:
    start = 200 * EPOCH_SECONDS - 86_400.0  # a day before an epoch ends
    times = start + 86_400.0 * np.linspace(*days, 50)
    own = (times // EPOCH_SECONDS).astype(int)
    events = empty_events(len(times))
    events["time"], events["epoch"], events["account"], events["event_id"] = times, own, 1, np.arange(1, 51)
    overlap = (own == 200) & (times < 200 * EPOCH_SECONDS + 30 * 86_400.0)
    again = events[overlap].copy()
    again["epoch"] = 199
    store = MemoryStore(np.concatenate([events, again]))
    assert bool(left_out(store)) == noted


def test_requests_with_parts_that_nobody_reads_are_noted() -> None:
    (note,) = unread_parts(Tally(good=1_200, fields={"unread": 7}))
    assert note.startswith("7 of 1,200 requests hold parts that are not read")
    assert unread_parts(Tally(good=1_200)) == ()
