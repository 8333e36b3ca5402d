"""What the watcher did, in numbers: kept in `run`, read by the supervisor, gone on with over restarts.

In: what was taken, lost and judged, from the watcher's two threads. Out: `run/watcher.json`. No text, no account.
"""

import os
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.livefolder import EventClock, LiveFolder
from stillwatch.app.livetake import Took
from stillwatch.gateway.published import Published
from stillwatch.gateway.segments import closed_segments
from stillwatch.gateway.spoolcount import WriterEnd

STATUS_NAME: Final = "watcher.json"


@dataclass(slots=True, kw_only=True)
class WatchStatus:
    """What the watcher did; counts go on over restarts. No text, no account."""

    pid: int = 0
    at: float = 0.0
    """Wall time of this status, seconds since 1970."""
    exchanges: int = 0
    events: int = 0
    bad: dict[str, int] = field(default_factory=Counter)
    lost: int = 0
    """Exchanges that were answered by workers that were killed, and never reached a segment."""
    dropped: int = 0
    """Exchanges that workers that ended had dropped because disk or memory were full."""
    unreadable: int = 0
    torn: int = 0
    segments: int = 0
    backlog_segments: int = 0
    backlog_bytes: int = 0
    backlog_age_seconds: float = 0.0
    """Age of the oldest segment that waits."""
    take_failures: int = 0
    judge_failures: int = 0
    judgements: int = 0
    judging: bool = False
    judge_seconds: float = 0.0
    """What the last judgement took."""
    judged_until: float = 0.0
    """Event time, seconds since 1970."""
    published_at: float = 0.0
    """Wall time, seconds since 1970."""
    verdict_age_seconds: float | None = None
    """Event time that no judgement covers yet, in event seconds; None before the first."""
    generation: int = -1
    held: int = 0


class StatusBook:
    """The status of this watcher; may be added to from any thread."""

    def __init__(self, folder: LiveFolder) -> None:
        self._folder = folder
        self._status = _read(folder.run / STATUS_NAME)
        self._lock = threading.Lock()

    @property
    def judged_until(self) -> float:
        """Event time up to which traffic was judged, seconds since 1970; 0 before the first judgement."""
        return self._status.judged_until

    def go_on(self, before: Published) -> None:
        """Take over what was published before this process began."""
        with self._lock:
            self._take_over(before)

    def took(self, took: Took) -> None:
        """Count one group of segments."""
        with self._lock:
            status = self._status
            status.segments += took.segments
            status.exchanges += took.exchanges
            status.events += took.events
            status.unreadable += took.unreadable
            status.torn += took.torn
            for reason, count in took.bad.items():
                status.bad[reason] = status.bad.get(reason, 0) + count

    def failed_to_take(self) -> None:
        """Count a group that disk or engine refused; it is tried again."""
        with self._lock:
            self._status.take_failures += 1

    def ended(self, end: WriterEnd) -> None:
        """Count what a writer took with it."""
        with self._lock:
            self._status.lost += end.lost
            self._status.dropped += end.dropped

    def begin_judging(self) -> None:
        """Say that a judgement is under way."""
        with self._lock:
            self._status.judging = True

    def end_judging(self, seconds: float, published: Published | None) -> None:
        """Count a judgement that took `seconds`; None when it failed."""
        with self._lock:
            status = self._status
            status.judging, status.judge_seconds = False, seconds
            if published is None:
                status.judge_failures += 1
            else:
                status.judgements += 1
                self._take_over(published)

    def say(self, clock: EventClock, wall: float) -> None:
        """Write the status; a disk that is full is no reason to stop."""
        waiting = _sizes(self._folder.spool)
        with self._lock:
            status = self._status
            status.pid, status.at = os.getpid(), wall
            status.backlog_segments, status.backlog_bytes = len(waiting), sum(size for size, _ in waiting)
            status.backlog_age_seconds = max((wall - made for _, made in waiting), default=0.0)
            if status.generation >= 0:
                status.verdict_age_seconds = max(0.0, clock.at(wall) - status.judged_until)
            content = msgspec.json.encode(status)  # `asdict` would make pairs the keys of `bad`
        draft = self._folder.run / f".{STATUS_NAME}"
        try:
            draft.write_bytes(content)
            draft.replace(self._folder.run / STATUS_NAME)
        except OSError:
            pass

    def _take_over(self, published: Published) -> None:
        self._status.judged_until, self._status.published_at = published.judged_until, published.made_at
        self._status.generation, self._status.held = published.generation, len(published.held)


def _sizes(spool: Path) -> list[tuple[int, float]]:
    """Return size and time of each segment that waits."""
    found = []
    for path in closed_segments(spool):
        try:
            stat = path.stat()
        except OSError:
            continue
        found.append((stat.st_size, stat.st_mtime))
    return found


def _read(path: Path) -> WatchStatus:
    try:
        status = msgspec.json.decode(path.read_bytes(), type=WatchStatus)
    except (OSError, msgspec.MsgspecError):
        return WatchStatus()
    status.judging = False
    return status
