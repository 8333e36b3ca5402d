"""The ledger's log: entries that can only be added, each on disk whole or not there at all.

In: a kind and a payload. Out: an index. An entry shows its kind, when its writer says it was made, how many secrets it
commits to, and a salted digest of its payload; the *opening* (salt and payload) lies in a file beside it, so that an
entry can be shown without saying what it is about, and forgotten for a person without breaking the log.
One process writes at a time. A line that a stop cut short was never acknowledged and is cut off by the next writer.
Cost: two flushes to disk and one pass over the log an entry. Left to `ledger`: signing.
Source: RFC 6962 section 3 (the leaf is the entry's bytes).
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stillwatch.ledger.merkle import leaf_hash
from stillwatch.terms.canon import canonical, read_canonical, sha256
from stillwatch.terms.errors import StillwatchError

ENTRIES: Final = "entries.log"
OPENINGS: Final = "openings.log"
LOCK: Final = "ledger.lock"
_TAG: Final = 16
"""Hex digits of each line's own digest, by which a torn line is told from an altered one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the log shows; its canonical JSON is the leaf."""

    at: str
    """The writer's clock, ISO 8601 UTC. Only a timestamp of a checkpoint says more."""
    body: str
    """SHA-256 of the canonical JSON of the opening."""
    count: int = 0
    """Secrets that it commits to."""
    kind: str
    v: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What opens an entry."""

    nonce: str
    """32 random bytes in hex, so that no payload can be guessed from its digest."""
    payload: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """What the entry has as `body`."""
        return sha256(canonical(self))


def iso(moment: float) -> str:
    """Return a moment as entries and protocols write it, whole seconds.

    >>> iso(0.9)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class LogFile:
    """The log in one folder."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        """Take the folder; nothing is read yet.

        Args:
            folder: Where `entries.log` and `openings.log` lie.
            clock: Seconds since 1970.
        """
        self.folder, self._clock = folder, clock

    def add(self, kind: str, payload: Mapping[str, Any], count: int = 0) -> int:
        """Log one thing and return its index.

        Raises:
            StillwatchError: the disk refuses, or what stands in the log was altered.
        """
        return self.add_each(lambda: [(kind, payload, count)])[0]

    def add_each(self, what: Callable[[], Iterable[tuple[str, Mapping[str, Any], int]]]) -> list[int]:
        """Log what is decided while no other writer is at the log; return the index of each.

        Args:
            what: Returns kind, payload and count of each; it may read the log, and must not write it.

        Raises:
            StillwatchError: the disk refuses, or what stands in the log was altered.
        """
        try:
            with self.alone():
                at = len(self._mended(ENTRIES))
                self._mended(OPENINGS)
                added = 0
                for kind, payload, count in what():
                    opening = Opening(nonce=secrets.token_hex(32), payload=payload)
                    entry = Entry(at=iso(self._clock()), kind=kind, count=count, body=opening.digest)
                    self._write(OPENINGS, canonical(opening))  # first: an entry without its opening says nothing
                    self._write(ENTRIES, canonical(entry))
                    added += 1
        except OSError as problem:
            raise StillwatchError(
                f"ledger {self.folder}: {problem.strerror}; what could not be written was not logged."
            ) from None
        return list(range(at, at + added))

    def leaves(self) -> list[bytes]:
        """Return the entries' bytes in their order; what a stop cut short is not among them.

        Raises:
            StillwatchError: the log cannot be read, or was altered.
        """
        try:
            return _lines(self._content(ENTRIES), self.folder / ENTRIES)[0]
        except OSError as problem:
            raise StillwatchError(f"ledger {self.folder}: {problem.strerror}; make it readable.") from None

    def entries(self) -> list[Entry]:
        """Return the entries in their order."""
        return [read_entry(leaf) for leaf in self.leaves()]

    def openings(self) -> dict[str, Opening]:
        """Return every opening that is kept, by digest."""
        try:
            raw = _lines(self._content(OPENINGS), self.folder / OPENINGS)[0]
        except OSError as problem:
            raise StillwatchError(f"ledger {self.folder}: {problem.strerror}; make it readable.") from None
        return {sha256(line): read_opening(line) for line in raw}

    def forget(self, digest: str) -> bool:
        """Drop one opening for good and return whether it was there; the entry stays and says nothing any more."""
        with self.alone():
            lines = self._mended(OPENINGS)
            kept = [line for line in lines if sha256(line) != digest]
            if len(kept) == len(lines):
                return False
            draft = self.folder / f".{OPENINGS}.{secrets.token_hex(4)}"
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(b"".join(map(_line, kept)))
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self.folder / OPENINGS)
            _flush_folder(self.folder)
        return True

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the log against every other writer; the system lets go when the process dies."""
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _content(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return b""

    def _mended(self, name: str) -> list[bytes]:
        """Return the whole lines of a file, and cut off what follows them; call it while holding the lock."""
        content = self._content(name)
        lines, end = _lines(content, self.folder / name)
        if end < len(content):
            os.truncate(self.folder / name, end)
        return lines

    def _write(self, name: str, said: bytes) -> None:
        path = self.folder / name
        new = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            line, before = _line(said), os.fstat(descriptor).st_size
            if os.write(descriptor, line) != len(line):
                os.ftruncate(descriptor, before)
                raise OSError(28, "No space left on device")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            _flush_folder(self.folder)


def read_entry(leaf: bytes) -> Entry:
    """Return the entry that a leaf is.

    Raises:
        StillwatchError: it is none.
    """
    return read_canonical(leaf, Entry, "entry of the ledger")


def read_opening(raw: bytes) -> Opening:
    """Return the opening that `raw` is.

    Raises:
        StillwatchError: it is none.
    """
    return read_canonical(raw, Opening, "opening of an entry")


def hashes(leaves: list[bytes]) -> list[bytes]:
    """Return what the Merkle tree is built over."""
    return [leaf_hash(leaf) for leaf in leaves]


def _line(said: bytes) -> bytes:
    return sha256(said)[:_TAG].encode() + b" " + said + b"\n"


def _lines(content: bytes, path: Path) -> tuple[list[bytes], int]:
    """Return the whole lines and where they end; a last line without its line feed is not one."""
    end = content.rfind(b"\n") + 1
    found = []
    for at, line in enumerate(content[:end].split(b"\n")[:-1]):
        tag, _, said = line.partition(b" ")
        if tag != sha256(said)[:_TAG].encode():
            raise StillwatchError(
                f"{path}: line {at + 1} was altered; the ledger is not added to before that is looked into: "
                "`stillwatch ledger verify`, and compare with a checkpoint that somebody else has."
            )
        found.append(said)
    return found, end


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
