"""Writes the evidence vault: seals records, keeps them within a day's files, a size and an age.

In: records of one group. Out: how many were kept; each is on disk when the call returns. A record that was kept
before, by this process or the one before it, is not kept twice, so that a group may be taken in again after a stop.
What would pass the size is left out and counted: nothing older is deleted to make room before its time.
Cost: one fsync a group, about 3 milliseconds where records come one by one.
Left to `app.vaultkeeper`: which records, and never letting a failure through.
"""

import os
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.store.vaultfiles import (
    DAY,
    SUFFIX,
    day_name,
    drop_before,
    read_segment,
    segment_paths,
    sync_folder,
    vault_lock,
)
from stillwatch.store.vaultlog import ReadLog
from stillwatch.store.vaultseal import MOST_RECORDS, SEGMENT, RecordHead, RecordText, VaultSealer

SEGMENT_BYTES: Final = 16_777_216
REMEMBERED: Final = 65_536
"""Records that are known to have been kept."""
_LOOK_BACK: Final = 4
"""Segments of earlier processes whose records are known again."""
_PATIENCE: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultRecord:
    """One answer to be kept; `number` of the head is given by the writer."""

    head: RecordHead
    text: RecordText


@dataclass(frozen=True, slots=True)
class VaultKept:
    """What came of one group."""

    kept: int = 0
    repeated: int = 0
    """Kept before."""
    full: int = 0
    """Left out because the vault is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultLimits:
    """How long and how much."""

    retention_days: float = 30.0
    max_bytes: int = 1 << 30
    segment_bytes: int = SEGMENT_BYTES


class VaultWriter:
    """Writes to one vault; one process at a time has one."""

    def __init__(self, folder: Path, public: bytes, limits: VaultLimits) -> None:
        """Take the vault's folder, the public key (32 bytes) and the limits; makes nothing."""
        self._folder, self._public, self._limits = folder, public, limits
        self._log = ReadLog(folder)
        self._sealer: VaultSealer | None = None
        self._path = folder
        self._day = ""
        self._file = -1
        self._count = 0
        self._boot = secrets.token_hex(4)
        self._known: OrderedDict[tuple[bytes, float, bool], None] = OrderedDict()
        self._looked_back = False

    def keep(self, records: Sequence[VaultRecord], now: float) -> VaultKept:
        """Keep the records of one group.

        Args:
            records: In the order in which they were served.
            now: Wall time, seconds since 1970.

        Raises:
            StillwatchError, OSError: nothing of the group is known to be kept; it may be given again.
        """
        with vault_lock(self._folder, _PATIENCE):
            if not self._looked_back:
                self._look_back()
            fresh = [r for r in records if _key(r.head) not in self._known]
            held = sum(path.stat().st_size for path in segment_paths(self._folder))
            kept = self._append(fresh, self._limits.max_bytes - held - SEGMENT.size, now)
        return VaultKept(kept=kept, repeated=len(records) - len(fresh), full=len(fresh) - kept)

    def retain(self, now: float) -> int:
        """Delete segments that are too old; return how many went.

        Raises:
            StillwatchError, OSError: the disk refuses, or another process is changing the vault.
        """
        if not self._folder.is_dir():
            return 0
        with vault_lock(self._folder, _PATIENCE):
            gone = drop_before(self._folder, now - self._limits.retention_days * DAY)
        return gone

    def close(self) -> None:
        """Let go of the open segment."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._sealer = -1, None

    def _append(self, fresh: Sequence[VaultRecord], room: int, now: float) -> int:
        """Write records one segment after the other; return how many are on disk."""
        done = 0
        while done < len(fresh) and room > 0:
            sealer = self._segment(now)
            start = os.fstat(self._file).st_size
            frames, size = [], start
            for record in fresh[done:]:
                if size >= self._limits.segment_bytes or sealer.next >= MOST_RECORDS:
                    break
                frame = sealer.seal(msgspec.structs.replace(record.head, number=sealer.next), record.text)
                if size + len(frame) - start > room:
                    break
                frames.append(frame)
                size += len(frame)
            if not frames:
                break
            self._write(b"".join(frames), start)
            self._know(fresh[done : done + len(frames)])
            room -= size - start
            done += len(frames)
        return done

    def _know(self, records: Sequence[VaultRecord]) -> None:
        for record in records:
            self._known[_key(record.head)] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _segment(self, now: float) -> VaultSealer:
        """Return the sealer of a segment that has room; begins one on a new day, and where the old one was replaced."""
        if self._sealer is not None and not self._still_good(now):
            self.close()
        if self._sealer is None:
            self._day = day_name(now)
            self._path = self._folder / f"{self._day}-{self._boot}-{self._count:04d}{SUFFIX}"
            self._count += 1
            sealer = VaultSealer(self._public, self._log.head(), now)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
            self._write(sealer.header, 0)
            sync_folder(self._folder)
            self._sealer = sealer
        return self._sealer

    def _still_good(self, now: float) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return False
        mine = os.fstat(self._file)
        same = (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
        assert self._sealer is not None
        room = mine.st_size < self._limits.segment_bytes and self._sealer.next < MOST_RECORDS
        return same and room and self._day == day_name(now)

    def _write(self, content: bytes, start: int) -> None:
        """Append to the open segment, whole or not at all, and make it durable."""
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError:
            try:
                os.ftruncate(self._file, start)
            finally:
                self.close()
            raise

    def _look_back(self) -> None:
        """Know again what the process before this one kept last."""
        newest = sorted(segment_paths(self._folder), key=lambda path: path.stat().st_mtime_ns)
        for path in newest[-_LOOK_BACK:]:
            segment = read_segment(path)
            for placed in segment.records if segment is not None else ():
                self._known[_key(placed.head)] = None
        self._looked_back = True


def _key(head: RecordHead) -> tuple[bytes, float, bool]:
    """Return what tells one record from another; one request may have an answer and a pair kept of it."""
    return head.id, head.time, bool(head.pair)
