"""Copies of SQLite files that others go on writing, and whether anybody has one open.

In: a path. Out: a whole copy in one consistent state, checked, readable by its owner only. What a table means is left
to whoever keeps it. Cost: a read of the whole file.
Source: SQLite's online backup, https://sqlite.org/backup.html; locking in write-ahead mode, https://sqlite.org/wal.html.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from stillwatch.store.controlfailure import make_private
from stillwatch.terms.errors import StillwatchError

_BUSY_SECONDS = 10.0


def copy_database(source: Path, target: Path) -> None:
    """Write a consistent, checked copy to a new file while others go on writing.

    Raises:
        StillwatchError: `source` is no whole database, or is locked for too long.
        OSError: the disk refuses.
    """
    make_private(target)
    try:
        with _opened(source) as held, _opened(target) as copy:
            held.backup(copy, pages=256, sleep=0.01)
            found = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(1)")]
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as problem:
        raise StillwatchError(f"file {source}: {problem}; it must be a whole database that can be read.") from None
    if found != ["ok"]:
        raise StillwatchError(f"file {source}: it is damaged ({found[0]}); restore it from a backup.")


def is_open_elsewhere(path: Path) -> bool:
    """Return whether a database in write-ahead mode is open in another process, or by another connection of this one.

    Only the last connection may leave that mode, and does so for the moment. A file that is no whole database is
    open to nobody.
    """
    try:
        with _opened(path, busy_seconds=0.0) as held:
            if held.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                held.execute("PRAGMA journal_mode = DELETE")
                held.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as problem:
        return getattr(problem, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return False


def count_rows(path: Path, table: str) -> int:
    """Return how many rows a table of a copy has."""
    with _opened(path) as held:
        return int(held.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])


def _opened(path: Path, *, busy_seconds: float = _BUSY_SECONDS) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(path, timeout=busy_seconds, isolation_level=None))
