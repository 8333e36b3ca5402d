"""Which events carry what ties a block.

In: events, and the keys of all blocks that will be asked about. Out: for any block the events that
carry its keys, without going through all events again.
Cost: one sort of the keys carried; a look-up costs as much as it finds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import kind_index

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
UIntArray = npt.NDArray[np.uint64]
Keys = Mapping[str, UIntArray]

FIELDS: Final = {"anchor": "anchors", "system_anchor": "system_anchors"}
"""Sketch fields of key kinds that have another name there."""


def hit_mask(events: EventArray, keys: Keys) -> BoolArray:
    """Return which events carry any of a block's keys, shape (n,)."""
    hit = np.zeros(len(events), bool)
    for kind, wanted in keys.items():
        found = np.isin(events["sketch"][FIELDS.get(kind, kind)], wanted)
        hit |= found.any(axis=1) if found.ndim == 2 else found
    return hit


@dataclass(frozen=True, slots=True)
class KeyIndex:
    """Where the keys of some blocks stand among some events; parallel arrays, ascending by tag."""

    tag: UIntArray
    event: IntArray

    @classmethod
    def of(cls, events: EventArray, blocks: Iterable[Keys]) -> "KeyIndex":
        """Look through the events once for the keys of all blocks."""
        wanted: dict[str, list[UIntArray]] = {}
        for keys in blocks:
            for kind, values in keys.items():
                wanted.setdefault(kind, []).append(values)
        tags, places = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for kind, parts in wanted.items():
            values = events["sketch"][FIELDS.get(kind, kind)]
            found = np.nonzero(np.isin(values, np.unique(np.concatenate(parts))))
            tags.append(_tagged(kind, values[found]))
            places.append(found[0])
        tag, event = np.concatenate(tags), np.concatenate(places)
        order = np.argsort(tag, kind="stable")
        return cls(tag[order], event[order])

    def events(self, keys: Keys) -> IntArray:
        """Return the indices of the events that carry any of the keys, ascending, each once."""
        asked = [np.zeros(0, np.uint64), *(_tagged(kind, values) for kind, values in keys.items())]
        tags = np.unique(np.concatenate(asked))
        begin, end = np.searchsorted(self.tag, tags, "left"), np.searchsorted(self.tag, tags, "right")
        return np.unique(self.event[_ranges(begin, end)])


def _tagged(kind: str, values: UIntArray) -> UIntArray:
    """Tell keys of different kinds apart within one array of 64-bit values."""
    tags: UIntArray = values ^ np.uint64(0x9E3779B97F4A7C15 * (kind_index(kind) + 1) % 2**64)
    return tags


def _ranges(begin: IntArray, end: IntArray) -> IntArray:
    """Return begin[0] .. end[0]-1, begin[1] .. end[1]-1, and so on, in one array."""
    length = end - begin
    total = int(length.sum())
    shift = np.repeat(begin - np.concatenate([[0], np.cumsum(length)[:-1]]), length) if total else begin[:0]
    return np.asarray(shift + np.arange(total), np.int64)


@dataclass(frozen=True, slots=True)
class Concerned:
    """Events of all members of blocks and of others that carry their keys, found by account and by key."""

    events: EventArray
    row: IntArray
    """Row of each event's account in the population."""
    fold: npt.NDArray[np.int8]
    order: IntArray
    """Event indices, ascending by row."""
    index: KeyIndex

    @classmethod
    def of(cls, events: EventArray, row: IntArray, fold: npt.NDArray[np.int8], blocks: Iterable[Keys]) -> "Concerned":
        """Index events by account and by the blocks' keys."""
        return cls(events, row, fold, np.argsort(row, kind="stable").astype(np.int64), KeyIndex.of(events, blocks))

    def of_accounts(self, rows: IntArray) -> IntArray:
        """Return the indices of these accounts' events, ascending; `rows` ascending, each once."""
        ascending = self.row[self.order]
        begin, end = np.searchsorted(ascending, rows, "left"), np.searchsorted(ascending, rows, "right")
        return np.sort(self.order[_ranges(begin, end)])
