"""What the journal promises beyond its answers: repeats, names, retention, layout, no text."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.store.clickhouse import Store
from stillwatch.store.schema import BUCKET_SECONDS
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EventArray, empty_events
from stillwatch.terms.ports import SharedQuery, Window


def events(ids: list[int], *, epoch: int = 1, time: float = 1e6) -> EventArray:
    made = empty_events(len(ids))
    made["event_id"], made["epoch"], made["time"], made["account"] = ids, epoch, time, 7
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path)
    yield opened
    opened.close()


def test_a_source_is_taken_once(store: Store) -> None:
    assert not store.ingested("a")
    assert store.ingest("a", [events([1, 2])], "a.jsonl") == 2
    assert store.ingested("a") and store.ingest("a", [events([3])], "a.jsonl") == 0
    assert store.span().n_events == 2


def test_an_event_id_is_kept_once_in_its_epoch_and_week(store: Store) -> None:
    assert store.ingest("a", [events([1, 2, 2]), events([2, 3])], "a") == 3
    assert store.ingest("b", [events([3, 4])], "b") == 1
    # Another key epoch holds the same exchange under other hashes; another week is another exchange.
    assert store.ingest("c", [events([3], epoch=2), events([3], time=1e6 + BUCKET_SECONDS)], "c") == 2
    assert store.ingest("d", [events([0, 0])], "d") == 2  # 0: the source named no id


def test_an_empty_source_is_remembered(store: Store) -> None:
    assert store.ingest("empty", [empty_events()], "empty") == 0
    assert store.ingested("empty") and store.epochs() == () and store.span().n_events == 0
    assert len(store.rollup(Window(epoch=1))) == len(store.shared_keys(SharedQuery(window=Window(epoch=1)))) == 0


def test_an_event_without_a_time_is_refused_and_nothing_kept(store: Store) -> None:
    with pytest.raises(StillwatchError, match="no finite time"):
        store.ingest("a", [events([1]), events([2], time=float("nan"))], "a")
    assert store.epochs() == ()


def test_a_batch_of_another_dtype_is_refused(store: Store) -> None:
    with pytest.raises(StillwatchError, match="event of this version"):
        store.ingest("a", [np.zeros(3, [("x", "u1")])], "a")


def test_retention_drops_whole_weeks_and_the_names_of_epochs_that_are_gone(store: Store) -> None:
    store.ingest("a", [events([1, 2], epoch=1, time=10.0), events([3], epoch=2, time=BUCKET_SECONDS * 5.5)], "a")
    store.put_names(1, {7: "seven"})
    store.put_names(2, {8: "eight"})
    assert store.retain(BUCKET_SECONDS, now=1.99 * BUCKET_SECONDS) == 0
    assert store.retain(BUCKET_SECONDS, now=2.0 * BUCKET_SECONDS) == 2
    assert store.epochs() == (2,) and store.names([7, 8]) == {8: "eight"}
    assert store.ingest("a", [events([1])], "a") == 0  # an expired source does not come back
    with pytest.raises(StillwatchError, match="keep_seconds"):
        store.retain(-1.0, now=0.0)


def test_a_name_put_again_replaces_the_old_one(store: Store) -> None:
    store.put_names(1, {1: "old", 2: "it's; DROP TABLE events --"})
    store.put_names(1, {1: "new"})
    assert store.names([1, 2, 3]) == {1: "new", 2: "it's; DROP TABLE events --"}
    store.put_names(1, {})
    store.drop_names()
    assert store.names([1, 2]) == {}


def test_names_and_events_are_there_after_opening_again(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.ingest("a", [events([1])], "a")
    store.put_names(1, {7: "seven"})
    store._engine.command("CREATE TABLE scratch_left (`key` UInt64) ENGINE = Memory")
    store.close()
    store = Store.open(tmp_path)
    assert store.names([7]) == {7: "seven"} and store.ingested("a") and store.span().n_events == 1
    assert store._engine.rows("SHOW TABLES LIKE 'scratch%'").num_rows == 0
    store.close()


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store._engine.command("TRUNCATE TABLE format")
    store._engine.insert("format", pa.table({"layout": ["0123"]}))
    store.close()
    with pytest.raises(StillwatchError, match="0123"):
        Store.open(tmp_path)


def test_nothing_is_readable_by_others(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "new")
    for folder in ("new", "new/clickhouse", "new/spool", "new/owner.lock"):
        assert (tmp_path / folder).stat().st_mode & 0o077 == 0
    store.close()


@pytest.mark.parametrize(
    "arguments", [{"start": 2.0, "end": 1.0}, {"block_seconds": 0.0}, {"fold": 2}, {"start": float("nan")}]
)
def test_a_window_that_makes_no_sense_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(StillwatchError):
        Window(epoch=1, **arguments)


@pytest.mark.parametrize(
    "arguments", [{"kinds": ("colour",)}, {"min_accounts": 0}, {"max_accounts": 1}, {"min_requests_per_account": 0}]
)
def test_a_query_that_makes_no_sense_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(StillwatchError):
        SharedQuery(window=Window(epoch=1), **arguments)
