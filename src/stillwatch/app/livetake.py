"""Take sealed segments in: open, read, reduce, keep, delete; each group whole or not at all.

In: closed segments and the spool's key. Out: events and names in the store, and counts. A group is noted before it is
kept and its segments are deleted after, so that a stop at any moment loses nothing and counts nothing twice.
Text is dropped as soon as its event exists. Cost: about 130 microseconds an exchange in groups of a hundred or more.
Left to `watch`: when. Left to the store: telling a group that was kept before.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from stillwatch.app.intake import note_names
from stillwatch.app.livefolder import LiveFolder
from stillwatch.gateway.published import replace_whole
from stillwatch.gateway.segments import Segment, read_segment
from stillwatch.logs.served import read_all_served
from stillwatch.logs.tally import Tally
from stillwatch.sketch.reduce import Reducer
from stillwatch.terms.event import EventArray, empty_events
from stillwatch.terms.exchange import Exchange
from stillwatch.terms.ports import Journal
from stillwatch.terms.served import Served

GROUP_BYTES: Final = 16_777_216
"""Segments are taken together up to this size, in bytes, so that a backlog is worked off faster than it grows."""
MOST_NAMED: Final = 1_000_000
SOURCE: Final = "gateway"


@dataclass(slots=True)
class Took:
    """What came of one group."""

    segments: int = 0
    exchanges: int = 0
    """Exchanges read from frames."""
    events: int = 0
    """Events that were new to the store."""
    bad: Counter[str] = field(default_factory=Counter)
    """Exchanges that could not be read, by the start of the reason."""
    unreadable: int = 0
    """Frames that the key does not open."""
    torn: int = 0
    """Segments that end inside a frame."""
    first: float = np.inf
    """Earliest event, seconds since 1970; infinite where there is none."""


class _Note(msgspec.Struct):
    digest: str
    names: list[str]


@dataclass(frozen=True, slots=True)
class LiveIntake:
    """Where segments are taken to."""

    store: Journal
    reducer: Reducer
    folder: LiveFolder
    key: bytes = field(repr=False)
    tally: Tally
    """Everything read since the state folder was made; saved with each group."""
    named: set[tuple[int, int]] = field(default_factory=set)
    """Epoch and hash of accounts whose names this process put into the store."""
    mask: Callable[[EventArray, dict[int, dict[int, str]]], dict[int, dict[int, str]]] | None = None
    """Puts masks in the place of account hashes before events are kept; returns the names by mask."""
    keep: Callable[[Sequence[Served]], None] | None = None
    """Whoever else wants the exchanges before their text is dropped; must not raise."""

    @classmethod
    def open(cls, store: Journal, reducer: Reducer, folder: LiveFolder, key: bytes) -> "LiveIntake":
        """Return the intake with the tally that an earlier process left."""
        tally = Tally()
        try:
            tally = msgspec.json.decode(folder.tally.read_bytes(), type=Tally)
            tally.fields, tally.reasons = Counter(tally.fields), Counter(tally.reasons)
        except (OSError, msgspec.MsgspecError):
            pass
        tally.importer = SOURCE
        return cls(store, reducer, folder, key, tally)

    def take(self, paths: Sequence[Path]) -> Took:
        """Take a group of closed segments in, or the one that an earlier process had in hand.

        Args:
            paths: Closed segments, oldest first; as many as fit into one group are taken.

        Raises:
            OSError, StillwatchError: disk or engine failed; the segments stay and can be taken again.
        """
        note = self._noted()
        if note is not None and self.store.ingested(note.digest):
            return self._finish(note, Took(segments=len(note.names)))
        group = [read_segment(path, self.key) for path in (self._paths(note) if note else _group(paths))]
        if not group:
            return self._finish(note, Took()) if note else Took()
        if note is None:
            note = _Note(_digest(group), [segment.name for segment in group])
            replace_whole(self._note_path, msgspec.json.encode(note))
        took = self._keep(note.digest, group)
        return self._finish(note, took)

    def _keep(self, digest: str, group: list[Segment]) -> Took:
        served = [one for segment in group for one in segment.exchanges]
        if self.keep is not None:
            self.keep(served)  # before the events: a group whose events are kept is not read again
        served = [one for one in served if one.kind != "twin"]  # what nobody got is no event
        served.sort(key=lambda one: one.time)  # workers write side by side, and a history is known by what came before
        exchanges, reasons = read_all_served(served)
        events, kept, failed = reduced(self.reducer, exchanges)
        took = Took(
            segments=len(group), exchanges=len(served), unreadable=sum(s.unreadable for s in group),
            torn=sum(s.torn for s in group),
        )  # fmt: skip
        for reason in reasons + failed:
            took.bad[reason.partition(":")[0][:80]] += 1
        if len(events):
            self._put_names(events, kept)  # before the events: a group whose events are kept is not read again
            took.events = self.store.ingest(digest, iter([events]), SOURCE)
            took.first = float(events["time"].min())
        self._count(kept, reasons + failed, len(kept) + len(reasons) + len(failed))
        return took

    def _put_names(self, events: EventArray, exchanges: list[Exchange]) -> None:
        names: dict[int, dict[int, str]] = {}
        note_names(names, events, exchanges)
        if self.mask is not None:
            names = self.mask(events, names)
        for epoch, mapping in names.items():
            new = {account: name for account, name in mapping.items() if (epoch, account) not in self.named}
            self.store.put_names(epoch, new)
            if len(self.named) > MOST_NAMED:
                self.named.clear()
            self.named.update((epoch, account) for account in new)

    def _count(self, kept: list[Exchange], reasons: list[str], rows: int) -> None:
        self.tally.rows += rows
        if kept:
            self.tally.add(kept)
        for reason in reasons:
            self.tally.refuse(reason)
        replace_whole(self.folder.tally, msgspec.json.encode(self.tally))

    def _finish(self, note: _Note, took: Took) -> Took:
        for path in self._paths(note):
            path.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)
        return took

    @property
    def _note_path(self) -> Path:
        return self.folder.store.parent / "taking.json"

    def _noted(self) -> _Note | None:
        try:
            return msgspec.json.decode(self._note_path.read_bytes(), type=_Note)
        except (OSError, msgspec.MsgspecError):
            return None

    def _paths(self, note: _Note) -> list[Path]:
        return [path for name in note.names if (path := self.folder.spool / f"{name}.seg").exists()]


def reduced(reducer: Reducer, exchanges: list[Exchange]) -> tuple[EventArray, list[Exchange], list[str]]:
    """Return the events, the exchanges that they come from, and a reason for each that could not be reduced."""
    try:
        return (reducer.reduce_all(exchanges) if exchanges else empty_events()), exchanges, []
    except Exception:  # one odd exchange must not stop the others: find it
        good, failed = [], []
        for exchange in exchanges:
            try:
                reducer.reduce_all([exchange])
                good.append(exchange)
            except Exception as error:
                failed.append(f"exchange: cannot be reduced ({type(error).__name__})")
        return (reducer.reduce_all(good) if good else empty_events()), good, failed


def _group(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the oldest segments, at least one, as far as they stay below `GROUP_BYTES`."""
    size = 0
    for path in paths:
        size += path.stat().st_size
        yield path
        if size >= GROUP_BYTES:
            return


def _digest(group: list[Segment]) -> str:
    if len(group) == 1:
        return group[0].digest
    return hashlib.blake2b("".join(segment.digest for segment in group).encode(), digest_size=16).hexdigest()
