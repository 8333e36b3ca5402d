"""The spool: exchanges leave a worker's memory sealed, in append-only segments, without ever making it wait.

In: `Served` records from the worker's loop. Out: files `<worker>-<boot>-<n>.seg` that the watcher takes and deletes.
The loop seals and queues; a thread writes every `write_seconds` and syncs every `fsync_seconds`. What is written
outlives the process, what is synced outlives the machine. Where disk or memory are full, exchanges are dropped and
counted. Cost: see docs/explain/event-path.md. Left to `segments`: the bytes; to `spoolcount`: the counts.
"""

import secrets
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final

from stillwatch.gateway.segmentfiles import SegmentFiles, SpoolConfig
from stillwatch.gateway.segments import Sealer
from stillwatch.gateway.spoolcount import ANSWERED, DROPPED, WRITTEN, SpoolCount
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served

_SEAL_HERE_BYTES: Final = 65_536
"""Larger exchanges are sealed by the writing thread."""


class SpoolWriter:
    """One worker's recorder. `record` is called from one thread, the worker's loop."""

    def __init__(self, folder: Path, key: bytes, worker: str, config: SpoolConfig | None = None) -> None:
        """Start writing below `folder`, which is made readable by its owner only.

        Args:
            folder: The spool.
            key: The spool's key, 32 bytes.
            worker: Name of the worker, letters and digits.
            config: Section `[spool]`.

        Raises:
            StillwatchError: the folder cannot be written.
        """
        self._config = config or SpoolConfig()
        self._writer = f"{worker}-{time.time_ns() // 1_000_000:x}{secrets.token_hex(2)}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._count = SpoolCount(folder, self._writer)
        except OSError as problem:
            raise StillwatchError(f"spool {folder}: {problem.strerror}; give a folder you may write.") from None
        self._files = SegmentFiles(folder, self._writer, Sealer(key, worker), self._config)
        self._queue: deque[bytes | tuple[int, Served]] = deque()
        self._put = 0
        """Bytes ever queued; added to by the loop only."""
        self._taken = 0
        """Bytes ever written or given up; added to by the thread only."""
        self._waiting: deque[bytes] = deque()
        self._closing = False
        self.given_up = 0
        """Exchanges that closing could not write any more."""
        self._final: dict[str, int] = {}
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def record(self, served: Served) -> bool:
        """Take one exchange without blocking; False when it was dropped, which is counted."""
        count = self._count.at
        if self._closing:
            return False
        count[ANSWERED] += 1
        size = _size(served)
        if self._put - self._taken + size > self._config.max_buffer_bytes:
            count[DROPPED] += 1
            return False
        sealer = self._files.sealer
        if size <= _SEAL_HERE_BYTES:
            try:
                frame = sealer.seal(served, sealer.next())
            except (ValueError, TypeError, OverflowError):  # such as half a character in a header
                count[DROPPED] += 1
                return False
            self._put += len(frame)
            self._queue.append(frame)
        else:
            self._put += size
            self._queue.append((sealer.next(), served))
        if not self._wake.is_set():
            self._wake.set()
        return True

    def counts(self) -> dict[str, int]:
        """Return what was done since the start: answered, written, dropped, and bytes that wait in memory."""
        if self._count.closed:
            return self._final
        at = self._count.at
        return {
            "answered": at[ANSWERED], "written": at[WRITTEN], "dropped": at[DROPPED],
            "waiting_bytes": self._put - self._taken, "failing": int(self._files.failing),
        }  # fmt: skip

    def close(self, patience_seconds: float = 10.0) -> int:
        """Write, sync and close what is left; return how many exchanges had to be given up. Twice does no harm."""
        if not self._closing:
            self._closing = True
            self._wake.set()
            self._thread.join(patience_seconds)
            if self._thread.is_alive():  # the disk hangs: leave the counts to whoever looks after this process
                return self.given_up
            at = self._count.at
            self.given_up = at[ANSWERED] - at[WRITTEN] - at[DROPPED]
            at[DROPPED] += self.given_up
            self._final = self.counts()
            self._count.close()
        return self.given_up

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(self._files.patience(time.monotonic(), waiting=bool(self._waiting)))
            if self._wake.is_set() and not self._closing:
                time.sleep(self._config.write_seconds)
                self._wake.clear()
            self._step()
        self._files.try_now()
        self._step()
        self._files.close()
        self._count.flush()

    def _step(self) -> None:
        try:
            self._gather()
            written = self._files.write(self._waiting, time.monotonic())
            self._count.at[WRITTEN] += written.frames
            self._taken += written.size
            if self._files.tend(time.monotonic()):
                self._count.flush()
        except OSError:
            self._files.failing = True

    def _gather(self) -> None:
        """Take what the loop queued; what is large is sealed here."""
        for _ in range(len(self._queue)):
            item = self._queue.popleft()
            if isinstance(item, bytes):
                self._waiting.append(item)
                continue
            number, served = item
            try:
                frame = self._files.sealer.seal(served, number)
            except (ValueError, TypeError, OverflowError):
                frame = b""
            self._taken += _size(served) - len(frame)
            if frame:
                self._waiting.append(frame)


def _size(served: Served) -> int:
    return len(served.request) + len(served.answer) + len(served.twin)
