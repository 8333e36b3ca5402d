"""The hub's one file: SQLite in write-ahead mode, connections that threads borrow, writers one after another.

In: SQL. Out: rows. A change is on disk when `writing` ends; readers never wait for writers. Any number of threads and
processes may hold the file open. Cost: a write some milliseconds and one fsync.
Left to `objects`, `members`, `blobs` in this folder: what is kept. Open it after fork, not before.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from stillwatch.exchange.taxii.hubschema import APPLICATION_ID, MIGRATIONS
from stillwatch.terms.errors import StillwatchError

FILE_NAME: Final = "hub.sqlite"
BUSY_SECONDS: Final = 30.0


class HubFile:
    """The hub's tables.

    Raises (every method): StillwatchError, when the file is damaged, locked for too long, or may not be written.
    """

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path, self._busy = path, busy_seconds
        self._own = threading.local()
        """What a thread that is writing holds."""
        self._free: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        with self._named():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._prepare()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of one statement."""
        with self._named(), self._lent() as connection:
            return connection.execute(sql, values).fetchall()

    def many(self, sql: str, values: list[tuple[Any, ...]]) -> None:
        """Run one statement for each of the values."""
        with self._named(), self._lent() as connection:
            connection.executemany(sql, values)

    @contextmanager
    def writing(self) -> Iterator[Self]:
        """Make all changes of this thread within one whole, with no other writer in between. Not nested."""
        with self._lent() as connection:
            with self._named():
                connection.execute("BEGIN IMMEDIATE")
            self._own.held = connection
            try:
                yield self
                with self._named():
                    connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise
            finally:
                self._own.held = None

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        with self._lock:
            self._closed = True
            for connection in self._free:
                connection.close()
            self._free.clear()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for a moment: threads come and go, and as many stay open as were ever needed at once."""
        held: sqlite3.Connection | None = getattr(self._own, "held", None)
        if held is not None:
            yield held
            return
        connection = self._taken()
        try:
            yield connection
        finally:
            with self._lock:
                if self._closed:
                    connection.close()
                else:
                    self._free.append(connection)

    def _taken(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StillwatchError(f"hub file {self.path}: was closed; open it again.")
            if self._free:
                return self._free.pop()
        with self._named():
            made = sqlite3.connect(self.path, timeout=self._busy, isolation_level=None, check_same_thread=False)
            made.execute("PRAGMA synchronous = FULL")
            made.execute("PRAGMA secure_delete = ON")  # a withdrawn token set is overwritten, not only unlinked
            return made

    def _prepare(self) -> None:
        if self.rows("PRAGMA journal_mode")[0][0] != "wal":
            self.rows("PRAGMA journal_mode = WAL")
        if self._version() < len(MIGRATIONS):
            with self.writing():
                for number in range(self._version(), len(MIGRATIONS)):
                    for statement in MIGRATIONS[number]:
                        self.rows(statement)
                    self.rows(f"PRAGMA user_version = {number + 1}")
                self.rows(f"PRAGMA application_id = {APPLICATION_ID}")

    def _version(self) -> int:
        mark, version, tables = self.rows(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
            " FROM pragma_application_id, pragma_user_version"
        )[0]
        if mark != APPLICATION_ID and (mark or version or tables):
            raise StillwatchError(f"hub file {self.path}: is another program's; give another folder with --state.")
        if version > len(MIGRATIONS):
            raise StillwatchError(f"hub file {self.path}: was made by a later release; use that one, or a later one.")
        return int(version)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as problem:
            raise StillwatchError(
                f"hub file {self.path}: {problem}; see that it can be written and is whole."
            ) from None
        except OSError as problem:
            raise StillwatchError(
                f"hub file {self.path}: {problem.strerror}; give another folder with --state."
            ) from None
