"""The audit trail: a chain of SHA-256 digests over every change of the control records.

In: rows that triggers wrote within a change. Out: the same, sealed: who, by which door, and a digest over the row and
the one before, so that a row that was altered, taken out or put in between breaks the chain. The chain shows tampering
by whoever does not make all of it anew; against the file's owner its head has to be told to others (`head`).
Cost: 30 microseconds a row.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from stillwatch.terms.person import Actor, TrailEntry

Run = Callable[[str, tuple[Any, ...]], list[Any]]
START: Final = "0" * 64
OUTSIDE: Final = Actor("unknown", "outside")
"""Whoever changed the file past every door: triggers wrote the row, and no release of ours sealed it."""
_COLUMNS: Final = "number, at, by, how, what, subject, detail, before, digest"


def digest_of(entry: TrailEntry) -> str:
    """Return what seals an entry: SHA-256 over everything but the digest itself, 64 hex digits."""
    said = [entry.number, repr(entry.at), entry.by, entry.how, entry.what, entry.subject, entry.detail, entry.before]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def seal(run: Run, who: Callable[[], Actor]) -> None:
    """Seal what triggers wrote and nobody sealed yet; called within the change itself."""
    fresh = run(f"SELECT {_COLUMNS} FROM trail WHERE digest = '' ORDER BY number", ())
    if not fresh:
        return
    by = who()
    before = head(run)[1]
    for row in fresh:
        number, at, _, _, what, subject, detail, _, _ = row
        entry = TrailEntry(number=number, at=at, by=by.by, how=by.how, what=what, subject=subject, detail=detail,
                           before=before, digest="")  # fmt: skip
        before = digest_of(entry)
        run("UPDATE trail SET by = ?, how = ?, before = ?, digest = ? WHERE number = ?",
            (by.by, by.how, entry.before, before, number))  # fmt: skip


def head(run: Run) -> tuple[int, str]:
    """Return number and digest of the newest sealed entry; 0 and zeros where there is none."""
    found = run("SELECT number, digest FROM trail WHERE digest <> '' ORDER BY number DESC LIMIT 1", ())
    return (int(found[0][0]), str(found[0][1])) if found else (0, START)


def entries(run: Run, *, before: int | None = None, after: int = 0, limit: int = 50) -> tuple[TrailEntry, ...]:
    """Return entries newest first, those numbered below `before` and above `after`."""
    top = 2**62 if before is None else before
    rows = run(f"SELECT {_COLUMNS} FROM trail WHERE number < ? AND number > ? AND digest <> ''"
               " ORDER BY number DESC LIMIT ?", (top, after, limit))  # fmt: skip
    return tuple(_entry(row) for row in rows)


def broken(run: Run) -> int | None:
    """Return the number of the first entry that does not follow from the one before; None where all do."""
    before, expected = START, 1
    for row in run(f"SELECT {_COLUMNS} FROM trail ORDER BY number", ()):
        entry = _entry(row)
        if entry.number != expected or entry.before != before or entry.digest != digest_of(entry):
            return entry.number
        before, expected = entry.digest, expected + 1
    return None


def _entry(row: Any) -> TrailEntry:
    number, at, by, how, what, subject, detail, before, digest = row
    return TrailEntry(number=number, at=at, by=by, how=how, what=what, subject=subject, detail=detail, before=before,
                      digest=digest)  # fmt: skip
