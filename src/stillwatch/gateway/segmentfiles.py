"""Segment files of one writer: opened, appended to, synced, rolled, and closed for the watcher to take.

In: frames. Out: files that end with a whole frame as long as the process lives, and counts of what was written.
What cannot be written stays with the caller, and the disk is tried again after a quarter of a second.
Left to `spool`: what happens to frames that cannot be written.
"""

import contextlib
import math
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from stillwatch.gateway.segments import CLOSED_SUFFIX, OPEN_SUFFIX, Sealer
from stillwatch.terms.checks import check_range

_RETRY_SECONDS: Final = 0.25
_MEASURE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolConfig:
    """Section `[spool]`: how exchanges travel from the workers to the watcher."""

    write_seconds: float = 0.01
    """How long exchanges may stay in a worker's memory before they are written, in seconds; 0 to 1. A worker that is
    killed loses what it answered in that time, and the loss is counted."""
    fsync_seconds: float = 1.0
    """How long written exchanges may wait to be synced to disk, in seconds; above 0."""
    roll_seconds: float = 1.0
    """Longest time that a segment stays open, in seconds; above 0. Evidence is that much older."""
    segment_bytes: int = 4_194_304
    """Size at which a segment is closed before that, in bytes; at least 4096."""
    max_spool_bytes: int = 1_073_741_824
    """Most bytes that the spool may take on disk while the watcher is behind; beyond, exchanges are dropped."""
    max_buffer_bytes: int = 33_554_432
    """Most bytes that wait in one worker's memory while the disk is slow or full; beyond, exchanges are dropped."""

    def __post_init__(self) -> None:
        check_range("spool.write_seconds", self.write_seconds, low=-1e-9, high=1.0)
        check_range("spool.fsync_seconds", self.fsync_seconds, low=0.0, high=math.inf)
        check_range("spool.roll_seconds", self.roll_seconds, low=0.0, high=math.inf)
        check_range("spool.segment_bytes", self.segment_bytes, low=4095, high=1 << 28)
        check_range("spool.max_spool_bytes", self.max_spool_bytes, low=4095, high=math.inf)
        check_range("spool.max_buffer_bytes", self.max_buffer_bytes, low=4095, high=math.inf)


class Written(NamedTuple):
    """What one call wrote."""

    frames: int
    size: int
    """Bytes of those frames."""


class SegmentFiles:
    """The files of one writer; used by one thread."""

    def __init__(self, folder: Path, writer: str, sealer: Sealer, config: SpoolConfig) -> None:
        self.sealer = sealer
        self.failing = False
        """The last try to write failed, or the spool is full."""
        self._folder = folder
        self._writer = writer
        self._config = config
        self._number = 0
        self._descriptor = -1
        self._size = 0
        self._opened = self._synced = 0.0
        self._dirty = False
        self._retry = 0.0
        self._measured = -math.inf
        self._others = 0
        """Bytes of the whole spool when it was last measured, and what this writer added since."""

    def write(self, waiting: deque[bytes], now: float) -> Written:
        """Write frames from the left of `waiting`, which keeps those that could not be written.

        Args:
            waiting: Frames in order.
            now: Seconds of a steady clock, likewise below.
        """
        frames = size = 0
        while waiting and now >= self._retry:
            batch = self._batch(waiting, now)
            if not batch or not self._append(b"".join(batch)):
                self.failing, self._retry = True, now + _RETRY_SECONDS
                break
            self.failing = False
            frames += len(batch)
            size += sum(map(len, batch))
            for _ in batch:
                waiting.popleft()
            if self._size >= self._config.segment_bytes:
                self.close()
        return Written(frames, size)

    def tend(self, now: float) -> bool:
        """Sync and roll what is due; return whether anything was synced."""
        if self._descriptor < 0:
            return False
        if now - self._opened >= self._config.roll_seconds:
            self.close()
            return True
        if self._dirty and now - self._synced >= self._config.fsync_seconds:
            os.fsync(self._descriptor)
            self._dirty, self._synced = False, now
            return True
        return False

    def patience(self, now: float, *, waiting: bool) -> float | None:
        """Return for how many seconds nothing is due; None when nothing is until something is recorded."""
        if waiting:
            return max(0.01, self._retry - now)
        if self._descriptor < 0:
            return None
        due = self._opened + self._config.roll_seconds
        if self._dirty:
            due = min(due, self._synced + self._config.fsync_seconds)
        return max(0.01, due - now)

    def try_now(self) -> None:
        """Forget that the last write failed."""
        self._retry = 0.0

    def close(self) -> None:
        """Sync the open segment and give it to the watcher; none open does no harm."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            os.fsync(descriptor)
        except OSError:
            self.failing = True
        finally:
            os.close(descriptor)
        path = self._path(OPEN_SUFFIX)
        with contextlib.suppress(OSError):
            if self._size > len(self.sealer.header):
                path.rename(path.with_suffix(CLOSED_SUFFIX))
            else:
                path.unlink()

    def _batch(self, waiting: deque[bytes], now: float) -> list[bytes]:
        """Return the frames that the open segment and the spool have room for; none when there is no file."""
        if self._descriptor < 0 and not self._open(now):
            return []
        room = min(max(self._config.segment_bytes - self._size, 0), self._room(now))
        batch: list[bytes] = []
        for frame in waiting:
            room -= len(frame)
            if room < 0 and (batch or self._room(now) < len(frame)):
                break
            batch.append(frame)
        return batch

    def _room(self, now: float) -> int:
        """Return how many bytes the spool may still grow by."""
        if now - self._measured >= _MEASURE_SECONDS:
            with os.scandir(self._folder) as entries:
                self._others = sum(_size_of(entry) for entry in entries)
            self._measured = now
        return self._config.max_spool_bytes - self._others

    def _append(self, data: bytes) -> bool:
        """Write all of `data`, or leave the file as it was and close it."""
        view = memoryview(data)
        done = 0
        try:
            while done < len(view):
                done += os.write(self._descriptor, view[done:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            self.close()
            return False
        self._size += done
        self._others += done
        self._dirty = True
        return True

    def _open(self, now: float) -> bool:
        self._number += 1
        path, header = self._path(OPEN_SUFFIX), self.sealer.header
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        self._size, self._opened, self._synced = 0, now, now
        if not self._append(header):
            path.unlink(missing_ok=True)
            return False
        return True

    def _path(self, suffix: str) -> Path:
        return self._folder / f"{self._writer}-{self._number:06d}{suffix}"


def _size_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # taken meanwhile
        return 0
