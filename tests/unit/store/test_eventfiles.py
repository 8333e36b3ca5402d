"""Event files: the events that went in come out, bit for bit; what is no event is refused by line or column."""

import gzip
import json
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.store.eventfiles import MARK, SUFFIXES, is_event_file, read_events, write_events
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EVENT_DTYPE, EventArray, empty_events

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "event-v1.schema.json"


def random_events(n: int = 23, seed: int = 0) -> EventArray:
    rng = np.random.default_rng(seed)
    events = np.frombuffer(rng.bytes(n * EVENT_DTYPE.itemsize), EVENT_DTYPE).copy()
    events["time"], events["latency"] = rng.uniform(-1e9, 3e9, n), rng.uniform(0, 900, n)
    for name, end in (("address_kind", 6), ("endpoint", 6), ("finish", 6)):
        events[name] = rng.integers(0, end, n)
    events["sketch"]["asks"] &= 63
    events["tokens_in"] = rng.integers(-1, 2**31, n)
    events["tokens_out"][:] = 2**31 - 1
    events["event_id"][:3] = 0, 2**64 - 1, 2**63
    events["sketch"]["anchors"][0], events["sketch"]["projection"][0] = 2**64 - 1, -128
    events["latency"][0], events["time"][1], events["asn"][0] = -1, 0.1, 2**32 - 1
    return events


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_events_come_back_bit_for_bit_in_the_batches_asked_for(suffix: str, tmp_path: Path) -> None:
    path, events = tmp_path / f"events{suffix}", random_events()
    assert write_events([events[:4], events[4:4], events[4:]], path) == len(events)
    back = list(read_events(path, batch=5))
    assert [len(part) for part in back] == [5, 5, 5, 5, 3]
    assert np.concatenate(back).tobytes() == events.tobytes()
    assert is_event_file(path) and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_events_make_a_file_without_any(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"events{suffix}"
    assert write_events([], path) == 0 and list(read_events(path)) == []


def test_a_line_is_what_the_published_schema_describes(tmp_path: Path) -> None:
    write_events([random_events()], tmp_path / "e.jsonl")
    check = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    for line in (tmp_path / "e.jsonl").read_bytes().splitlines():
        check.validate(json.loads(line))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cut_file_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"events{suffix}"
    write_events([random_events()], path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StillwatchError, match=r"events\.(jsonl|parquet)"):
        list(read_events(path))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_write_that_fails_leaves_what_was_there(suffix: str, tmp_path: Path) -> None:
    path, bad = tmp_path / f"events{suffix}", random_events()
    write_events([random_events(3)], path)
    before = path.read_bytes()
    bad["time"][2] = np.nan
    with pytest.raises(StillwatchError, match="event 26: time = nan"):
        write_events([random_events(), bad], path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("version", 2, "version = 2; must be 1"),
        ("event_id", 2**64, "above 64 bits"),
        ("event_id", -1, r"event_id"),
        ("account", "SECRET", r"\$\.account"),
        ("finish", 9, r"finish = 9; must be in \[0, 5\]"),
        ("prompt SECRET", 1, "a field that the event does not have"),
        ("epoch", None, "epoch"),
    ],
)
def test_a_line_is_refused_by_number_and_field_without_its_text(
    name: str, value: object, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "e.jsonl.gz"
    write_events([random_events(4)], path)
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    rows[2][name] = value
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    with pytest.raises(StillwatchError, match=f"line 3: .*{told}") as refused:
        list(read_events(path))
    assert "SECRET" not in str(refused.value)


def test_a_parquet_file_of_another_version_or_lacking_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    write_events([random_events(4)], path)
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({MARK: b"2"}), path)
    assert is_event_file(path), "so that the reader can say which version it is"
    with pytest.raises(StillwatchError, match="version = 2; must be 1"):
        list(read_events(path))
    pq.write_table(table.drop_columns(["sketch_head"]), path)
    with pytest.raises(StillwatchError, match="column sketch_head: missing; must be uint64"):
        list(read_events(path))
    index = table.schema.get_field_index("epoch")
    other = table.set_column(index, "epoch", pa.array(["a"] * 4)).replace_schema_metadata(table.schema.metadata)
    pq.write_table(other, path)
    with pytest.raises(StillwatchError, match="column epoch: string; must be uint16"):
        list(read_events(path))


def test_other_files_are_no_event_files(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"version": 1, "messages": []}\n')
    pq.write_table(pa.table({"a": [1]}), tmp_path / "log.parquet")
    assert not any(map(is_event_file, [log, tmp_path / "log.parquet", tmp_path, tmp_path / "absent.jsonl"]))
    with pytest.raises(StillwatchError, match="must end in one of"):
        write_events([empty_events(1)], tmp_path / "events.csv")
