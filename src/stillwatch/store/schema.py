"""The tables of the journal, in ClickHouse SQL.

Out: the statements that make them. Events lie in partitions of one key epoch and one span of seven
days, so that retention drops whole partitions; within one they are ordered by account and time.
An event is seen once the row of its ingest stands in `ingests`, which is written last.
"""

import hashlib
from typing import Final

from stillwatch.store.columns import event_columns, sql_type

BUCKET_SECONDS: Final = 604_800
"""Span of one partition: seven days. A repeated event id within one partition is a duplicate."""
BUCKET: Final = f"toInt32(floor(`time` / {BUCKET_SECONDS}))"

_SYNCED: Final = "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
"""Rows reach the disk before the row that makes them seen: a loss of power keeps the order too."""


def _events() -> str:
    columns = [f"`{name}` {sql_type(dtype)}" for name, (_, dtype) in event_columns().items()]
    columns += ["`client` UInt64", "`ingest` UInt32"]
    return (
        f"CREATE TABLE IF NOT EXISTS events ({', '.join(columns)}) ENGINE = MergeTree "
        f"PARTITION BY (`epoch`, {BUCKET}) ORDER BY (`account`, `time`) {_SYNCED}"
    )


def tables() -> tuple[str, ...]:
    """Return the statements that make every table that is not there yet."""
    return (
        _events(),
        "CREATE TABLE IF NOT EXISTS ingests (`ingest` UInt32, `digest` String, `source` String, "
        f"`n_events` UInt64, `n_repeated` UInt64) ENGINE = MergeTree ORDER BY `ingest` {_SYNCED}",
        "CREATE TABLE IF NOT EXISTS names (`epoch` UInt16, `account` UInt64, `name` String) "
        "ENGINE = ReplacingMergeTree PARTITION BY `epoch` ORDER BY `account`",
        "CREATE TABLE IF NOT EXISTS format (`layout` String) ENGINE = MergeTree ORDER BY tuple()",
    )


def layout() -> str:
    """Return a digest of the events table: a store written with another one cannot be read."""
    return hashlib.blake2b(_events().encode(), digest_size=8).hexdigest()
