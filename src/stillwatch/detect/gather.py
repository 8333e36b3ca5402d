"""Fetch the events of many accounts without holding them twice.

In: a source, the population, rows of accounts, a window. Out: their events, in chunks of whole accounts or as
one array in the source's own order. Cost: the array, a chunk of `CHUNK_REQUESTS` events (214 MB), and a tenth
of the array while it is put in order. Left to the source: one chunk.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.population import Population
from stillwatch.terms.event import EVENT_DTYPE, EventArray
from stillwatch.terms.ports import EventSource, Window

IntArray = npt.NDArray[np.int64]

CHUNK_REQUESTS: Final = 400_000
"""Requests that are fetched at a time; one account is never split."""
STRIP_WORDS: Final = 8
"""Words of 8 bytes of every event that are moved at a time."""


def chunks(source: EventSource, people: Population, rows: IntArray, window: Window) -> Iterator[EventArray]:
    """Yield the events of accounts, whole accounts at a time, some `CHUNK_REQUESTS` of them.

    Args:
        source: Where events are.
        people: The population.
        rows: Rows of the accounts wanted, ascending.
        window: Events wanted.
    """
    requests = people.roll["n_requests"][rows].astype(np.int64)
    chunk = (np.cumsum(requests) - requests) // CHUNK_REQUESTS
    for part in np.split(rows, np.flatnonzero(np.diff(chunk)) + 1):
        if len(part):
            yield source.events(people.accounts[part], window)


def gather(source: EventSource, people: Population, rows: IntArray, window: Window) -> EventArray:
    """Return the events of accounts, ordered by (time, account, event_id) as the source orders them.

    Args:
        source: Where events are; events that came in since the population was read are left out.
        people: The population.
        rows: Rows of the accounts wanted, ascending.
        window: Events wanted; without a fold.
    """
    events = np.empty(int(people.roll["n_requests"][rows].sum(dtype=np.int64)), EVENT_DTYPE)
    filled = 0
    for part in chunks(source, people, rows, window):
        part = part[: len(events) - filled]
        events[filled : filled + len(part)] = part
        filled += len(part)
    events = events[:filled]
    put_in_order(events, np.lexsort((events["event_id"], events["account"], events["time"])))
    return events


def put_in_order(events: EventArray, order: IntArray) -> None:
    """Set `events` to `events[order]`, a strip of every event at a time, so that no second array is needed."""
    if (order[1:] > order[:-1]).all():
        return
    words = events.view(np.uint64).reshape(len(events), -1)
    for begin in range(0, words.shape[1], STRIP_WORDS):
        strip = words[:, begin : begin + STRIP_WORDS]
        strip[:] = strip[order]
