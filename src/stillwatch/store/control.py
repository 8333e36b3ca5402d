"""Keys, accounts, decisions and appeals in one SQLite file that several processes share.

In: control records. Out: the same, in the order that `terms.account.Control` states. A change is on disk
when the call returns; decisions can only be added, which the file itself enforces.
Cost: a write about a millisecond and one fsync; `generation` 10 microseconds.
Left to `app.control`: what a change means. Open it after fork, not before.
Source: SQLite in write-ahead mode, https://sqlite.org/wal.html.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from stillwatch.store.controlfailure import DAMAGED, make_private, named_failure
from stillwatch.store.controlschema import APPLICATION_ID, MIGRATIONS
from stillwatch.store.trail import OUTSIDE, seal
from stillwatch.terms.account import AccountRecord, Appeal, Decision, KeyRecord
from stillwatch.terms.canary import CanaryRecord
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.grant import GrantRecord
from stillwatch.terms.person import actor

FILE_NAME: Final = "control.sqlite"
"""Its name in the state folder."""
BUSY_SECONDS: Final = 10.0
"""How long a call waits for another process's write."""
_KEPT_AS_JSON: Final = frozenset(["verified", "accounts", "models", "purposes"])
R = TypeVar("R", KeyRecord, AccountRecord, Decision, Appeal, CanaryRecord, GrantRecord)


class SqliteControl:
    """`terms.account.Control` on one file; any number of threads and processes may hold it open.

    Raises (every method): StillwatchError, when the file is damaged, locked for too long, may not be
    read or written, was made by a later version, or the disk is full.
    """

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._closed = self._ready = False
        with named_failure(path):
            make_private(path)
            self._db = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
        try:
            with named_failure(self.path):
                self._prepare()
                self._ready = True
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def generation(self) -> int:
        """Return a number that grows with every change by any process; it never repeats for one file."""
        return int(self._rows("SELECT generation FROM state")[0][0])

    def keys(self) -> tuple[KeyRecord, ...]:
        """Return every key, revoked ones too, oldest first."""
        return self._read(KeyRecord, "keys", "created, key_id")

    def put_key(self, record: KeyRecord) -> None:
        """Keep a key; one with the same digest is replaced. A key id that another key has is refused."""
        self._put("keys", "digest", record)

    def accounts(self) -> tuple[AccountRecord, ...]:
        """Return every account, by id."""
        return self._read(AccountRecord, "accounts", "account")

    def find_account(self, account: str) -> AccountRecord | None:
        """Return one account; None where there is none of this id."""
        found = self._read(AccountRecord, "accounts WHERE account = ?", "account", (account,))
        return found[0] if found else None

    def put_account(self, record: AccountRecord) -> None:
        """Keep an account; one with the same id is replaced."""
        self._put("accounts", "account", record)

    def decisions(self) -> tuple[Decision, ...]:
        """Return every decision, oldest first."""
        return self._read(Decision, "decisions", "id")

    def decisions_after(self, number: int) -> tuple[Decision, ...]:
        """Return the decisions with a higher id, oldest first: what was added since, as nothing else can be."""
        return self._read(Decision, "decisions WHERE id > ?", "id", (number,))

    def add_decision(self, decision: Decision) -> int:
        """Keep a decision for ever and return its id; the id that it came with does not count."""
        with self.changing():
            names, values = _columns(decision)
            sql = f"INSERT INTO decisions ({_listed(names[1:])}) VALUES ({_marks(names[1:])}) RETURNING id"
            return int(self._rows(sql, values[1:])[0][0])

    def appeals(self) -> tuple[Appeal, ...]:
        """Return every appeal, oldest first."""
        return self._read(Appeal, "appeals", "opened, id")

    def put_appeal(self, appeal: Appeal) -> None:
        """Keep an appeal; one with the same id is replaced."""
        self._put("appeals", "id", appeal)

    def canaries(self) -> tuple[CanaryRecord, ...]:
        """Return every canary, retired and expired ones too, oldest first."""
        return self._read(CanaryRecord, "canaries", "number")

    def add_canary(self, record: CanaryRecord) -> None:
        """Keep a canary for ever; an id that is there already is refused."""
        names, values = _columns(record)
        with self.changing():
            self._rows(f"INSERT INTO canaries ({_listed(names)}) VALUES ({_marks(names)})", values)

    def add_canaries(self, records: Sequence[CanaryRecord]) -> None:
        """Keep several canaries."""
        for record in records:
            self.add_canary(record)

    def retire_canary(self, canary: str, at: float, by: str) -> None:
        """Plant a canary no more; one that was retired before, or is not there, stays as it was."""
        with self.changing():
            retire = "UPDATE canaries SET retired = ?, retired_by = ? WHERE id = ? AND retired IS NULL"
            self._rows(retire, (at, by, canary))

    def grants(self) -> tuple[GrantRecord, ...]:
        """Return every grant, ended ones too, oldest first."""
        return self._read(GrantRecord, "grants", "issued, id")

    def add_grant(self, record: GrantRecord) -> None:
        """Keep a grant for ever; an id that is there already is refused."""
        names, values = _columns(record)
        with self.changing():
            self._rows(f"INSERT INTO grants ({_listed(names)}) VALUES ({_marks(names)})", values)

    def revoke_grant(self, grant: str, at: float, by: str) -> None:
        """End a grant; one that was revoked before, or is not there, stays as it was."""
        with self.changing():
            end = "UPDATE grants SET revoked = ?, revoked_by = ? WHERE id = ? AND revoked IS NULL"
            self._rows(end, (at, by, grant))

    def grant_use(self) -> dict[str, int]:
        """Return the tokens used under each grant; those without use are left out."""
        return {str(name): int(used) for name, used in self._rows("SELECT id, tokens FROM grant_use")}

    def add_grant_use(self, grant: str, tokens: int) -> None:
        """Add to the tokens used under a grant; does not change the generation."""
        with self.changing():
            self._rows(
                "INSERT INTO grant_use VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET tokens = tokens + excluded.tokens",
                (grant, tokens),
            )

    def account_keys(self) -> dict[str, str]:
        """Return the key that stands in each account's pseudonyms, 32 hex digits; those without one are left out."""
        return {str(account): str(key) for account, key in self._rows("SELECT account, key FROM account_keys")}

    def add_account_keys(self, keys: Mapping[str, str]) -> None:
        """Keep keys of accounts that have none yet; the others stay as they were. Does not change the generation."""
        with self.changing():
            for pair in keys.items():
                self._rows("INSERT OR IGNORE INTO account_keys VALUES (?, ?)", pair)

    def destroy_account(self, account: str) -> bool:
        """Forget an account's key, its record and what it wrote in appeals; return whether there was any of it.

        Freed pages are overwritten, so that what is gone is not in the file any more.
        """
        with self.changing():
            self._rows("PRAGMA secure_delete = ON")
            gone = self._rows("DELETE FROM account_keys WHERE account = ? RETURNING 1", (account,))
            gone += self._rows("DELETE FROM accounts WHERE account = ? RETURNING 1", (account,))
            gone += self._rows("UPDATE appeals SET statement = '' WHERE account = ? RETURNING 1", (account,))
        if not self._depth:
            self._rows("PRAGMA wal_checkpoint(TRUNCATE)")
        return bool(gone)

    def belongs_to(self, mark: str) -> bool:
        """Return whether these records were made under the master key of this mark; the first one asked about is it.

        Args:
            mark: What tells one master key from another and shows nothing of it.
        """
        found = self._rows("SELECT mark FROM master")
        if not found:
            with self.changing():
                self._rows("INSERT OR IGNORE INTO master VALUES (1, ?)", (mark,))
            found = self._rows("SELECT mark FROM master")
        return bool(found[0][0] == mark)

    @contextmanager
    def changing(self) -> Iterator[Self]:
        """Make all changes within one whole: all of them or none, and no other process in between.

        What is read within is what the changes are laid over. May be nested.
        """
        with self._lock:
            if self._depth == 0:
                self._rows("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                if self._ready and self._depth == 1:  # what another program changed is not this change's actor's
                    seal(self.rows, lambda: OUTSIDE)
                yield self
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._roll_back()
                raise
            self._depth -= 1
            if self._depth == 0:
                try:
                    seal(self.rows, actor)
                    self._rows("COMMIT")
                except BaseException:
                    self._roll_back()
                    raise

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Run one statement on the file and return its rows; for the other keepers of records in this room."""
        return self._rows(sql, values)

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy to a new file, readable by its owner only, while others go on writing."""
        with self._lock, named_failure(self.path):
            make_private(path)
            copy = sqlite3.connect(path, isolation_level=None)
            try:
                self._db.backup(copy, pages=256, sleep=0.01)
                copy.execute("PRAGMA journal_mode = DELETE")
            finally:
                copy.close()

    def check(self) -> None:
        """Read the whole file and raise when any of it is damaged."""
        found = [str(row[0]) for row in self._rows("PRAGMA integrity_check(1)")]
        if found != ["ok"]:
            raise StillwatchError(f"control file {self.path}: {DAMAGED} ({found[0]}).")

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        with self._lock:
            self._closed = True
            self._db.close()

    def _prepare(self) -> None:
        """Set the connection up and bring the file to this version, whoever else is doing so."""
        run = self._db.execute
        if run("PRAGMA journal_mode").fetchone()[0] != "wal":
            run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        if self._version() < len(MIGRATIONS):
            with self.changing():
                for number in range(self._version(), len(MIGRATIONS)):
                    for statement in MIGRATIONS[number]:
                        run(statement)
                    run(f"PRAGMA user_version = {number + 1}")
                run(f"PRAGMA application_id = {APPLICATION_ID}")

    def _version(self) -> int:
        mark, version, tables = self._db.execute(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
            " FROM pragma_application_id, pragma_user_version"
        ).fetchone()
        if mark != APPLICATION_ID and (mark or version or tables):
            raise StillwatchError(f"control file {self.path}: is another program's; give another folder with --state.")
        if version > len(MIGRATIONS):
            raise StillwatchError(
                f"control file {self.path}: version {version}; this release reads up to {len(MIGRATIONS)}. Use the "
                "release that made it, or a later one."
            )
        return int(version)

    def _read(self, record: type[R], table: str, order: str, values: tuple[Any, ...] = ()) -> tuple[R, ...]:
        names = [f.name for f in fields(record)]
        rows = self._rows(f"SELECT {_listed(names)} FROM {table} ORDER BY {order}", values)
        return tuple(record(**{n: _loaded(n, v) for n, v in zip(names, row, strict=True)}) for row in rows)

    def _put(self, table: str, identity: str, record: KeyRecord | AccountRecord | Appeal) -> None:
        names, values = _columns(record)
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name != identity)
        with self.changing():
            self._rows(
                f"INSERT INTO {table} ({_listed(names)}) VALUES ({_marks(names)})"
                f' ON CONFLICT ("{identity}") DO UPDATE SET {changes}',
                values,
            )

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock, named_failure(self.path):
            if self._closed:
                raise StillwatchError(f"control file {self.path}: was closed; open it again.")
            return self._db.execute(sql, values).fetchall()

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _columns(
    record: KeyRecord | AccountRecord | Decision | Appeal | CanaryRecord | GrantRecord,
) -> tuple[list[str], tuple[Any, ...]]:
    names = [f.name for f in fields(record)]
    pairs = zip(names, astuple(record), strict=True)
    return names, tuple(json.dumps(v) if n in _KEPT_AS_JSON else v for n, v in pairs)


def _loaded(name: str, value: Any) -> Any:
    if name in _KEPT_AS_JSON:
        return tuple(json.loads(value))
    return bool(value) if name == "unmodified" else value


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _marks(names: list[str]) -> str:
    return ", ".join("?" * len(names))
