"""The vault's segments on disk: one file for each day and key, read without a key as far as their headers go.

In: a folder. Out: segments with the headers of their records; a lock that writer and purge share; deletion by age.
A segment is a clear header and frames; what follows a torn frame is not read. Nothing but `*.vault` is looked at, so
that a stop while a segment is written anew leaves the old one. Left to `vaultwriter`: writing; to `vaultseal`: text.
"""

import calendar
import contextlib
import fcntl
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.store.vaultseal import FRAME, MAGIC, SEGMENT, RecordHead
from stillwatch.terms.errors import StillwatchError

SUFFIX: Final = ".vault"
DRAFT: Final = ".draft"
LOCK_NAME: Final = "vault.lock"
DAY: Final = 86_400.0
MOST_HEAD: Final = 1 << 16
MOST_SEALED: Final = 1 << 28
_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)-[0-9a-f]{8}-\d{4,}")
_decode = msgspec.msgpack.Decoder(RecordHead).decode


@dataclass(frozen=True, slots=True)
class Placed:
    """One record and where its frame lies."""

    head: RecordHead
    clear: bytes
    """The header's bytes, which are authenticated with the text."""
    at: int
    """Of the frame, from the start of the file."""
    size: int
    """Of the frame."""


@dataclass(frozen=True, slots=True)
class VaultSegment:
    """One file, read without a key."""

    path: Path
    header: bytes
    records: tuple[Placed, ...]
    damaged: int
    """Whole frames that were altered."""
    torn: int
    """1 when it ends inside a frame or in damage, else 0."""
    size: int

    @property
    def name(self) -> str:
        """File name without suffix."""
        return self.path.stem

    @property
    def key(self) -> str:
        """Name of the key that it was sealed to."""
        return bytes(SEGMENT.unpack(self.header)[3]).hex()

    @property
    def log_head(self) -> bytes:
        """Head of the read log when it was begun."""
        return bytes(SEGMENT.unpack(self.header)[4])

    def sealed(self, placed: Placed) -> bytes:
        """Return the sealed text of one record.

        Raises:
            OSError: the file is gone or cannot be read.
        """
        with self.path.open("rb") as file:
            file.seek(placed.at + FRAME.size + len(placed.clear))
            return file.read(placed.size - FRAME.size - len(placed.clear))


def segment_paths(folder: Path) -> list[Path]:
    """Return the segments of a vault, oldest first; none where there is no vault."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if _NAME.fullmatch(path.stem))


def day_of(path: Path) -> float:
    """Return the start of the day that a segment is of, seconds since 1970."""
    found = _NAME.fullmatch(path.stem)
    assert found is not None
    return float(_seconds(found[1]))


def day_name(now: float) -> str:
    """Return the day of a time, as file names spell it.

    >>> day_name(86_400.0)
    '1970-01-02'
    """
    return time.strftime("%Y-%m-%d", time.gmtime(now))


def read_segment(path: Path, *, whole: bool = False) -> VaultSegment | None:
    """Return a segment's headers; None where the file is no segment.

    Args:
        path: The file.
        whole: Read the sealed bytes as well and check that none was damaged.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = file.read(SEGMENT.size)
        if len(header) < SEGMENT.size or not header.startswith(MAGIC):
            return None
        records: list[Placed] = []
        at, damaged = SEGMENT.size, 0
        while at < size:
            frame_size, placed = _frame(file.read, at, size, whole=whole)
            if not frame_size:
                break
            if placed is not None:
                records.append(placed)
            damaged += placed is None
            at += frame_size
            file.seek(at)
    return VaultSegment(
        path=path, header=header, records=tuple(records), damaged=damaged, torn=int(at < size), size=size
    )


def read_vault(folder: Path) -> Iterator[VaultSegment]:
    """Yield every segment, oldest first; files that are gone meanwhile are passed over."""
    for path in segment_paths(folder):
        with contextlib.suppress(FileNotFoundError):
            found = read_segment(path)
            if found is not None:
                yield found


def _frame(read: Callable[[int], bytes], at: int, size: int, *, whole: bool) -> tuple[int, Placed | None]:
    """Return size and record of the frame at `at`: 0 where it does not fit, None where it was altered."""
    lead = read(FRAME.size)
    if len(lead) < FRAME.size:
        return 0, None
    head_bytes, sealed_bytes, crc = FRAME.unpack(lead)
    end = at + FRAME.size + head_bytes + sealed_bytes
    if not 0 < head_bytes <= MOST_HEAD or sealed_bytes > MOST_SEALED or end > size:
        return 0, None
    clear = read(head_bytes)
    if whole and zlib.crc32(read(sealed_bytes), zlib.crc32(clear)) != crc:
        return end - at, None
    try:
        return end - at, Placed(_decode(clear), clear, at, end - at)
    except (msgspec.MsgspecError, ValueError):
        return end - at, None


@contextlib.contextmanager
def vault_lock(folder: Path, patience: float = 30.0) -> Iterator[None]:
    """Hold the vault for one change; the system lets it go when the process ends, however it ends.

    Raises:
        StillwatchError: another process held it for longer than `patience` seconds.
        OSError: the folder cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    raise StillwatchError(f"vault {folder}: another process is changing it; try again.") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def drop_before(folder: Path, oldest: float) -> int:
    """Delete each segment whole whose day began before `oldest`, seconds since 1970; return how many went."""
    old = [path for path in segment_paths(folder) if day_of(path) < oldest]
    for path in old:
        path.unlink(missing_ok=True)
    for draft in folder.glob(f"*{SUFFIX}{DRAFT}"):  # what a stop in the middle of a purge left
        if draft.stat().st_mtime < time.time() - DAY:
            draft.unlink(missing_ok=True)
    if old:
        sync_folder(folder)
    return len(old)


def _seconds(day: str) -> int:
    return calendar.timegm(time.strptime(day, "%Y-%m-%d"))
