"""Served contexts on disk: a log of what is new, folded into one sorted file for each epoch and account.

In: (epoch, tag of an account, digests). Out: `ServedContexts`. What was added is on disk when the call returns; a stop
at any moment loses nothing and may repeat, which sets do not mind. Bounded for each account and in all.
Cost: one fsync a group; a fold reads and writes the files of the accounts in the log.
Left to `treatments.marks.served`: what a context is. Left to `app.servedindex`: whose.
"""

import contextlib
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.prf import U64
from stillwatch.treatments.marks.served import WHOLE, ServedContexts

TAG_BYTES: Final = 16
FOLD_BYTES: Final = 8_388_608
SUFFIX: Final = ".ctx"
_LOG, _LOCK = "new.log", "index.lock"
_PART: Final = struct.Struct("<II16sI")
"""CRC-32 of the rest, epoch, tag, contexts."""
_PACKED: Final = struct.Struct("<I16sQQ")
_HEAD: Final = struct.Struct("<8sQQI")
_MAGIC: Final = b"SWCTX\x00\x01\n"


@dataclass(frozen=True, slots=True)
class ServedPart:
    """Contexts that one account was served under one epoch's keys."""

    epoch: int
    tag: bytes
    """What stands for the account in that epoch, 16 bytes."""
    digests: U64 = field(repr=False)


class ServedIndex:
    """The index in one folder; one process adds, any number read."""

    def __init__(self, folder: Path, *, most: int = 1_000_000, max_bytes: int = 1 << 33) -> None:
        """Take the folder, the most contexts of one account and epoch, and the most bytes in all; makes nothing."""
        self._folder, self._most, self._max_bytes = folder, most, max_bytes
        self._held: int | None = None
        self._looked = False

    def add(self, parts: Sequence[ServedPart]) -> int:
        """Keep what was served; return how many parts were left out because the index is full.

        Raises:
            OSError, StillwatchError: the disk refuses, or another process holds the index.
        """
        frames = [_frame(part) for part in parts if len(part.digests)]
        if not frames:
            return 0
        with self._locked():
            if self._held is None:
                self._held = sum(path.stat().st_size for path in self._folder.glob(f"*/*{SUFFIX}"))
            if self._held >= self._max_bytes:
                return len(frames)
            size = self._append(b"".join(frames))
            if size >= FOLD_BYTES:
                self._fold()
        return 0

    def fold(self) -> None:
        """Fold the log into the files, so that reading is quick.

        Raises:
            OSError, StillwatchError: the disk refuses, or another process holds the index.
        """
        with self._locked():
            self._fold()

    def load(self, epoch: int, tag: bytes) -> ServedContexts:
        """Return what one account was served under one epoch's keys.

        Raises:
            OSError: a file cannot be read.
            StillwatchError: a file is damaged.
        """
        new = [part.digests for part in self._parts() if (part.epoch, part.tag) == (epoch, tag)]  # before the file
        found = self._read(epoch, tag)
        return found.merged(np.concatenate(new), self._most) if new else found

    def forget(self, epoch: int, tag: bytes) -> None:
        """Drop what one account was served under one epoch's keys.

        Raises:
            OSError, StillwatchError: the disk refuses, or another process holds the index.
        """
        with self._locked():
            left = b"".join(_frame(part) for part in self._parts() if (part.epoch, part.tag) != (epoch, tag))
            if (self._folder / _LOG).exists():
                _replace(self._folder / _LOG, left)
            self._path(epoch, tag).unlink(missing_ok=True)
            self._held = None

    def pack(self, target: Path) -> int:
        """Write the whole index into one new file; return how many accounts and epochs it holds.

        Raises:
            OSError, StillwatchError: the disk refuses, or a file is damaged.
        """
        with self._locked(), target.open("xb") as file:
            self._fold()
            paths = sorted(self._folder.glob(f"*/*{SUFFIX}"))
            for path in paths:
                epoch, tag = int(path.parent.name), bytes.fromhex(path.stem)
                served = self._read(epoch, tag)
                below = 0 if served.below >= WHOLE else served.below
                file.write(_PACKED.pack(epoch, tag, below, len(served)) + served.digests.astype("<u8").tobytes())
        return len(paths)

    def unpack(self, source: Path) -> None:
        """Put back what `pack` wrote, beside what is here.

        Raises:
            OSError, StillwatchError: the disk refuses, or the file ends too soon.
        """
        with self._locked(), source.open("rb") as file:
            while lead := file.read(_PACKED.size):
                epoch, tag, below, count = _PACKED.unpack(lead.ljust(_PACKED.size, b"\0"))
                body = file.read(8 * count)
                if len(lead) != _PACKED.size or len(body) != 8 * count:
                    raise StillwatchError(f"served contexts {source}: end too soon; take another backup.")
                digests = np.frombuffer(body, "<u8").astype(np.uint64)
                self._write(epoch, tag, self._read(epoch, tag).merged(digests, self._most, below or WHOLE))

    def _append(self, content: bytes) -> int:
        """Append to the log, whole or not at all; return its size."""
        descriptor = os.open(self._folder / _LOG, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            start = os.fstat(descriptor).st_size
            if not self._looked:
                start = _whole_size(self._folder / _LOG)
                os.ftruncate(descriptor, start)  # what a stop in the middle of a write left
                self._looked = True
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, start)
                raise
            return start + len(content)
        finally:
            os.close(descriptor)

    def _fold(self) -> None:
        new: dict[tuple[int, bytes], list[U64]] = {}
        for part in self._parts():
            new.setdefault((part.epoch, part.tag), []).append(part.digests)
        for (epoch, tag), digests in new.items():
            try:
                before = self._read(epoch, tag)
            except StillwatchError:
                before = ServedContexts.none()  # a damaged file is of no use; what is known again counts
            self._write(epoch, tag, before.merged(np.concatenate(digests), self._most))
        if new:
            _replace(self._folder / _LOG, b"")
        self._held = None

    def _parts(self) -> Iterator[ServedPart]:
        with contextlib.suppress(FileNotFoundError):
            yield from (part for part, _ in _read_parts((self._folder / _LOG).read_bytes()))

    def _path(self, epoch: int, tag: bytes) -> Path:
        return self._folder / str(epoch) / f"{tag.hex()}{SUFFIX}"

    def _read(self, epoch: int, tag: bytes) -> ServedContexts:
        path = self._path(epoch, tag)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return ServedContexts.none()
        body = content[_HEAD.size :]
        magic, below, count, crc = _HEAD.unpack(content[: _HEAD.size].ljust(_HEAD.size, b"\0"))
        if magic != _MAGIC or len(body) != 8 * count or zlib.crc32(body) != crc:
            raise StillwatchError(f"served contexts {path}: damaged; put the file back from a backup, or delete it.")
        return ServedContexts(np.frombuffer(body, "<u8").astype(np.uint64), below or WHOLE)

    def _write(self, epoch: int, tag: bytes, served: ServedContexts) -> None:
        body = served.digests.astype("<u8", copy=False).tobytes()
        below = 0 if served.below >= WHOLE else served.below
        path = self._path(epoch, tag)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _replace(path, _HEAD.pack(_MAGIC, below, len(served), zlib.crc32(body)) + body)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _frame(part: ServedPart) -> bytes:
    body = np.ascontiguousarray(part.digests).astype("<u8", copy=False).tobytes()
    rest = _PART.pack(0, part.epoch, part.tag, len(part.digests))[4:] + body
    return struct.pack("<I", zlib.crc32(rest)) + rest


def _read_parts(content: bytes) -> Iterator[tuple[ServedPart, int]]:
    """Yield each whole part and where it ends; stops at damage."""
    at = 0
    while at + _PART.size <= len(content):
        crc, epoch, tag, count = _PART.unpack_from(content, at)
        end = at + _PART.size + 8 * count
        if end > len(content) or zlib.crc32(content[at + 4 : end]) != crc:
            return
        digests = np.frombuffer(content, "<u8", count, at + _PART.size).astype(np.uint64)
        yield ServedPart(epoch, tag, digests), end
        at = end


def _whole_size(path: Path) -> int:
    """Return how far a log is whole."""
    return max((end for _, end in _read_parts(path.read_bytes())), default=0)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
