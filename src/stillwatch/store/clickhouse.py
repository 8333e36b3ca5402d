"""The journal of events in ClickHouse SQL: written once, asked many times.

In: batches of events under the digest of their source. Out: the answers of `EventSource`.
An ingest is whole or absent: its rows carry its number and are looked at only once the row of the
ingest itself stands in `ingests`; what an interrupted one left is deleted when the store opens.
Cost: see docs/adr/0003-clickhouse-sql.md. Left to `serve`: other processes.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from stillwatch.store import questions
from stillwatch.store.answers import Answers
from stillwatch.store.columns import flat, to_arrow
from stillwatch.store.engine import Caps, Engine
from stillwatch.store.lock import FolderLock
from stillwatch.store.pieces import Places, first_seen, pieces
from stillwatch.store.schema import BUCKET, BUCKET_SECONDS, layout, tables
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import KeyList


class Store(Answers):
    """A journal that this process owns. Methods may be called from any thread; one writes at a time."""

    def __init__(self, engine: Engine, lock: FolderLock | None = None) -> None:
        super().__init__(engine, 0)
        self._lock = lock
        self._writing = threading.RLock()
        self._closed = False
        self._whole = True
        for statement in tables():
            engine.command(statement)
        engine.drop_scratch()
        self._check_layout()
        self._recover()

    @classmethod
    def open(cls, folder: Path, caps: Caps | None = None) -> "Store":
        """Open the store in `folder`, or make one there; what was left unfinished is deleted.

        Raises:
            StoreBusy: another process owns the folder, or this one holds another store.
            StillwatchError: the folder was written with another layout of the event.
        """
        lock = FolderLock.acquire(folder)
        engine = None
        try:
            engine = Engine.embedded(folder, caps or Caps())
            return cls(engine, lock)
        except BaseException:
            if engine is not None:
                engine.close()
            lock.release()
            raise

    def snapshot(self) -> Answers:
        """Return the answers over what is held now; later ingests do not show. Partitions that expire do."""
        return Answers(self._engine, self._last_ingest)

    def ingested(self, digest: str) -> bool:
        """Return whether a source with this digest was kept whole."""
        found = self._engine.rows("SELECT count() AS n FROM ingests WHERE `digest` = {digest:String}", digest=digest)
        return bool(flat(found, "n")[0])

    def ingest(self, digest: str, batches: Iterable[EventArray], source: str) -> int:
        """Keep the events of one source, whole or not at all.

        Args:
            digest: Digest of the source's bytes; a source that was kept before is not read again.
            batches: Its events, in any order.
            source: What to call it to people.

        Returns:
            How many events were new. Repeats of an event id (same key epoch, same seven days) are
            left out.

        Raises:
            StillwatchError: a batch is not events, or the engine failed; nothing is kept then.
        """
        with self._writing:
            if self.ingested(digest):
                return 0
            if not self._whole:
                self._recover()
            self._whole = False
            try:
                kept = self._write(digest, batches, source)
            except BaseException:
                self._recover()
                raise
            self._last_ingest += 1
            self._whole = True
            return kept

    def retain(self, keep_seconds: float, now: float) -> int:
        """Drop whole partitions: spans of seven days that ended `keep_seconds` before `now`.

        Args:
            keep_seconds: How long events are kept, seconds, at least 0. They live up to seven days
                longer, because a partition goes as a whole.
            now: Seconds since 1970-01-01 UTC.

        Returns:
            How many events went. The names of key epochs without events go too; the digests of
            sources stay, so that an expired source does not come back.
        """
        if not keep_seconds >= 0:
            raise StillwatchError(f"keep_seconds = {keep_seconds}: must be at least 0.")
        with self._writing:
            held = self._engine.rows(
                f"SELECT _partition_id AS id, {BUCKET} AS bucket, count() AS n FROM events GROUP BY id, bucket"
            ).to_pylist()
            expired = [row for row in held if (row["bucket"] + 1) * BUCKET_SECONDS <= now - keep_seconds]
            for row in expired:
                self._engine.command(f"ALTER TABLE events DROP PARTITION ID '{row['id']}'")
            kept_epochs = self.epochs()
            for epoch in flat(self._engine.rows("SELECT DISTINCT `epoch` FROM names"), "epoch"):
                if expired and int(epoch) not in kept_epochs:
                    self._engine.command(f"ALTER TABLE names DROP PARTITION {int(epoch)}")
            return sum(row["n"] for row in expired)

    def put_names(self, epoch: int, mapping: Mapping[int, str]) -> None:
        """Keep the names of accounts, apart from their events; a name put again replaces the old one."""
        if not mapping:
            return
        accounts = pa.array(list(mapping), pa.uint64())
        epochs = pa.array(np.full(len(mapping), epoch, np.uint16))
        with self._writing:
            rows = {"epoch": epochs, "account": accounts, "name": pa.array(list(mapping.values()), pa.string())}
            self._engine.insert("names", pa.table(rows))

    def names(self, accounts: Sequence[int] | KeyList) -> dict[int, str]:
        """Return the names that are known of these account hashes."""
        with self._engine.scratch(np.unique(np.asarray(accounts, np.uint64))) as scratch:
            table = self._engine.rows(
                f"SELECT `account`, `name` FROM names FINAL WHERE `account` IN (SELECT `key` FROM {scratch}) "
                "ORDER BY `account`"
            )
        return dict(zip(table["account"].to_pylist(), table["name"].to_pylist(), strict=True))

    def drop_names(self) -> None:
        """Forget every name; the events stay."""
        with self._writing:
            self._engine.command("TRUNCATE TABLE names")

    def forget_names(self, accounts: Sequence[int] | KeyList) -> None:
        """Forget the names of these account hashes; the events stay.

        The rows are rewritten without them at once; the engine deletes the files it had before within ten minutes.
        """
        listed = ", ".join(str(int(account)) for account in accounts)
        if listed:
            with self._writing:
                self._engine.command(
                    f"ALTER TABLE names DELETE WHERE `account` IN ({listed}) SETTINGS mutations_sync = 2"
                )

    def close(self) -> None:
        """Let go of the engine and of the folder; waits for an ingest under way."""
        with self._writing:
            if not self._closed:
                self._closed = True
                self._engine.close()
                if self._lock is not None:
                    self._lock.release()

    def _write(self, digest: str, batches: Iterable[EventArray], source: str) -> int:
        """Write the rows of the next ingest, and last of all the row that makes them seen."""
        number, kept, repeated = self._last_ingest + 1, 0, 0
        for piece in pieces(batches):
            new = self._new_among(piece, number)
            if len(new):
                self._engine.insert("events", to_arrow(new, number))
            kept += len(new)
            repeated += len(piece) - len(new)
        counts = {"ingest": number, "n_events": kept, "n_repeated": repeated}
        row = {name: pa.array([value], pa.uint64()) for name, value in counts.items()}
        self._engine.insert("ingests", pa.table(row | {"digest": [digest], "source": [source]}))
        return kept

    def _new_among(self, piece: EventArray, number: int) -> EventArray:
        places = Places.of(piece)
        start, end = int(places.bucket.min()) * BUCKET_SECONDS, (int(places.bucket.max()) + 1) * BUCKET_SECONDS
        where = f"`ingest` <= {number} AND `time` >= {start} AND `time` < {end}"
        with self._engine.scratch(places.event_id[places.event_id != 0]) as scratch:
            found = self._engine.rows(questions.repeated(where, scratch))
        epochs, buckets = flat(found, "epoch").astype(np.int64), flat(found, "bucket").astype(np.int64)
        return piece[first_seen(places, Places(epochs, buckets, flat(found, "event_id")))]

    def _recover(self) -> None:
        """Take up after the last whole ingest; delete what unfinished ones and interrupted questions left."""
        self._last_ingest = int(flat(self._engine.rows("SELECT max(`ingest`) AS n FROM ingests"), "n")[0])
        left = self._engine.rows(f"SELECT count() AS n FROM events WHERE `ingest` > {self._last_ingest}")
        if flat(left, "n")[0]:
            self._engine.command(
                f"ALTER TABLE events DELETE WHERE `ingest` > {self._last_ingest} SETTINGS mutations_sync = 2"
            )
        self._whole = True

    def _check_layout(self) -> None:
        held = self._engine.rows("SELECT `layout` FROM format")["layout"].to_pylist()
        if not held:
            self._engine.insert("format", pa.table({"layout": [layout()]}))
        elif held[0] != layout():
            raise StillwatchError(
                f"store: its events have layout {held[0]}, this version reads {layout()}.\n"
                "Scan the logs again into a new folder."
            )
