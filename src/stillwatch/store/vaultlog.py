"""The vault's read log: who read what, when and why, in a chain of digests that can only be added to.

In: an entry. Out: one line on disk before the caller goes on: SHA-256 of the line before and of this entry, then the
entry as JSON. Checking follows the chain and looks up the heads that the vault's segments carry, so that a log that
was cut or written anew is told as long as a segment is left that was begun later. No text is in it.
Left to `app.vault`: what is entered. Left to the ledger: witnesses outside this machine.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.terms.errors import StillwatchError

LOG_NAME: Final = "reads.log"
GENESIS: Final = bytes(32)
"""Head of a log without entries."""
_DIGITS: Final = 64


class ReadEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that somebody did with the vault."""

    n: int = 0
    """From 1."""
    at: float
    """Seconds since 1970."""
    kind: str
    """`read` before text is shown, `ended` after, `purge` before something is deleted."""
    by: str
    reason: str
    uid: int = 0
    """User id of the process."""
    account: str = ""
    request: str = ""
    """Keyed digest of a request's id, where one was asked for."""
    since: float | None = None
    until: float | None = None
    key: str = ""
    """Name of the key that was given."""
    count: int = 0
    """Records to be shown or deleted; in `ended`, records shown."""
    ids: tuple[str, ...] = ()
    """Keyed digests of their requests' ids."""
    outcome: str = ""
    """In `ended`: `complete`, or what stopped it."""
    of: int = 0
    """In `ended`: number of the entry that it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedLog:
    """What a check of the log came to."""

    entries: tuple[ReadEntry, ...]
    head: str
    """Digest of the last entry, 64 hex digits: note it elsewhere, and a later check can be held to it."""
    problems: tuple[str, ...]
    """What is wrong; empty when the log is whole."""


class ReadLog:
    """The log in one folder; any number of processes may add to it."""

    def __init__(self, folder: Path) -> None:
        """Take the vault's folder; nothing is made before the first entry."""
        self.path = folder / LOG_NAME

    def add(self, entry: ReadEntry) -> ReadEntry:
        """Put an entry on disk and return it with its number.

        Raises:
            StillwatchError: the disk refuses, or what stands in the log is damaged: then nothing may be read.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                content = self.path.read_bytes()
                entries, head, problems = _follow(content)
                if problems:
                    raise StillwatchError(
                        f"read log {self.path}: {problems[0]}; nothing is read before it is looked into: "
                        "`stillwatch vault log --verify`."
                    )
                entry = msgspec.structs.replace(entry, n=len(entries) + 1)
                said = msgspec.json.encode(entry)
                lead = b"" if not content or content.endswith(b"\n") else b"\n"  # a line that a crash cut short
                line = lead + _digest(head, said).hex().encode() + b" " + said + b"\n"
                if os.write(descriptor, line) != len(line):
                    raise OSError(28, "No space left on device")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as problem:
            raise StillwatchError(f"read log {self.path}: {problem.strerror}; nothing is read without it.") from None
        return entry

    def head(self) -> bytes:
        """Return the digest of the last whole entry; `GENESIS` where there is none or it cannot be read."""
        try:
            return _follow(self.path.read_bytes())[1]
        except OSError:
            return GENESIS

    def check(self, heads: Iterable[tuple[str, bytes]] = (), noted: str = "") -> CheckedLog:
        """Follow the whole chain.

        Args:
            heads: Name of a segment and the head that it carries: each must be in the chain.
            noted: A head that somebody noted elsewhere, 64 hex digits; empty for none.

        Raises:
            StillwatchError: the log is there and cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as problem:
            raise StillwatchError(f"read log {self.path}: {problem.strerror}; make it readable.") from None
        entries, head, problems = _follow(content)
        # Of a chain that holds, only what entries come to: digests before a torn entry may be put in by anybody.
        known = {GENESIS, *(digest for digest, said in _lines(content) if problems or _read(said) is not None)}
        for name, carried in heads:
            if carried not in known:
                problems.append(f"segment {name} was begun after an entry that is gone")
        if noted and noted.lower() not in {digest.hex() for digest in known}:
            problems.append("the head that was noted is not in it")
        return CheckedLog(entries=tuple(entries), head=head.hex(), problems=tuple(problems))


def _lines(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return digest and entry of each line that looks whole; only its line feed may be missing."""
    found = []
    for line in content.split(b"\n"):
        digits, _, said = line.partition(b" ")
        try:
            digest = bytes.fromhex(digits.decode("ascii"))
        except (UnicodeDecodeError, ValueError):
            continue
        if len(digits) == _DIGITS and said:
            found.append((digest, said))
    return found


def _follow(content: bytes) -> tuple[list[ReadEntry], bytes, list[str]]:
    """Return the entries, the head, and what is wrong. A line cut short is passed over: it was never acted on."""
    entries: list[ReadEntry] = []
    head, problems = GENESIS, []
    for digest, said in _lines(content):
        entry = _read(said)
        if entry is None:
            continue
        if digest != _digest(head, said) or entry.n != len(entries) + 1:
            problems.append(f"entry {len(entries) + 1} was altered, or one before it is gone")
            break
        entries.append(entry)
        head = digest
    return entries, head, problems


def _read(said: bytes) -> ReadEntry | None:
    try:
        return msgspec.json.decode(said, type=ReadEntry)
    except (msgspec.MsgspecError, ValueError):
        return None


def _digest(head: bytes, said: bytes) -> bytes:
    return hashlib.sha256(head + said).digest()
