"""Which account carries which tokens, in one SQLite file of the state folder; no value in the clear is ever in it.

In: holdings, and for each value that was made a token a keyed mark of it, so that it is not asked for twice. Out:
what `terms.coalition.TokenIndex` states, and the token of a value that is known. Everything of an epoch goes when the
epoch is old. Cost: about 10 microseconds a holding, 100 bytes on disk. Left to `app.tokenkeeper`: marks and values.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from stillwatch.policy.publish import publishable_tokens
from stillwatch.terms.change import one_change
from stillwatch.terms.coalition import Holding
from stillwatch.terms.errors import StillwatchError

FILE_NAME: Final = "tokens.sqlite"
"""Its name in the state folder."""
MARK_BYTES: Final = 16
_AT_ONCE: Final = 500
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS holdings (
    epoch TEXT NOT NULL, kind TEXT NOT NULL, token BLOB NOT NULL, account TEXT NOT NULL, of BLOB NOT NULL,
    seen REAL NOT NULL, PRIMARY KEY (epoch, kind, token, account, of)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holdings_account ON holdings (account);
CREATE TABLE IF NOT EXISTS known (
    epoch TEXT NOT NULL, mark BLOB NOT NULL, token BLOB NOT NULL, PRIMARY KEY (epoch, mark)) STRICT, WITHOUT ROWID;
"""


class SqliteTokens:
    """`terms.coalition.TokenIndex` on one file; any number of threads and processes may hold it open.

    Raises (every method): StillwatchError, when the file cannot be read or written, or is damaged.
    """

    def __init__(self, path: Path | str) -> None:
        """Open or make the file, readable by its owner only; `:memory:` keeps it in memory."""
        self._path, self._lock = path, threading.RLock()
        with self._named():
            if isinstance(path, Path):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
            self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.executescript(_TABLES)

    def add(self, epoch: str, holdings: Iterable[Holding]) -> None:
        """Put holdings in; one that is there is seen anew."""
        rows = [(epoch, one.kind, one.token, one.account, one.group, one.seen) for one in holdings]
        with self._changing() as db:
            db.executemany(
                "INSERT INTO holdings VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET seen = max(seen, excluded.seen)",
                rows,
            )

    def know(self, epoch: str, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Note the tokens of values, by their marks."""
        with self._changing() as db:
            db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", [(epoch, *pair) for pair in pairs])

    def known(self, epoch: str, marks: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the tokens of those of these values that are known, by mark."""
        sql = "SELECT mark, token FROM known WHERE epoch = ? AND mark IN"
        return dict(self._listed(sql, (epoch,), list(dict.fromkeys(marks))))

    def holdings(self, kind: str, epoch: str, tokens: Sequence[bytes]) -> tuple[Holding, ...]:
        """Return every account that carries one of these tokens."""
        sql = "SELECT account, kind, token, of, seen FROM holdings WHERE epoch = ? AND kind = ? AND token IN"
        return tuple(_holding(row) for row in self._listed(sql, (epoch, kind), list(dict.fromkeys(tokens))))

    def held_by(self, accounts: Sequence[str]) -> dict[str, tuple[Holding, ...]]:
        """Return what accounts carry, by epoch."""
        found: dict[str, list[Holding]] = {}
        for row in self._listed(
            "SELECT account, kind, token, of, seen, epoch FROM holdings WHERE account IN", (), accounts
        ):
            found.setdefault(row[5], []).append(_holding(row))
        return {epoch: tuple(held) for epoch, held in found.items()}

    def every(self, epoch: str) -> tuple[Holding, ...]:
        """Return every holding of an epoch."""
        sql = "SELECT account, kind, token, of, seen FROM holdings WHERE epoch = ?"
        return tuple(_holding(row) for row in self._rows(sql, (epoch,)))

    def epochs(self) -> tuple[str, ...]:
        """Return the names of the epochs that anything is held of, in order."""
        return tuple(row[0] for row in self._rows("SELECT DISTINCT epoch FROM holdings ORDER BY epoch"))

    def accounts(self, epoch: str) -> int:
        """Return how many accounts carry any token of an epoch."""
        return int(self._rows("SELECT count(DISTINCT account) FROM holdings WHERE epoch = ?", (epoch,))[0][0])

    def publishable(self, accounts: Sequence[str], epoch: str) -> Mapping[str, bytes]:
        """Return what may be published of a campaign, as `policy.publish` says."""
        return publishable_tokens(self.every(epoch), accounts)

    def forget(self, account: str) -> int:
        """Drop what an account carries, in every epoch; return how many holdings went."""
        with self._changing() as db:
            return db.execute("DELETE FROM holdings WHERE account = ?", (account,)).rowcount

    def keep_only(self, epochs: Sequence[str]) -> None:
        """Drop everything of other epochs."""
        marks = ", ".join("?" * len(epochs))
        with self._changing() as db:
            for table in ("holdings", "known"):
                db.execute(f"DELETE FROM {table} WHERE epoch NOT IN ({marks})", tuple(epochs))

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._named(), one_change(self._db):
            yield self._db

    def _listed(self, sql: str, first: tuple[str, ...], values: Sequence[Any]) -> list[Any]:
        found: list[Any] = []
        for at in range(0, len(values), _AT_ONCE):
            part = values[at : at + _AT_ONCE]
            found += self._rows(f"{sql} ({', '.join('?' * len(part))})", (*first, *part))
        return found

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock, self._named():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as problem:
            raise StillwatchError(
                f"token index {self._path}: {problem}; look at the disk, or delete the file: it is made again from "
                "traffic and from the accounts file."
            ) from None


def _holding(row: Any) -> Holding:
    return Holding(account=row[0], kind=row[1], token=row[2], group=row[3], seen=row[4])
