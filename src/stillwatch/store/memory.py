"""The journal in memory, for tests and for scans that fit: the same answers, in NumPy alone.

In: an `EventArray`. Out: the answers of `EventSource`. Cost: 536 bytes an event, and while it
answers up to 100 bytes for each key an event carries. Left to `clickhouse`: more than that.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from stillwatch.store.keys import U64, event_keys
from stillwatch.store.pieces import Places, first_seen
from stillwatch.terms.event import ADDRESS_KINDS, ASKS, EventArray, empty_events
from stillwatch.terms.ports import (
    CARRIER_DTYPE,
    KEY_DTYPE,
    MOST_COMMON_FIELDS,
    ROLLUP_DTYPE,
    SECONDS_PER_DAY,
    CarrierArray,
    KeyArray,
    KeyList,
    RollupArray,
    SharedQuery,
    Span,
    Window,
    kind_index,
)

Rows = npt.NDArray[np.intp]


class MemoryStore:
    """Events in one array; repeats of an event id are left out, as a journal would."""

    def __init__(self, events: EventArray) -> None:
        nothing = Places.of(empty_events())
        self._events = events[first_seen(Places.of(events), nothing)]

    def epochs(self) -> tuple[int, ...]:
        """Return the key epochs that hold events, ascending."""
        return tuple(np.unique(self._events["epoch"]).tolist())

    def span(self, epoch: int | None = None) -> Span:
        """Return what is held of `epoch`; of the newest when None."""
        if epoch is None:
            epoch = max(self.epochs(), default=0)
        events = self._within(Window(epoch=epoch))
        if not len(events):
            return Span(epoch=epoch, first=0.0, last=0.0, n_events=0, n_accounts=0)
        first, last = float(events["time"].min()), float(events["time"].max())
        n_accounts = len(np.unique(events["account"]))
        return Span(epoch=epoch, first=first, last=last, n_events=len(events), n_accounts=n_accounts)

    def rollup(self, window: Window) -> RollupArray:
        """Return one row for each account with a request in the window."""
        events = self._within(window)
        accounts, group = np.unique(events["account"], return_inverse=True)
        rows = np.zeros(len(accounts), ROLLUP_DTYPE)
        rows["account"] = accounts
        rows["n_requests"] = np.bincount(group, minlength=len(accounts))
        rows["first"], rows["last"] = _extremes(group, events["time"], len(accounts))
        for name in ("tokens_in", "tokens_out"):
            np.add.at(rows[name], group, np.maximum(events[name].astype(np.int64), 0))
        rows["n_days"] = _distinct(group, _block(events, SECONDS_PER_DAY), len(accounts))
        rows["n_blocks"] = _distinct(group, _block(events, window.block_seconds), len(accounts))
        for name in ("content", "skeleton", "network"):
            values = events[name] if name == "network" else events["sketch"][name]
            said = values != 0
            rows[f"n_{name}s"] = _distinct(group[said], values[said], len(accounts))
        np.add.at(rows["single_turn"], group, events["turns"] <= 1)
        np.add.at(rows["datacentre"], group, events["address_kind"] == ADDRESS_KINDS.index("datacentre"))
        for bit in range(len(ASKS)):
            np.add.at(rows["asks"][:, bit], group, (events["sketch"]["asks"] >> bit) & 1)
        for name in MOST_COMMON_FIELDS:
            values = events["sketch"][name] if name in ("system", "tools") else events[name]
            rows[name] = _most_common(group, values, len(accounts))
        return rows

    def shared_keys(self, query: SharedQuery) -> KeyArray:
        """Return the keys that the asked number of holders carried in the window."""
        found = [np.zeros(0, KEY_DTYPE)]
        for kind in sorted(set(query.kinds), key=kind_index):
            pairs = self._pairs(kind, query.window)
            counts = _count_keys(kind, pairs[pairs["contents"] >= query.min_requests_per_account])
            inside = (counts["holders"] >= query.min_accounts) & (counts["holders"] <= query.max_accounts)
            found.append(counts[inside])
        return np.concatenate(found)

    def popularity(self, kind: str, keys: KeyList, window: Window) -> KeyArray:
        """Return the counts for these keys, whoever carried them; keys never carried are left out."""
        return _count_keys(kind, self.carriers(kind, keys, window))

    def carriers(self, kind: str, keys: KeyList, window: Window) -> CarrierArray:
        """Return who carried these keys in the window, one row a (key, account)."""
        pairs = self._pairs(kind, window)
        carried: CarrierArray = pairs[np.isin(pairs["key"], np.asarray(keys, np.uint64))]
        return carried

    def events(self, accounts: KeyList, window: Window) -> EventArray:
        """Return these accounts' events in the window, ordered by (time, account, event_id)."""
        events = self._within(window)
        events = events[np.isin(events["account"], np.asarray(accounts, np.uint64))]
        ordered: EventArray = events[np.lexsort((events["event_id"], events["account"], events["time"]))]
        return ordered

    def _pairs(self, kind: str, window: Window) -> CarrierArray:
        events = self._within(window)
        rows, keys = event_keys(events, kind)
        order, starts = _runs(keys, events["account"][rows])
        rows, keys = rows[order], keys[order]
        pairs = np.zeros(len(starts), CARRIER_DTYPE)
        if not len(starts):
            return pairs
        group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
        pairs["kind"] = kind_index(kind)
        pairs["key"], pairs["account"] = keys[starts], events["account"][rows[starts]]
        organisation = np.maximum.reduceat(events["organisation"][rows], starts)
        pairs["holder"] = np.where(organisation != 0, organisation, pairs["account"])
        pairs["requests"] = np.bincount(group)
        pairs["contents"] = _distinct(group, events["sketch"]["content"][rows], len(starts))
        pairs["first"], pairs["last"] = _extremes(group, events["time"][rows], len(starts))
        return pairs

    def _within(self, window: Window) -> EventArray:
        events = self._events
        inside = (events["epoch"] == window.epoch) & (events["time"] >= window.start) & (events["time"] < window.end)
        if window.fold is not None:
            inside &= np.mod(_block(events, window.block_seconds), 2) == window.fold
        chosen: EventArray = events[inside]
        return chosen


def _count_keys(kind: str, pairs: CarrierArray) -> KeyArray:
    keys, group = np.unique(pairs["key"], return_inverse=True)
    counts = np.zeros(len(keys), KEY_DTYPE)
    counts["kind"], counts["key"] = kind_index(kind), keys
    counts["accounts"] = np.bincount(group, minlength=len(keys))
    counts["holders"] = _distinct(group, pairs["holder"], len(keys))
    np.add.at(counts["requests"], group, pairs["requests"])
    return counts


def _runs(*columns: npt.NDArray[Any]) -> tuple[Rows, Rows]:
    """Return the order that sorts by `columns`, first one first, and where each run of equals starts in it."""
    order = np.lexsort(columns[::-1])
    changes = np.ones(len(order), bool)
    if len(order):
        changes[1:] = False
    for column in columns:
        changes[1:] |= column[order][1:] != column[order][:-1]
    return order, np.flatnonzero(changes)


def _distinct(group: npt.NDArray[Any], values: npt.NDArray[Any], n: int) -> npt.NDArray[np.intp]:
    """Return how many distinct values each of `n` groups has, shape (n,)."""
    order, starts = _runs(group, values)
    return np.bincount(group[order[starts]], minlength=n)


def _extremes(group: npt.NDArray[Any], values: npt.NDArray[Any], n: int) -> tuple[U64, U64]:
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, group, values)
    np.maximum.at(high, group, values)
    return low, high


def _most_common(group: npt.NDArray[Any], values: U64, n: int) -> U64:
    """Return the value each group has most often, 0 left out, the largest on a tie; shape (n,)."""
    said = np.flatnonzero(values != 0)
    order, starts = _runs(group[said], values[said])
    counts = np.diff(np.append(starts, len(order)))
    first = said[order[starts]]
    best = np.lexsort((values[first], counts, group[first]))
    common = np.zeros(n, np.uint64)
    common[group[first][best]] = values[first][best]  # the last one written is the most common
    return common


def _block(events: EventArray, seconds: float) -> npt.NDArray[np.int64]:
    return np.floor(events["time"] / seconds).astype(np.int64)
