"""The SQL engine: ClickHouse inside this process, or a ClickHouse server. Only making the client differs.

In: SQL and Arrow tables. Out: Arrow tables. Every query runs under the same caps on memory and
threads. Cost: importing the embedded engine takes 1-2 s and 300 MB, so it is imported when opened.
Left to `clickhouse`: what is asked. The embedded engine allows one folder a process, one process a
folder, and hangs after fork: start workers with spawn.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc

from stillwatch.store.keys import U64
from stillwatch.terms.errors import StillwatchError, StoreBusy

_SCRATCH: Final = "scratch_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What one query may use."""

    memory_bytes: int = 1_500_000_000
    """Memory of one query, bytes; half of it before a grouping goes to disk."""
    threads: int = 2

    def settings(self) -> dict[str, int]:
        """Return the caps as ClickHouse settings."""
        return {
            "max_threads": self.threads,
            "max_insert_threads": 1,
            "max_memory_usage": self.memory_bytes,
            "max_bytes_before_external_group_by": self.memory_bytes // 2,
            "max_bytes_before_external_sort": self.memory_bytes // 2,
            "max_partitions_per_insert_block": 0,
        }


class Engine:
    """One client of the engine; `spool` is where embedded inserts wait, None for a server."""

    def __init__(self, client: Any, spool: Path | None, caps: Caps) -> None:
        self._client = client
        self._spool = spool
        self.caps = caps

    @classmethod
    def embedded(cls, folder: Path, caps: Caps) -> "Engine":
        """Open the engine inside this process on `folder`, which must be locked by the caller.

        Raises:
            StoreBusy: this process, or another one, already holds an engine that is in the way.
        """
        import clickhouse_connect

        spool, data = folder / "spool", folder / "clickhouse"
        for inner in (spool, data):
            inner.mkdir(mode=0o700, exist_ok=True)
        for left_over in spool.iterdir():
            left_over.unlink()
        try:
            client = clickhouse_connect.get_client(interface="chdb", path=str(data), settings=caps.settings())
        except clickhouse_connect.driver.exceptions.Error as error:
            raise StoreBusy(
                f"store {folder}: the embedded engine does not open: {_first_line(error)}\n"
                "One process holds one store; close the other store, or start another process."
            ) from None
        return cls(client, spool, caps)

    @classmethod
    def server(cls, caps: Caps, **address: Any) -> "Engine":
        """Connect to a ClickHouse server; `address` as `clickhouse_connect.get_client` takes it."""
        import clickhouse_connect

        return cls(clickhouse_connect.get_client(settings=caps.settings(), **address), None, caps)

    def command(self, sql: str) -> None:
        """Run a statement that returns nothing."""
        with _named_failure():
            self._client.command(sql)

    def rows(self, sql: str, **parameters: str | int | float) -> pa.Table:
        """Run a query; `{name:Type}` in it stands for a parameter."""
        with _named_failure():
            return self._client.query_arrow(sql, parameters=parameters or None)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Add rows, as one part for each partition they fall in."""
        with _named_failure():
            if self._spool is None:
                self._client.insert_arrow(table, rows)
                return
            # The client's own Arrow insert compresses, unpacks and spools outside the store's
            # folder; writing the spool here is four times as fast and leaves nothing elsewhere.
            path = self._spool / f"{uuid.uuid4().hex}.arrow"
            try:
                with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
                    writer.write_table(rows)
                columns = ", ".join(f"`{name}`" for name in rows.column_names)
                quoted = str(path).replace("\\", "\\\\").replace("'", "\\'")
                self._client.command(f"INSERT INTO {table} ({columns}) FROM INFILE '{quoted}' FORMAT Arrow")
            finally:
                path.unlink(missing_ok=True)

    @contextmanager
    def scratch(self, keys: U64) -> Iterator[str]:
        """Hold `keys` in a table of one column `key` while a query asks for them; yield its name."""
        name = f"{_SCRATCH}{uuid.uuid4().hex}"
        self.command(f"CREATE TABLE {name} (`key` UInt64) ENGINE = Memory")
        try:
            if len(keys):
                self.insert(name, pa.table({"key": pa.array(keys, pa.uint64())}))
            yield name
        finally:
            self.command(f"DROP TABLE {name}")

    def drop_scratch(self) -> None:
        """Drop the scratch tables that killed questions left."""
        for name in self.rows(f"SHOW TABLES LIKE '{_SCRATCH}%'")["name"].to_pylist():
            self.command(f"DROP TABLE {name}")

    def close(self) -> None:
        """Let go of the engine."""
        self._client.close()


@contextmanager
def _named_failure() -> Iterator[None]:
    """Turn an engine's error into one of ours, short: the engine's own text can quote values."""
    import clickhouse_connect

    try:
        yield
    except clickhouse_connect.driver.exceptions.Error as error:
        raise StillwatchError(
            f"store: the engine refused a statement: {_first_line(error)}\n"
            "If it names a memory limit, raise the store's memory cap; else see docs/reference/store.md."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
