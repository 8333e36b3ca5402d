"""Event files: events kept or handed on outside a store, as lines of JSON or as Parquet.

In: batches of events and a path, whose suffix says the form. Out: the file, whole or not at all; or the
events again, bit for bit. No names, no text. Cost: one batch in memory, both ways.
Left to `eventlines`: JSON. Left to `app`: which key the hashes belong to, which the file does not say.
"""

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.store.eventlines import is_event_line, read_lines, write_lines
from stillwatch.terms import event as ev
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EVENT_DTYPE, EVENT_VERSION, SKETCH_DTYPE, EventArray, empty_events

SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
MARK: Final = b"stillwatch_event_version"
"""Key of the Parquet schema metadata that holds the version."""
_BOUNDS: Final = {
    "address_kind": (0, len(ev.ADDRESS_KINDS) - 1), "endpoint": (0, len(ev.ENDPOINTS) - 1),
    "finish": (0, len(ev.FINISHES) - 1), "tokens_in": (-1, 2**31 - 1), "tokens_out": (-1, 2**31 - 1),
    "latency": (-1, np.finfo(np.float32).max), "time": (-np.finfo(np.float64).max, np.finfo(np.float64).max),
    "sketch_asks": (0, 2 ** len(ev.ASKS) - 1),
}  # fmt: skip
"""Fields whose range is narrower than their type: least and greatest value."""


def write_events(batches: Iterable[EventArray], path: Path) -> int:
    """Write an event file and return how many events it holds; an older file of that name gives way at the end.

    Raises:
        StillwatchError: the suffix is none of `SUFFIXES`, a value is outside the schema, or the disk refuses.
    """
    suffix = _suffix(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.draft")
    checked = _checked(((0, events) for events in batches), f"{path}, event", first=1)
    try:
        written = _write_parquet(checked, draft) if suffix == ".parquet" else write_lines(checked, draft, suffix)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as problem:
        raise StillwatchError(f"{path}: cannot be written ({problem.strerror}).") from None
    finally:
        draft.unlink(missing_ok=True)
    return written


def read_events(path: Path, batch: int = 5000) -> Iterator[EventArray]:
    """Yield the events of a file in order, `batch` at a time; the last batch may be shorter.

    Raises:
        StillwatchError: unknown suffix, another version, a damaged file, or a value outside the schema.
    """
    if batch < 1:
        raise StillwatchError(f"batch = {batch}: must be at least 1.")
    suffix = _suffix(path)
    try:
        if suffix == ".parquet":
            yield from _checked(_read_parquet(path, batch), f"{path}, row")
        else:
            yield from _checked(read_lines(path, suffix, batch), f"{path}, line")
    except pa.ArrowException:  # its words may quote the file
        raise StillwatchError(f"{path}: not a whole Parquet file; copy or write the file again.") from None
    except OSError as problem:
        raise StillwatchError(f"{path}: cannot be read ({problem.strerror or 'damaged'}).") from None


def is_event_file(path: Path) -> bool:
    """Return whether a file says that it holds events, of whatever version; reads its first line or its footer."""
    name = path.name.lower()
    if not path.is_file() or not name.endswith(SUFFIXES):
        return False
    if not name.endswith(".parquet"):
        return is_event_line(path, _suffix(path))
    try:
        return MARK in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return suffix
    raise StillwatchError(f"{path}: not the name of an event file; must end in one of {', '.join(SUFFIXES)}.")


def _columns() -> Iterator[tuple[str, np.dtype[Any]]]:
    for name in EVENT_DTYPE.names or ():
        if name != "sketch":
            yield name, EVENT_DTYPE[name]
    for name in SKETCH_DTYPE.names or ():
        yield f"sketch_{name}", SKETCH_DTYPE[name]


def _column(events: EventArray, name: str) -> Any:
    return events["sketch"][name.removeprefix("sketch_")] if name.startswith("sketch_") else events[name]


def _checked(batches: Iterable[tuple[int, EventArray]], where: str, first: int = 0) -> Iterator[EventArray]:
    """Pass batches on; `first` numbers the events through where the batches carry no number."""
    for start, events in batches:
        if events.dtype != EVENT_DTYPE:
            raise StillwatchError(f"{where}: an array of another type; must be of EVENT_DTYPE.")
        for name, (low, high) in _BOUNDS.items():
            values = _column(events, name)
            odd = np.flatnonzero(~((values >= low) & (values <= high)))
            if len(odd):
                number = start + first + int(odd[0])
                raise StillwatchError(f"{where} {number}: {name} = {values[odd[0]]}; must be in [{low}, {high}].")
        yield events
        first += len(events) if first else 0


def _schema() -> pa.Schema:
    fields = []
    for name, kind in _columns():
        base, shape = kind.subdtype or (kind, ())
        of = pa.from_numpy_dtype(base)
        fields.append(pa.field(name, pa.list_(of, shape[0]) if shape else of, nullable=False))
    return pa.schema(fields, metadata={MARK: str(EVENT_VERSION).encode()})


def _write_parquet(batches: Iterable[EventArray], path: Path) -> int:
    schema, written = _schema(), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for events in batches:
            arrays = []
            for field in schema:
                values = np.ascontiguousarray(_column(events, field.name))
                flat = pa.array(values.reshape(-1))
                arrays.append(flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, type=field.type))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            written += len(events)
    return written


def _read_parquet(path: Path, batch: int) -> Iterator[tuple[int, EventArray]]:
    row = 1
    with pq.ParquetFile(path) as file:
        _check_schema(file.schema_arrow, path)
        for part in file.iter_batches(batch, columns=[name for name, _ in _columns()]):
            events = empty_events(part.num_rows)
            for name, kind in _columns():
                column = part.column(name)
                flat = column if kind.subdtype is None else column.flatten()
                if column.null_count or flat.null_count:
                    raise StillwatchError(f"{path}, column {name}: holds nulls; must hold a value in every row.")
                _column(events, name)[...] = flat.to_numpy().reshape(len(events), *kind.shape)
            yield row, events
            row += len(events)


def _check_schema(found: pa.Schema, path: Path) -> None:
    version = (found.metadata or {}).get(MARK, b"none")
    if version != str(EVENT_VERSION).encode():
        said = version.decode("ascii", "backslashreplace")[:20]
        raise StillwatchError(
            f"{path}: {MARK.decode()} = {said}; must be {EVENT_VERSION}. "
            "Reduce the logs again with this version of Stillwatch."
        )
    for field in _schema():
        if field.name not in found.names:
            raise StillwatchError(f"{path}, column {field.name}: missing; must be {field.type}. Write the file again.")
        kind = found.field(field.name).type
        same_list = pa.types.is_fixed_size_list(kind) and pa.types.is_fixed_size_list(field.type)
        same = kind == field.type or (
            same_list and kind.value_type == field.type.value_type and kind.list_size == field.type.list_size
        )
        if not same:
            raise StillwatchError(f"{path}, column {field.name}: {kind}; must be {field.type}. Write the file again.")
