"""What one writer of segments did, in a file that outlives its process.

In: counts, added to in place. Out: what stands in the file after the writer ended, however it ended.
The file is mapped into memory, so a count costs no system call and SIGKILL loses none; the writer locks it for as long
as it lives, so that whoever gets the lock knows that the writer is gone. Left to `spool`: when to count.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillwatch.gateway.segments import CLOSED_SUFFIX, OPEN_SUFFIX

COUNT_SUFFIX: Final = ".count"
ANSWERED, WRITTEN, DROPPED = 1, 2, 3
"""Places in the file: exchanges offered, frames handed to the system, exchanges refused or given up."""
_LAYOUT: Final = struct.Struct("=4Q")
_VERSION: Final = 1


class SpoolCount:
    """The counts of this writer; each place is added to by one thread only."""

    def __init__(self, folder: Path, writer: str) -> None:
        """Make and lock the file.

        Raises:
            OSError: the folder cannot be written.
        """
        draft = folder / f"{writer}.draft"
        self._descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            os.write(self._descriptor, _LAYOUT.pack(_VERSION, 0, 0, 0))
            self._map = mmap.mmap(self._descriptor, _LAYOUT.size)
            draft.rename(folder / f"{writer}{COUNT_SUFFIX}")  # locked before anyone can find it
        except BaseException:
            os.close(self._descriptor)
            raise
        self.at = memoryview(self._map).cast("Q")

    @property
    def closed(self) -> bool:
        """Whether the file was let go of."""
        return self._descriptor < 0

    def flush(self) -> None:
        """Let the counts outlive a power cut too."""
        self._map.flush()

    def close(self) -> None:
        """Let go of the file, which stays for the watcher; twice does no harm."""
        if self._descriptor >= 0:
            self.at.release()
            self._map.flush()
            self._map.close()
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterEnd:
    """What a writer left that is gone."""

    writer: str
    answered: int
    written: int
    dropped: int

    @property
    def lost(self) -> int:
        """Exchanges that were answered, not refused, and never reached a segment."""
        return max(0, self.answered - self.written - self.dropped)


def adopt(folder: Path) -> Iterator[WriterEnd]:
    """Close the open segments of writers that are gone, and yield what each left; its counts go when taken.

    Args:
        folder: The spool. Where there is none, nothing is yielded.
    """
    for count in sorted(folder.glob(f"*{COUNT_SUFFIX}")):
        try:
            descriptor = os.open(count, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # alive
        else:
            for path in folder.glob(f"{count.stem}-*{OPEN_SUFFIX}"):
                path.rename(path.with_suffix(CLOSED_SUFFIX))
            kept = os.pread(descriptor, _LAYOUT.size, 0).ljust(_LAYOUT.size, b"\0")
            _, answered, written, dropped = _LAYOUT.unpack(kept)
            yield WriterEnd(writer=count.stem, answered=answered, written=written, dropped=dropped)
            count.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
    for path in folder.glob(f"*{OPEN_SUFFIX}"):  # of a writer whose counts were taken before its segment was closed
        if not (folder / f"{path.stem.rpartition('-')[0]}{COUNT_SUFFIX}").exists():
            path.rename(path.with_suffix(CLOSED_SUFFIX))


def living(folder: Path) -> frozenset[str]:
    """Return the names of the spool's writers that are alive."""
    alive = set()
    for count in folder.glob(f"*{COUNT_SUFFIX}"):
        try:
            descriptor = os.open(count, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alive.add(count.stem)
        finally:
            os.close(descriptor)
    return frozenset(alive)
