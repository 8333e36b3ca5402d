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

from stillwatch.detect.slices import among, ranges
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import kind_index

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
UIntArray = npt.NDArray[np.uint64]
Keys = Mapping[str, UIntArray]

FIELDS: Final = {"anchor": "anchors", "system_anchor": "system_anchors"}
"""Sketch fields of key kinds that have another name there."""
AT_ONCE: Final = 65_536
"""Events that are looked through at a time."""


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
        return cls.over((events[i : i + AT_ONCE] for i in range(0, len(events), AT_ONCE)), blocks)

    @classmethod
    def over(cls, parts: Iterable[EventArray], blocks: Iterable[Keys]) -> "KeyIndex":
        """Look through events that come in parts, numbered as they come; memory for one part and for what is found."""
        wanted = _wanted(blocks)
        tags: dict[str, list[UIntArray]] = {kind: [np.zeros(0, np.uint64)] for kind in wanted}
        places: dict[str, list[IntArray]] = {kind: [np.zeros(0, np.int64)] for kind in wanted}
        before = 0
        for events in parts:
            for kind, keys in wanted.items():
                values = events["sketch"][FIELDS.get(kind, kind)]
                found = np.nonzero(among(values, keys)[1])
                tags[kind].append(_tagged(kind, values[found]))
                places[kind].append(found[0] + before)
            before += len(events)
        tag = np.concatenate([np.zeros(0, np.uint64), *(one for kind in wanted for one in tags[kind])])
        event = np.concatenate([np.zeros(0, np.int64), *(one for kind in wanted for one in places[kind])])
        order = np.argsort(tag, kind="stable")
        return cls(tag[order], event[order])

    def events(self, keys: Keys) -> IntArray:
        """Return the indices of the events that carry any of the keys, ascending, each once."""
        asked = [np.zeros(0, np.uint64), *(_tagged(kind, values) for kind, values in keys.items())]
        tags = np.unique(np.concatenate(asked))
        begin, end = np.searchsorted(self.tag, tags, "left"), np.searchsorted(self.tag, tags, "right")
        return np.unique(self.event[ranges(begin, end)])


def _wanted(blocks: Iterable[Keys]) -> dict[str, UIntArray]:
    """Return all keys of all blocks by kind, ascending, each once."""
    parts: dict[str, list[UIntArray]] = {}
    for keys in blocks:
        for kind, values in keys.items():
            parts.setdefault(kind, []).append(values)
    return {kind: np.unique(np.concatenate(values)) for kind, values in parts.items()}


def _tagged(kind: str, values: UIntArray) -> UIntArray:
    """Tell keys of different kinds apart within one array of 64-bit values."""
    tags: UIntArray = values ^ np.uint64(0x9E3779B97F4A7C15 * (kind_index(kind) + 1) % 2**64)
    return tags


@dataclass(frozen=True, slots=True)
class Concerned:
    """Events of all members of blocks and of others that carry their keys, found by account and by key."""

    events: EventArray
    row: IntArray
    """Row of each event's account in the population."""
    fold: npt.NDArray[np.int8]
    order: IntArray
    """Event indices, ascending by row."""
    ascending: IntArray
    """Rows in that order."""
    index: KeyIndex

    @classmethod
    def of(cls, events: EventArray, row: IntArray, fold: npt.NDArray[np.int8], blocks: Iterable[Keys]) -> "Concerned":
        """Index events by account and by the blocks' keys."""
        order = np.argsort(row, kind="stable").astype(np.int64)
        return cls(events, row, fold, order, row[order], KeyIndex.of(events, blocks))

    def of_accounts(self, rows: IntArray) -> IntArray:
        """Return the indices of these accounts' events, ascending; `rows` ascending, each once."""
        begin, end = np.searchsorted(self.ascending, rows, "left"), np.searchsorted(self.ascending, rows, "right")
        return np.sort(self.order[ranges(begin, end)])
