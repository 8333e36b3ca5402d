"""What can ail the control file, in words that say what to do; and the file made for its owner only.

In: what SQLite or the system raises. Out: `StillwatchError`; never a record's content.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stillwatch.terms.errors import StillwatchError

DAMAGED: Final = "it is damaged; put a backup back with `stillwatch restore`"
_WHAT_TO_DO: Final = {
    sqlite3.SQLITE_BUSY: "another process has been writing for too long; look for a command that hangs, then try again",
    sqlite3.SQLITE_FULL: "the disk is full and nothing was changed; make room, then try again",
    sqlite3.SQLITE_IOERR: "the disk does not read or write; nothing was changed",
    sqlite3.SQLITE_READONLY: "it may not be written; run this as the user who owns the state folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; give a folder you may write with --state",
    sqlite3.SQLITE_PERM: "it may not be opened; run this as the user who owns the state folder",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: "it is damaged, or no control file; put a backup back with `stillwatch restore`",
}


@contextmanager
def named_failure(path: Path) -> Iterator[None]:
    """Turn what SQLite or the system says into what to do about it; never a record's content."""
    try:
        yield
    except sqlite3.IntegrityError as problem:
        raise StillwatchError(f"control file {path}: {problem}; nothing was changed.") from None
    except sqlite3.Error as problem:
        code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
        advice = _WHAT_TO_DO.get(code, f"SQLite says: {problem}")
        raise StillwatchError(f"control file {path}: {advice}.") from None
    except OSError as problem:
        advice = "give a folder you may write with --state"
        raise StillwatchError(f"control file {path}: {problem.strerror}; {advice}.") from None


def make_private(path: Path) -> None:
    """Make the file for its owner only before SQLite does; the files beside it get the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
