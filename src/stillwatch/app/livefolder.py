"""Where the live parts of a state folder are, and the clock that its processes share.

In: the state folder. Out: paths, and `EventClock`. Nothing is made before it is needed.
"""

import contextlib
import fcntl
import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stillwatch.app.watchconfig import WatchConfig
from stillwatch.gateway.published import replace_whole
from stillwatch.terms.errors import StillwatchError


@dataclass(frozen=True, slots=True)
class LiveFolder:
    """Paths below a state folder."""

    state: Path

    @property
    def spool(self) -> Path:
        """Sealed segments on their way to the watcher."""
        return self.state / "spool"

    @property
    def run(self) -> Path:
        """What running processes say of themselves; worth nothing after they ended."""
        return self.state / "run"

    @property
    def published(self) -> Path:
        """Verdicts for the workers."""
        return self.state / "published.json"

    @property
    def warned(self) -> Path:
        """What other providers' warnings come to, for the workers; beside `published`."""
        return self.state / "warned.json"

    @property
    def store(self) -> Path:
        """Events of live traffic."""
        return self.state / "live" / "store"

    @property
    def tally(self) -> Path:
        """What was read so far, for the report."""
        return self.state / "live" / "tally.json"

    @property
    def report(self) -> Path:
        """Report of the last judgement, as `scan` writes it."""
        return self.state / "live" / "report"

    @property
    def pages(self) -> Path:
        """What the console's pages show of the last judgement; made anew by the next."""
        return self.state / "live" / "pages.sqlite"

    @property
    def clock(self) -> Path:
        """Event clock of the gateway that was started last."""
        return self.run / "clock.json"

    def made(self) -> "LiveFolder":
        """Return the same, with its folders made, readable by their owner only.

        Raises:
            StillwatchError: the state folder cannot be written.
        """
        try:
            for folder in (self.state, self.spool, self.run, self.store.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise StillwatchError(
                f"state folder {self.state}: {problem.strerror}; give a folder you may write with --state."
            ) from None
        return self

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the folder for one gateway; the system lets it go when this process ends, however it ends.

        Processes that this one starts do not hold it: after a killed supervisor the next one may start while they end.

        Raises:
            StillwatchError: another process holds it, or the lock cannot be written.
        """
        path = self.run / "serve.lock"
        try:
            self.run.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise StillwatchError(f"lock {path}: {problem.strerror}; make it writable.") from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise StillwatchError(
                    f"state folder {self.state}: process {owner} uses it; stop that one first, or give another folder "
                    "with --state."
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def name(self) -> str:
        """Return 16 hex digits that stand for this folder on this machine."""
        return hashlib.blake2b(str(self.state.resolve()).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventClock:
    """Event time from wall time: equal, or run fast for a demonstration. All processes of a gateway share one."""

    origin: float = 0.0
    """Event time at `started`, seconds since 1970."""
    started: float = 0.0
    """Wall time at which the clock stood at `origin`, seconds since 1970."""
    factor: float = 1.0
    """Event seconds a wall second; above 0."""
    end: float | None = None
    """Event time from which the clock runs as fast as the wall; None for never."""

    def __post_init__(self) -> None:
        if not 0.0 < self.factor < math.inf:
            raise StillwatchError(f"time lapse = {self.factor}: must be above 0.")

    def at(self, wall: float) -> float:
        """Return the event time at a wall time.

        >>> EventClock(origin=1000.0, started=50.0, factor=60.0).at(52.0), EventClock().at(52.0)
        (1120.0, 52.0)
        >>> EventClock(origin=1000.0, started=50.0, factor=60.0, end=1060.0).at(52.0)
        1061.0
        """
        event = self.origin + (wall - self.started) * self.factor
        if self.end is None or event <= self.end:
            return event
        return self.end + wall - self.wall_of(self.end)

    def wall_of(self, event: float) -> float:
        """Return the wall time at an event time.

        >>> EventClock(origin=1000.0, started=50.0, factor=60.0).wall_of(1120.0)
        52.0
        """
        beyond = max(0.0, event - self.end) if self.end is not None else 0.0
        return self.started + (event - beyond - self.origin) / self.factor + beyond


class _KeptClock(msgspec.Struct):
    said: tuple[float, float, float]
    """Lapse, origin and end as the settings had them."""
    clock: EventClock


def shared_clock(folder: LiveFolder, config: WatchConfig, now: float) -> EventClock:
    """Return the event clock of a gateway that starts, kept for `read_clock`; the same again under the same settings.

    Args:
        folder: The live folder, made.
        config: Section `[watch]`.
        now: Wall time, seconds since 1970.
    """
    kept, said = _kept_clock(folder), (config.time_lapse, config.time_origin, config.time_until)
    if kept is not None and kept.said == said:
        return kept.clock
    clock = EventClock()
    if config.time_lapse != 1.0 or config.time_origin:
        clock = EventClock(
            origin=config.time_origin or now, started=now, factor=config.time_lapse, end=config.time_until or None
        )
    replace_whole(folder.clock, msgspec.json.encode(_KeptClock(said, clock)))
    return clock


def read_clock(folder: LiveFolder) -> EventClock:
    """Return the event clock of the gateway that was started last; wall time where there was none."""
    kept = _kept_clock(folder)
    return EventClock() if kept is None else kept.clock


def _kept_clock(folder: LiveFolder) -> _KeptClock | None:
    try:
        return msgspec.json.decode(folder.clock.read_bytes(), type=_KeptClock)
    except (OSError, msgspec.MsgspecError):
        return None
