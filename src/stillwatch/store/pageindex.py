"""What the console's pages show of a judgement, put in order when it is published, so that no page reads events.

In: one `Publication`. Out: campaigns by rank, members, accounts, claims, history, each found by an index. The file is
replaced within one transaction: a page sees one judgement or the next. Lines that pages show stand as JSON, as the
caller made them. Cost: a second for 100,000 accounts, in the process that judges; a page asks for 50 rows.
Left to `app`: what stands in a line. Readers and the writer may be different processes.
"""

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from stillwatch.store.controlfailure import make_private, named_failure
from stillwatch.terms.errors import StillwatchError

VERSION: Final = 1
KEPT_SECONDS: Final = 180 * 86_400.0
"""How far back history goes, seconds of event time."""
_TABLES: Final = (
    "CREATE TABLE head (only INTEGER PRIMARY KEY CHECK (only = 1), generation INTEGER, body BLOB) STRICT",
    """CREATE TABLE campaigns (id TEXT PRIMARY KEY, rank INTEGER, accused INTEGER, line BLOB, body BLOB)
       STRICT, WITHOUT ROWID""",
    "CREATE INDEX campaigns_rank ON campaigns (accused DESC, rank)",
    """CREATE TABLE members (campaign TEXT, position INTEGER, account TEXT, line BLOB, PRIMARY KEY (campaign, position))
       STRICT, WITHOUT ROWID""",
    "CREATE INDEX members_account ON members (account)",
    """CREATE TABLE accounts (name TEXT PRIMARY KEY, rank INTEGER, accused INTEGER, log_e REAL, threshold REAL,
       line BLOB, body BLOB) STRICT, WITHOUT ROWID""",
    "CREATE INDEX accounts_rank ON accounts (rank)",
    """CREATE TABLE claims (kind TEXT, subject TEXT, position INTEGER, listed INTEGER, body BLOB,
       PRIMARY KEY (kind, subject)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX claims_listed ON claims (position) WHERE listed = 1",
    """CREATE TABLE history (kind TEXT, subject TEXT, at REAL, log_e REAL, threshold REAL, accused INTEGER,
       PRIMARY KEY (kind, subject, at)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX history_at ON history (at)",
    "CREATE TABLE judgements (at REAL PRIMARY KEY, body BLOB) STRICT, WITHOUT ROWID",
    "CREATE TABLE week (account INTEGER PRIMARY KEY, requests INTEGER) STRICT",
    f"PRAGMA user_version = {VERSION}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """One judgement as pages show it."""

    generation: int
    judged_until: float
    """Event time, seconds since 1970."""
    head: bytes
    """What all pages say of the judgement, JSON."""
    judgement: bytes
    """What the list of judgements keeps of it, JSON."""
    campaigns: Iterable[tuple[str, bool, float, float, bytes, bytes]]
    """(id, accused, nats, nats needed, line, body), by rank."""
    members: Iterable[tuple[str, int, str, bytes]]
    """(campaign, position, account, line)."""
    accounts: Iterable[tuple[str, bool, float, float, bytes, bytes]]
    """(name, accused, nats, nats needed, line, body), by rank."""
    claims: Iterable[tuple[str, str, bool, bytes]]
    """(kind, subject, whether it can wait for a person by itself, body), live ones first."""
    week: Iterable[tuple[int, int]]
    """(account hash, requests of its last seven days)."""


class PageIndex:
    """The file; `publish` by the one process that judges, the questions by any."""

    def __init__(self, path: Path) -> None:
        """Open the file, made where there is none.

        Raises:
            StillwatchError: it cannot be read or written, or is damaged.
        """
        self.path = path
        self._lock = threading.RLock()
        with named_failure(path):
            make_private(path)
            self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._prepare()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def _prepare(self) -> None:
        """Make the tables; a file of another version is emptied, since the next judgement fills it anew."""
        run = self._db.execute
        run("BEGIN IMMEDIATE")
        if run("PRAGMA user_version").fetchone()[0] != VERSION:
            for kind, name in run("SELECT type, name FROM sqlite_schema WHERE type = 'table'").fetchall():
                run(f'DROP {kind} "{name}"')
            for statement in _TABLES:
                run(statement)
        run("COMMIT")

    def publish(self, new: Publication) -> None:
        """Replace what the last judgement left, and add to history what changed.

        Raises:
            StillwatchError: the disk refuses; what was there stays.
        """
        with self._lock, named_failure(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._replace(new)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _replace(self, new: Publication) -> None:
        run, many = self._db.execute, self._db.executemany
        before = {("account", r[0]): r[1:] for r in run("SELECT name, log_e, threshold, accused FROM accounts")}
        for table in ("campaigns", "members", "accounts", "claims", "week"):
            run(f"DELETE FROM {table}")
        campaigns, accounts = list(new.campaigns), list(new.accounts)
        many("INSERT OR REPLACE INTO campaigns VALUES (?, ?, ?, ?, ?)",
             [(c[0], rank, int(c[1]), c[4], c[5]) for rank, c in enumerate(campaigns)])  # fmt: skip
        many("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", new.members)
        many("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)",
             [(a[0], rank, int(a[1]), a[2], a[3], a[4], a[5]) for rank, a in enumerate(accounts)])  # fmt: skip
        claims = ((kind, name, n, int(listed), body) for n, (kind, name, listed, body) in enumerate(new.claims))
        many("INSERT OR IGNORE INTO claims VALUES (?, ?, ?, ?, ?)", claims)
        many("INSERT OR REPLACE INTO week VALUES (?, ?)", ((_signed(account), n) for account, n in new.week))
        told = [("account", a) for a in accounts] + [("campaign", c) for c in campaigns]
        many("INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, ?, ?)",
             [(kind, one[0], new.judged_until, one[2], one[3], int(one[1])) for kind, one in told
              if before.get((kind, one[0])) != (one[2], one[3], int(one[1]))])  # fmt: skip
        run("DELETE FROM history WHERE at < ?", (new.judged_until - KEPT_SECONDS,))
        run("INSERT OR REPLACE INTO judgements VALUES (?, ?)", (new.judged_until, new.judgement))
        run("DELETE FROM judgements WHERE at < ?", (new.judged_until - KEPT_SECONDS,))
        run("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (new.generation, new.head))

    # ---- what pages ask ----

    def generation(self) -> int:
        """Return the number of the judgement that is shown; -1 before the first."""
        found = self._rows("SELECT generation FROM head")
        return int(found[0][0]) if found else -1

    def head(self) -> bytes | None:
        """Return what all pages say of the judgement."""
        return self._one("SELECT body FROM head")

    def judgements(self, limit: int = 60) -> list[bytes]:
        """Return the last judgements, newest first."""
        return [row[0] for row in self._rows("SELECT body FROM judgements ORDER BY at DESC LIMIT ?", limit)]

    def count(self, table: str, where: str = "1") -> int:
        """Return how many campaigns, members or accounts there are.

        Args:
            table: `campaigns` or `accounts`.
            where: `1`, or `accused`.
        """
        if table not in ("campaigns", "accounts") or where not in ("1", "accused"):
            raise StillwatchError(f"page index: no count of {table} by {where}.")
        return int(self._rows(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])

    def campaign_lines(self, *, start: int, limit: int, accused: bool | None = None) -> list[bytes]:
        """Return lines of campaigns by rank, accused ones first."""
        where = "" if accused is None else f"WHERE accused = {int(accused)}"
        return [r[0] for r in self._rows(f"SELECT line FROM campaigns {where} ORDER BY accused DESC, rank LIMIT ?"
                                         " OFFSET ?", limit, start)]  # fmt: skip

    def campaign(self, name: str) -> tuple[bytes, bytes] | None:
        """Return line and body of one campaign."""
        found = self._rows("SELECT line, body FROM campaigns WHERE id = ?", name)
        return (found[0][0], found[0][1]) if found else None

    def members(self, campaign: str, *, start: int, limit: int) -> list[tuple[str, bytes]]:
        """Return members of a campaign from position `start` on, strongest first."""
        return [(r[0], r[1]) for r in self._rows(
            "SELECT account, line FROM members WHERE campaign = ? AND position >= ? ORDER BY position LIMIT ?",
            campaign, start, limit)]  # fmt: skip

    def account_lines(self, *, start: int, limit: int) -> list[bytes]:
        """Return lines of accounts by rank, accused ones first."""
        return [r[0] for r in self._rows("SELECT line FROM accounts WHERE rank >= ? ORDER BY rank LIMIT ?", start,
                                         limit)]  # fmt: skip

    def accounts_named(self, starts: str, limit: int) -> list[bytes]:
        """Return lines of judged accounts whose name starts so, in order of names."""
        end = starts + "\U0010ffff"
        return [r[0] for r in self._rows("SELECT line FROM accounts WHERE name >= ? AND name < ? ORDER BY name LIMIT ?",
                                         starts, end, limit)]  # fmt: skip

    def account(self, name: str) -> tuple[bytes, bytes] | None:
        """Return line and body of one account."""
        found = self._rows("SELECT line, body FROM accounts WHERE name = ?", name)
        return (found[0][0], found[0][1]) if found else None

    def claims(self) -> list[bytes]:
        """Return the claims that can wait for a person: campaigns, and accounts accused alone."""
        return [r[0] for r in self._rows("SELECT body FROM claims WHERE listed = 1 ORDER BY position")]

    def claims_on(self, subject: str) -> list[bytes]:
        """Return the claims about one account or campaign."""
        return [r[0] for r in self._rows("SELECT body FROM claims WHERE kind IN ('account', 'campaign')"
                                         " AND subject = ? ORDER BY position", subject)]  # fmt: skip

    def history(self, kind: str, subject: str, limit: int = 400) -> list[tuple[float, float, float, bool]]:
        """Return (event time, nats, nats needed, accused) of one account or campaign, oldest first."""
        rows = self._rows("SELECT at, log_e, threshold, accused FROM history WHERE kind = ? AND subject = ?"
                          " ORDER BY at DESC LIMIT ?", kind, subject, limit)  # fmt: skip
        return [(at, log_e, threshold, bool(accused)) for at, log_e, threshold, accused in reversed(rows)]

    def week(self, accounts: Sequence[int]) -> dict[int, int]:
        """Return the requests of the last seven days of these accounts, by hash."""
        found: dict[int, int] = {}
        for begin in range(0, len(accounts), 500):
            some = {_signed(account): account for account in accounts[begin : begin + 500]}
            marks = ", ".join("?" * len(some))
            rows = self._rows(f"SELECT account, requests FROM week WHERE account IN ({marks})", *some)
            found.update((some[account], requests) for account, requests in rows)
        return found

    def _one(self, sql: str, *values: Any) -> bytes | None:
        found = self._rows(sql, *values)
        return found[0][0] if found else None

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._lock, named_failure(self.path):
            return self._db.execute(sql, values).fetchall()


def _signed(number: int) -> int:
    """Return a 64-bit hash as SQLite holds it."""
    return number - (1 << 64) if number >= 1 << 63 else number
