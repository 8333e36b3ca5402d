"""What a member pulled and what it published, in one SQLite file of its state folder.

In: pages of objects, token sets. Out: advisories as they stand now (`terms.coalition.Advisories`), and where to go
on. A page and its place are kept in one change, so a reading that is cut off goes on where it was. Of an object the
newest version counts; one that was revoked keeps its name and loses its tokens. Cost: one row an object, 16 bytes a
token.
Left to `client`: fetching. Left to `policy.coalition`: what an advisory is worth.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from stillwatch.exchange.stix import extension
from stillwatch.exchange.stix.stamps import micros
from stillwatch.exchange.stix.tokensets import digest_of, is_packed
from stillwatch.exchange.taxii.envelope import read_item
from stillwatch.exchange.taxii.objects import Item
from stillwatch.terms.change import one_change
from stillwatch.terms.coalition import Advisory
from stillwatch.terms.errors import StillwatchError

FILE_NAME: Final = "coalition.sqlite"
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS state (only INTEGER PRIMARY KEY CHECK (only = 1), generation INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO state VALUES (1, 0);
CREATE TABLE IF NOT EXISTS places (hub TEXT NOT NULL, collection TEXT NOT NULL, after TEXT NOT NULL,
    PRIMARY KEY (hub, collection)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (id TEXT PRIMARY KEY, version INTEGER NOT NULL, type TEXT NOT NULL,
    revoked INTEGER NOT NULL, digest TEXT, until INTEGER, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_by_type ON objects (type);
CREATE TABLE IF NOT EXISTS sets (digest TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own (id TEXT PRIMARY KEY, subject TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL,
    body BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""


class Received:
    """The member's file.

    Raises (every method): StillwatchError, when the file cannot be read or written, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file, readable by its owner only."""
        self.path, self._lock = path, threading.RLock()
        with self._named():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA secure_delete = ON")
            self._db.executescript(_TABLES)

    def place(self, hub: str, collection: str) -> str:
        """Return the `date_added` to read on from; empty for the beginning."""
        rows = self._rows("SELECT after FROM places WHERE hub = ? AND collection = ?", (hub, collection))
        return str(rows[0][0]) if rows else ""

    def take(self, hub: str, collection: str, objects: Iterable[Mapping[str, Any]], last: str) -> int:
        """Keep a page and where it ended; return how many objects were new, or newer than what was here."""
        news = 0
        with self._changing() as db:
            for value in objects:
                item = read_item(value)
                if isinstance(item, Item):
                    news += self._kept(db, item)
            if last:
                db.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?)", (hub, collection, last))
            if news:
                db.execute("UPDATE state SET generation = generation + 1")
                db.execute("DELETE FROM sets WHERE digest NOT IN"
                           " (SELECT digest FROM objects WHERE digest IS NOT NULL AND revoked = 0)")  # fmt: skip
        return news

    @staticmethod
    def _kept(db: sqlite3.Connection, item: Item) -> int:
        done = db.execute(
            "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " version = excluded.version, revoked = excluded.revoked, digest = excluded.digest, until = excluded.until,"
            " body = excluded.body WHERE excluded.version > version",
            (item.id, item.version or 0, item.type, int(item.revoked), item.digest, item.until, item.body),
        )
        return done.rowcount

    def wanted(self, now: float) -> tuple[str, ...]:
        """Return the digests of sets that indicators in force name and that are not here."""
        rows = self._rows(
            "SELECT DISTINCT digest FROM objects WHERE digest IS NOT NULL AND revoked = 0"
            " AND (until IS NULL OR until > ?) AND digest NOT IN (SELECT digest FROM sets) ORDER BY digest",
            (round(now * 1e6),),
        )  # fmt: skip
        return tuple(row[0] for row in rows)

    def forget_expired(self, now: float) -> int:
        """Delete token sets that no indicator in force names any more; return how many those were."""
        with self._changing() as db:
            gone = db.execute(
                "DELETE FROM sets WHERE digest NOT IN (SELECT digest FROM objects WHERE digest IS NOT NULL"
                " AND revoked = 0 AND (until IS NULL OR until > ?))", (round(now * 1e6),),
            ).rowcount  # fmt: skip
            if gone:
                db.execute("UPDATE state SET generation = generation + 1")
        return gone

    def put_set(self, digest: str, body: bytes) -> None:
        """Keep a token set.

        Raises:
            StillwatchError: it is not the one of this name.
        """
        if digest_of(body) != digest or not is_packed(body):
            raise StillwatchError(f"token set {digest[:12]}: the hub sent something else; nothing of it was kept.")
        with self._changing() as db:
            db.execute("INSERT OR REPLACE INTO sets VALUES (?, ?)", (digest, body))
            db.execute("UPDATE state SET generation = generation + 1")

    def put_own(self, objects: Iterable[Mapping[str, Any]], subject: str, by: str, now: float) -> None:
        """Note what this member published, for whom it holds here, and who did so."""
        with self._changing() as db:
            rows = [(str(item["id"]), subject, by, now, json.dumps(item).encode()) for item in objects]
            db.executemany("INSERT OR REPLACE INTO own VALUES (?, ?, ?, ?, ?)", rows)

    def own(self, name: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """Return (subject, object) of what this member published: all, of one subject, or of one id."""
        rows = self._rows(
            "SELECT subject, body FROM own WHERE ? IS NULL OR subject = ? OR id = ? ORDER BY at, id", (name, name, name)
        )
        return [(subject, json.loads(body)) for subject, body in rows]

    def copy_own_to(self, path: Path) -> int:
        """Write what this member published, and nothing that it pulled, to a new file; return how many objects.

        What others told stays out: a copy would outlive its withdrawal, and the hub tells it again.
        """
        rows = self._rows("SELECT id, subject, by, at, body FROM own")
        copy = Received(path)
        try:
            with copy._changing() as db:
                db.executemany("INSERT INTO own VALUES (?, ?, ?, ?, ?)", rows)
            copy._rows("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
        return len(rows)

    def told(self) -> dict[str, float]:
        """Return by subject when campaigns that were not withdrawn were published last, seconds since 1970."""
        found: dict[str, float] = {}
        for subject, at, body in self._rows("SELECT subject, at, body FROM own"):
            item = json.loads(body)
            if item["type"] == "campaign" and item.get("revoked") is not True:
                found[subject] = max(at, found.get(subject, 0.0))
        return found

    def objects(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the newest version of every object, of one type where it is given."""
        rows = self._rows("SELECT body FROM objects WHERE ? IS NULL OR type = ? ORDER BY id", (kind, kind))
        return [json.loads(row[0]) for row in rows]

    def find(self, object_id: str) -> dict[str, Any] | None:
        """Return an object by id; None where it was not pulled."""
        rows = self._rows("SELECT body FROM objects WHERE id = ?", (object_id,))
        return json.loads(rows[0][0]) if rows else None

    def organisations(self) -> dict[str, str]:
        """Return name by STIX id of the organisations that the hub says were verified."""
        found = {}
        for item in self.objects("identity"):
            own = (item.get("extensions") or {}).get(extension.ID) or {}
            if own.get("verified") is True and item.get("created_by_ref") == extension.AUTHOR:
                found[str(item["id"])] = str(item.get("name", ""))
        return found

    def stamp(self) -> str:
        """Return a text that changes whenever anything was pulled."""
        return str(self._rows("SELECT generation FROM state")[0][0])

    def all(self) -> tuple[Advisory, ...]:
        """Return every advisory of a verified organisation, out of force too."""
        verified = self.organisations()
        # Only its author says which campaign an indicator is of: another's word could tie it to one that is revoked.
        campaigns = {
            (str(r.get("created_by_ref")), str(r["source_ref"])): str(r["target_ref"])
            for r in self.objects("relationship")
            if r.get("relationship_type") == "indicates" and str(r.get("target_ref")).startswith("campaign--")
        }  # fmt: skip
        disputes = self._disputes(verified)
        revoked = {(str(c.get("created_by_ref")), str(c["id"])) for c in self.objects("campaign") if _gone(c)}
        sets = dict(self._rows("SELECT digest, body FROM sets"))
        out = []
        for item in self.objects("indicator"):
            own = (item.get("extensions") or {}).get(extension.ID) or {}
            author = str(item.get("created_by_ref"))
            campaign = campaigns.get((author, str(item["id"])), "")
            if item.get("pattern_type") == "oprf-token" and author in verified and "epoch" in own:
                out.append(Advisory(
                    id=str(item["id"]), campaign=campaign, organisation=author, kind=str(own.get("token_kind")),
                    epoch=str(own["epoch"]), tokens=bytes(sets.get(own.get("digest"), b"")),
                    valid_from=_seconds(item.get("valid_from")), valid_until=_seconds(item.get("valid_until")),
                    revoked=item.get("revoked") is True or (author, campaign) in revoked,
                    disputed_by=tuple(sorted(disputes.get(str(item["id"]), set()) | disputes.get(campaign, set()))),
                ))  # fmt: skip
        return tuple(out)

    def _disputes(self, verified: Mapping[str, str]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for item in self.objects("opinion"):
            against = item.get("opinion") in ("disagree", "strongly-disagree") and item.get("revoked") is not True
            author = str(item.get("created_by_ref"))
            if against and author in verified:
                for ref in item.get("object_refs") or ():
                    found.setdefault(str(ref), set()).add(author)
        return found

    def close(self) -> None:
        """Let go of the file; twice does no harm."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._named(), one_change(self._db):
            yield self._db

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock, self._named():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as problem:
            raise StillwatchError(
                f"coalition file {self.path}: {problem}; look at the disk, or move the file away and pull again."
            ) from None


def _gone(item: Mapping[str, Any]) -> bool:
    return item.get("revoked") is True


def _seconds(text: object) -> float:
    at = micros(text)
    return 0.0 if at is None else at / 1e6
