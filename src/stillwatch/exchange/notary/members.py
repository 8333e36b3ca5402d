"""Who may ask a notary, and how much a day: durable, so that a restart gives nobody a second day.

In: API keys, counts of elements, the clock. Out: whether a batch may be evaluated. A batch is paid for before it is
evaluated, on disk; one that then fails is not paid back. A key is kept as its SHA-256: it has 256 bits of chance.
Cost: about a millisecond and one fsync a batch. Source: SQLite in write-ahead mode.
"""

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stillwatch.terms.errors import StillwatchError

DAY: Final = 86_400.0
DEFAULT_BUDGET: Final = 200_000
"""Elements a member may have evaluated in a day: 40,000 accounts, and 59 years for every IPv4 address."""
MOST_BUDGET: Final = 10_000_000
KEY_HEAD: Final = "nk_"
_KEPT_DAYS: Final = 60
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS members (
    name TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, budget INTEGER NOT NULL CHECK (budget > 0),
    created REAL NOT NULL, revoked REAL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (
    name TEXT NOT NULL, day INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (name, day)) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One organisation that may ask."""

    name: str
    budget: int
    """Elements a day, UTC."""
    created: float
    revoked: float | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of asking for a batch."""

    left: int
    """Elements left today, after it where it was granted."""
    granted: bool


class MemberBook:
    """Members and what they used, in one file; any number of threads and processes may hold it open."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, readable by its owner only.

        Raises:
            StillwatchError: it cannot be opened, or is no such file.
        """
        self._path, self._lock = path, threading.Lock()
        with self._named():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)

    def add(self, name: str, budget: int, now: float) -> str:
        """Add a member and return its API key, this once.

        Raises:
            StillwatchError: the name is taken or empty, or the budget is out of range.
        """
        if not 0 < len(name.strip()) <= 128 or name != name.strip() or not name.isprintable():
            raise StillwatchError(
                "member: its name must have 1 to 128 printable characters, and no space at either end."
            )
        if not 0 < budget <= MOST_BUDGET:
            raise StillwatchError(f"member {name}: budget {budget}; must be 1 to {MOST_BUDGET:,} elements a day.")
        key = KEY_HEAD + secrets.token_urlsafe(32)
        try:
            self._run("INSERT INTO members VALUES (?, ?, ?, ?, NULL)", (name, _digest(key), budget, now))
        except sqlite3.IntegrityError:
            raise StillwatchError(
                f"member {name}: is there already; revoke it first, or choose another name."
            ) from None
        return key

    def revoke(self, name: str, now: float) -> Member:
        """Let a member ask no more; its name stays taken.

        Raises:
            StillwatchError: there is no such member.
        """
        self._run("UPDATE members SET revoked = ? WHERE name = ? AND revoked IS NULL", (now, name))
        for member in self.all():
            if member.name == name:
                return member
        raise StillwatchError(
            f"member {name}: there is none of this name; `stillwatch notary members list` lists them."
        )

    def all(self) -> tuple[Member, ...]:
        """Return every member, revoked ones too, by name."""
        rows = self._run("SELECT name, budget, created, revoked FROM members ORDER BY name")
        return tuple(Member(name=n, budget=b, created=c, revoked=r) for n, b, c, r in rows)

    def find(self, key: str) -> Member | None:
        """Return whose key this is; None where it is nobody's or was revoked."""
        if not key.startswith(KEY_HEAD) or len(key) > 128:
            return None
        rows = self._run(
            "SELECT name, budget, created FROM members WHERE digest = ? AND revoked IS NULL", (_digest(key),)
        )
        return Member(name=rows[0][0], budget=rows[0][1], created=rows[0][2]) if rows else None

    def take(self, member: Member, elements: int, now: float) -> Taken:
        """Pay for a batch: all of it or nothing, on disk before this returns."""
        day = int(now // DAY)
        rows = self._run(
            "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (name, day) DO UPDATE SET used = used + excluded.used"
            " WHERE used + excluded.used <= ? RETURNING used",
            (member.name, day, elements, member.budget),
        ) if elements <= member.budget else []  # fmt: skip
        if rows:
            return Taken(member.budget - rows[0][0], True)
        return Taken(self.left(member, now), False)

    def left(self, member: Member, now: float) -> int:
        """Return how many elements a member may still have evaluated today."""
        rows = self._run("SELECT used FROM spent WHERE name = ? AND day = ?", (member.name, int(now // DAY)))
        return member.budget - (rows[0][0] if rows else 0)

    def forget(self, now: float) -> None:
        """Drop what was used long ago."""
        self._run("DELETE FROM spent WHERE day < ?", (int(now // DAY) - _KEPT_DAYS,))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    def _run(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock, self._named():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, OSError) as problem:
            raise StillwatchError(f"members {self._path}: {problem}; look at the disk and at who owns it.") from None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
