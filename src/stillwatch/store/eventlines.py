"""Events as lines of JSON, one event a line, plain or compressed; the published schema describes a line.

In: events and a file. Out: lines, or events again. A line is refused by its number and its field, never by
what it holds. Left to `eventfiles`: drafts, Parquet, what a file is.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import orjson
import zstandard

from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EVENT_DTYPE, EVENT_VERSION, Event, EventArray

LONGEST_LINE: Final = 1 << 20
"""Bytes; a line that goes on for longer is no event."""
_READ: Final = 1 << 14
_DAMAGE: Final = (zlib.error, zstandard.ZstdError)


class _Version(msgspec.Struct):
    version: int


class _Mark(_Version):
    event_id: int
    epoch: int
    sketch: msgspec.Raw


def _value(kind: np.dtype[Any]) -> Any:
    if kind.names:
        return _record("Sketch", kind)
    if kind.subdtype is not None:
        base, shape = kind.subdtype
        return Annotated[list[_value(base)], msgspec.Meta(min_length=shape[0], max_length=shape[0])]  # type: ignore[misc]
    if kind.kind == "f":
        return float
    limits = np.iinfo(kind)
    if limits.max > np.iinfo(np.int64).max:  # msgspec knows no bound so high; NumPy refuses what is above it
        return Annotated[int, msgspec.Meta(ge=0)]
    return Annotated[int, msgspec.Meta(ge=int(limits.min), le=int(limits.max))]


def _record(name: str, dtype: np.dtype[Any]) -> Any:
    fields = [(field, _value(dtype[field])) for field in dtype.names or ()]
    head = [("version", int)] if dtype is EVENT_DTYPE else []
    return msgspec.defstruct(name, [*head, *fields], forbid_unknown_fields=True)


@cache
def _decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_record("Line", EVENT_DTYPE))


def write_lines(batches: Iterable[EventArray], path: Path, suffix: str) -> int:
    """Write one line an event and return how many; `suffix` is `.jsonl`, `.jsonl.gz` or `.jsonl.zst`."""
    written = 0
    with ExitStack() as stack:
        file: Any = stack.enter_context(path.open("wb"))
        if suffix.endswith(".gz"):  # no name and no time inside, so that equal events give equal bytes
            file = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0))
        elif suffix.endswith(".zst"):
            packer = zstandard.ZstdCompressor(write_checksum=True)
            file = stack.enter_context(packer.stream_writer(file, closefd=False))
        for events in batches:
            for row in events:
                event = Event.from_row(row)
                line = {"version": event.version, **event.values}
                file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            written += len(events)
    return written


def read_lines(path: Path, suffix: str, batch: int) -> Iterator[tuple[int, EventArray]]:
    """Yield the events in batches, each with the number of the line it begins with.

    Raises:
        StillwatchError: a line is no event of this version, or the file is damaged or cut.
    """
    rows: list[tuple[Any, ...]] = []
    numbers: list[int] = []
    for number, line in enumerate(_lines(path, suffix), 1):
        rows.append(_row(line, f"{path}, line {number}"))
        numbers.append(number)
        if len(rows) == batch:
            yield numbers[0], _array(rows, numbers, path)
            rows, numbers = [], []
    if rows:
        yield numbers[0], _array(rows, numbers, path)


def is_event_line(path: Path, suffix: str) -> bool:
    """Return whether the first line looks like an event, of whatever version."""
    try:
        msgspec.json.decode(next(_lines(path, suffix), b""), type=_Mark)
    except (StillwatchError, msgspec.MsgspecError, UnicodeDecodeError, OSError):
        return False
    return True


def _row(line: bytes, where: str) -> tuple[Any, ...]:
    try:
        event = _decoder().decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        _check_version(line, where)
        why = str(problem) if isinstance(problem, msgspec.ValidationError) else "not one whole JSON object"
        if "unknown field" in why:  # a name that is not ours may be anything
            why = "holds a field that the event does not have"
        raise StillwatchError(
            f"{where}: {why}; must be an event of version {EVENT_VERSION}. Write the file again."
        ) from None
    if event.version != EVENT_VERSION:
        raise _wrong_version(where, event.version)
    _, *values, sketch = msgspec.structs.astuple(event)
    return (*values, msgspec.structs.astuple(sketch))


def _check_version(line: bytes, where: str) -> None:
    try:
        version = msgspec.json.decode(line, type=_Version).version
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return
    if version != EVENT_VERSION:
        raise _wrong_version(where, version)


def _wrong_version(where: str, version: int) -> StillwatchError:
    return StillwatchError(
        f"{where}: version = {version}; must be {EVENT_VERSION}. Reduce the logs again with this version of Stillwatch."
    )


def _array(rows: list[tuple[Any, ...]], numbers: list[int], path: Path) -> EventArray:
    try:
        return np.array(rows, EVENT_DTYPE)
    except OverflowError:
        if len(rows) == 1:
            raise StillwatchError(
                f"{path}, line {numbers[0]}: a number above 64 bits; must be at most 2**64 - 1. Write the file again."
            ) from None
    for row, number in zip(rows, numbers, strict=True):
        _array([row], [number], path)
    raise AssertionError("a batch overflowed, but none of its rows")


def _lines(path: Path, suffix: str) -> Iterator[bytes]:
    """Yield the lines without their ends; the last may lack its own."""
    rest, number = b"", 1
    for chunk in _chunks(path, suffix):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        number += len(whole)
        if len(rest) > LONGEST_LINE:
            raise StillwatchError(f"{path}, line {number}: longer than {LONGEST_LINE} bytes; must be one event.")
    if rest:
        yield rest


def _chunks(path: Path, suffix: str) -> Iterator[bytes]:
    with path.open("rb") as file:
        if suffix == ".jsonl":
            while data := file.read(_READ):
                yield data
            return
        unpack, data = None, b""
        while data := data or file.read(_READ):
            unpack = unpack or _unpacker(suffix)
            try:
                out = unpack.decompress(data)
            except _DAMAGE:
                raise StillwatchError(f"{path}: compressed data are damaged; copy or write the file again.") from None
            yield out
            data = b""
            if unpack.eof:
                data, unpack = unpack.unused_data, None
        if unpack is not None:
            raise StillwatchError(f"{path}: ends inside a compressed block; copy or write the file again.")


def _unpacker(suffix: str) -> Any:
    return zlib.decompressobj(31) if suffix.endswith(".gz") else zstandard.ZstdDecompressor().decompressobj()
