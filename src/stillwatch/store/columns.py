"""Events as Arrow columns and back, without a Python loop over rows.

In: an `EventArray` or an Arrow table. Out: the other. Trailing zeros of the hash lists are not kept;
they come back as zeros. Cost: one copy of the batch.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.store.keys import client_keys
from stillwatch.terms.event import EVENT_DTYPE, SKETCH_DTYPE, EventArray, empty_events

_SQL_TYPES: Final = {
    "u1": "UInt8", "u2": "UInt16", "u4": "UInt32", "u8": "UInt64", "i1": "Int8", "i2": "Int16",
    "i4": "Int32", "i8": "Int64", "f4": "Float32", "f8": "Float64",
}  # fmt: skip


def event_columns() -> dict[str, tuple[tuple[str, ...], np.dtype[Any]]]:
    """Return column name -> (path into `EVENT_DTYPE`, dtype there), in table order."""
    columns: dict[str, tuple[tuple[str, ...], np.dtype[Any]]] = {}
    for name in EVENT_DTYPE.names or ():
        if name != "sketch":
            columns[name] = ((name,), EVENT_DTYPE[name])
    for name in SKETCH_DTYPE.names or ():
        columns["sketch_version" if name == "version" else name] = (("sketch", name), SKETCH_DTYPE[name])
    return columns


def sql_type(dtype: np.dtype[Any]) -> str:
    """Return the ClickHouse type of one field: lists of hashes as arrays, of bytes as fixed strings."""
    if dtype.subdtype is None:
        return _SQL_TYPES[dtype.str[1:]]
    base, shape = dtype.subdtype
    return f"FixedString({shape[0]})" if base.itemsize == 1 else f"Array({_SQL_TYPES[base.str[1:]]})"


def to_arrow(events: EventArray, ingest: int) -> pa.Table:
    """Return the events as the table that the engine keeps.

    Args:
        events: Shape (n_events,).
        ingest: Number of the ingest they belong to.
    """
    arrays = {}
    for name, (path, dtype) in event_columns().items():
        field = events
        for part in path:
            field = field[part]
        arrays[name] = _column(np.ascontiguousarray(field), dtype)
    arrays["client"] = pa.array(client_keys(events))
    arrays["ingest"] = pa.array(np.full(len(events), ingest, np.uint32))
    return pa.table(arrays)


def to_events(table: pa.Table) -> EventArray:
    """Return the events of a table with the columns of `event_columns`."""
    events = empty_events(table.num_rows)
    for name, (path, dtype) in event_columns().items():
        field = events
        for part in path:
            field = field[part]
        _fill(field, table.column(name).combine_chunks(), dtype)
    return events


def to_records(table: pa.Table, dtype: np.dtype[Any], **fixed: int) -> npt.NDArray[Any]:
    """Return a table's rows as a structured array.

    Args:
        table: One column for each field of `dtype` that is not in `fixed`; a field of shape (k,)
            stands in columns `name_0` to `name_{k-1}`.
        dtype: What to return.
        fixed: Fields that have one value in every row.
    """
    records = np.zeros(table.num_rows, dtype)
    for name in dtype.names or ():
        if name in fixed:
            records[name] = fixed[name]
        elif dtype[name].subdtype is not None:
            for i in range(dtype[name].shape[0]):
                records[name][:, i] = flat(table, f"{name}_{i}")
        else:
            records[name] = flat(table, name)
    return records


def flat(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """Return one column of numbers, shape (n_rows,)."""
    values: npt.NDArray[Any] = table.column(name).to_numpy()
    return values


def _column(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> pa.Array:
    if dtype.subdtype is None:
        return pa.array(values)
    width = dtype.shape[0]
    if dtype.base.itemsize == 1:
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(values), [None, pa.py_buffer(values)])
    backwards = values[:, ::-1] != 0
    lengths = np.where(backwards.any(axis=1), width - backwards.argmax(axis=1), 0)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    kept = values[np.arange(width) < lengths[:, None]]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(kept))


def _fill(field: npt.NDArray[Any], column: pa.Array, dtype: np.dtype[Any]) -> None:
    if dtype.subdtype is None:
        field[:] = column.to_numpy(zero_copy_only=False)
    elif dtype.base.itemsize == 1:
        width = dtype.shape[0]
        held = np.frombuffer(column.buffers()[1], dtype.base) if len(column) else np.zeros(0, dtype.base)
        field[:] = held[column.offset * width : (column.offset + len(column)) * width].reshape(-1, width)
    else:
        lengths = column.value_lengths().to_numpy(zero_copy_only=False)
        field[np.arange(dtype.shape[0]) < lengths[:, None]] = column.flatten().to_numpy(zero_copy_only=False)
