"""Batches cut to pieces the engine takes at once, and the repeats among them found.

In: batches of events. Out: pieces of at most `MAX_PIECE` events, and which of them are new.
An event is a repeat when its id was seen before in the same key epoch and span of seven days; an id
of 0 says nothing and is never a repeat.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.store.keys import U64
from stillwatch.store.schema import BUCKET_SECONDS
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EVENT_DTYPE, EventArray

MAX_PIECE: Final = 131_072


@dataclass(frozen=True, slots=True)
class Places:
    """Where events stand and what they are called: three arrays of shape (n_events,)."""

    epoch: npt.NDArray[np.int64]
    bucket: npt.NDArray[np.int64]
    event_id: U64

    @classmethod
    def of(cls, events: EventArray) -> "Places":
        """Return the places of `events`."""
        bucket = np.floor(events["time"] / BUCKET_SECONDS).astype(np.int64)
        return cls(events["epoch"].astype(np.int64), bucket, np.ascontiguousarray(events["event_id"]))


def pieces(batches: Iterable[EventArray]) -> Iterator[EventArray]:
    """Yield the batches again, none longer than `MAX_PIECE` and none empty.

    Raises:
        StillwatchError: a batch is not an event array, or an event has no finite time.
    """
    for batch in batches:
        if batch.dtype != EVENT_DTYPE:
            raise StillwatchError(f"ingest: a batch of dtype {batch.dtype.names}: must be the event of this version.")
        if not np.isfinite(batch["time"]).all():
            bad = int(np.flatnonzero(~np.isfinite(batch["time"]))[0])
            raise StillwatchError(f"ingest: event {bad} of a batch has no finite time; leave such events out.")
        for start in range(0, len(batch), MAX_PIECE):
            yield batch[start : start + MAX_PIECE]


def first_seen(places: Places, held: Places) -> npt.NDArray[np.bool_]:
    """Return which events are neither among those held nor a repeat of one before them.

    Args:
        places: The events in question.
        held: Events that are kept already.

    Returns:
        Shape (n_events,).
    """
    columns = [np.concatenate([getattr(held, name), getattr(places, name)]) for name in ("event_id", "bucket", "epoch")]
    order = np.lexsort(columns)  # stable: what is held stands before its repeats
    again = np.ones(max(len(order) - 1, 0), bool)
    for column in columns:
        again &= column[order][1:] == column[order][:-1]
    new = np.ones(len(order), bool)
    new[order[1:][again]] = False
    fresh: npt.NDArray[np.bool_] = new[len(held.event_id) :] | (places.event_id == 0)
    return fresh
