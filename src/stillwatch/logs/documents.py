"""Rows of any log file: JSON lines, JSON documents, CSV, Parquet; plain or compressed.

In: a path. Out: (number, row) or (number, `Fault`); the number is the line's, or the record's where a document
holds many. Cost: JSON parsing, and 64 MB at most held at once.
"""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from stillwatch.logs.aliases import slot_of, text_slot_of
from stillwatch.logs.compressed import PARQUET, chunks_of, magic_of
from stillwatch.logs.importer import kind_of
from stillwatch.logs.jsontext import loads, mended
from stillwatch.logs.lines import MAX_LINE, Fault, Line, numbered
from stillwatch.logs.tables import Rows, csv_rows, delimiter_of, parquet_rows

WRAPPERS = ("requests", "data", "rows", "records", "items", "logs", "entries", "events", "results", "spans", "hits")
"""Names under which a document that is one object keeps its list of rows."""


def rows_of(path: Path, *, form: str | None = None, delimiter: str | None = None) -> Rows:
    """Yield every row of a file, and a fault for each that cannot be read.

    Args:
        path: The file; its format is told by its first bytes.
        form: `jsonl`, `csv` or `parquet` where a mapping file says so.
        delimiter: Of CSV, where a mapping file says so.

    Raises:
        OSError: the file cannot be opened.
    """
    if form == "parquet" or (form is None and magic_of(path) == PARQUET):
        return parquet_rows(path)
    lines = numbered(chunks_of(path))
    head: list[Line] = []
    first = b""
    for number, line in lines:
        head.append((number, line))
        first = (line if isinstance(line, bytes) else line.rest).strip()
        if first:
            break
    lines = chain(head, lines)
    if form == "csv" or (form is None and first[:1] not in (b"{", b"[") and _is_header(first)):
        return csv_rows(lines, delimiter)
    if form is None and _is_document(first):
        return _document(lines)
    return json_lines(lines)


def _is_header(line: bytes) -> bool:
    """Return whether a line is a CSV header: it has a delimiter, and names that logs use."""
    text = line[:20_000].decode("utf-8", "replace")
    delimiter = delimiter_of(text)
    if delimiter not in text:
        return False
    names = [name.strip().strip('"') for name in text.split(delimiter)]
    known = sum(slot_of(name) is not None or text_slot_of(name) is not None for name in names)
    return known >= 2 or (len(names) >= 2 and all(name and len(name) <= 64 and not name.isdigit() for name in names))


def _is_document(first: bytes) -> bool:
    """A list, or an object that goes on after its first line."""
    if first.startswith(b"["):
        return True
    return first.startswith(b"{") and len(first) <= 4096 and _parse(first) is None


def _parse(line: bytes) -> Any:
    try:
        return loads(line)
    except ValueError:
        return None


def json_lines(lines: Iterator[Line]) -> Rows:
    """Yield one row a line; an object that only wraps a list of rows is unwrapped."""
    for number, line in lines:
        if isinstance(line, Fault):
            yield number, line
            continue
        try:
            row = loads(line)
        except ValueError:
            if line and not line.isspace():
                yield number, Fault(_why(line))
            continue
        if type(row) is dict:
            if len(row) <= 8 and (inner := _wrapped(row)) is not None:
                yield from _listed(inner, number)
            else:
                yield number, row
        elif type(row) is list:
            yield from _listed(row, number)
        else:
            yield number, Fault(f"row is {kind_of(row)}; must be a JSON object")


def _why(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"line is not UTF-8 (byte {error.start}); recode the file"
    if line.lstrip()[:1] not in (b"{", b"["):
        return "line is no JSON object"
    return "line is no valid JSON; it may be cut short"


def _wrapped(row: dict[str, Any]) -> list[Any] | None:
    """Return the list that a document wraps, where it has nothing else that makes a row of it."""
    for name in WRAPPERS:
        value = row.get(name)
        if type(value) is list and value and type(value[0]) is dict and not _ROW_MARKS & row.keys():
            return value
    return None


_ROW_MARKS = frozenset(
    "messages prompt model request response attributes custom_id call_type timestamp time startTime start_time "
    "created_at user user_id account".split()
)


def _listed(items: list[Any], number: int) -> Rows:
    for index, item in enumerate(items):
        if type(item) is dict:
            yield number + index, item
        else:
            yield number + index, Fault(f"item is {kind_of(item)}; must be a JSON object")


def _document(lines: Iterator[Line]) -> Rows:
    """Read a whole JSON document where it is one; else what can be saved of it, line by line or item by item."""
    held: list[Line] = []
    size = 0
    for number, line in lines:
        held.append((number, line))
        size += len(line) if isinstance(line, bytes) else 0
        if size > MAX_LINE:
            yield from _too_large(held, lines)
            return
    whole = b"\n".join(line if isinstance(line, bytes) else line.rest for _, line in held)
    cuts = [(number, line) for number, line in held if isinstance(line, Fault)]
    value = None if cuts else _parse(whole)
    if type(value) is dict:
        inner = _wrapped(value)
        yield from _listed(inner, 1) if inner is not None else [(1, value)]
    elif type(value) is list:
        yield from _listed(value, 1)
    elif _one_a_line(held):
        yield from json_lines(_unless_brackets(iter(held)))
    else:
        yield from _salvaged(whole, cuts)


def _too_large(held: list[Line], lines: Iterator[Line]) -> Rows:
    if _one_a_line(held):
        yield from json_lines(_unless_brackets(chain(held, lines)))
    else:
        yield 1, Fault(f"JSON document is larger than {MAX_LINE >> 20} MB; write one object a line (JSONL)")


def _one_a_line(held: list[Line]) -> bool:
    """Return whether the first lines are objects by themselves, or mean to be: two begin without indent."""
    first = [line for _, line in held[:20] if isinstance(line, bytes)]
    if sum(line.startswith(b"{") for line in first) >= 2:
        return True
    return any(type(_parse(line)) is dict for _, line in _unless_brackets(iter(held[:20])) if isinstance(line, bytes))


def _no_number(word: str) -> None:
    """NaN and Infinity are no JSON; they are read as nothing."""


def _salvaged(whole: bytes, cuts: list[tuple[int, Fault]]) -> Rows:
    """Yield the items of a list up to where it is cut or damaged, then one fault that says so."""
    text = whole.decode("utf-8", "replace").lstrip()
    number = 0
    if text.startswith("["):
        decode = json.JSONDecoder(parse_constant=_no_number).raw_decode
        place = 1
        try:
            while True:
                place += len(text[place : place + 4096]) - len(text[place : place + 4096].lstrip(", \r\n\t"))
                item, place = decode(text, place)
                number += 1
                item = mended(item)
                yield number, item if type(item) is dict else Fault(f"item is {kind_of(item)}; must be a JSON object")
        except (ValueError, RecursionError):
            pass
    reason = cuts[0][1].reason if cuts else "JSON document is cut short or damaged; what came before was read"
    yield number + 1, Fault(reason)


def _unless_brackets(lines: Iterator[Line]) -> Iterator[Line]:
    """Lines of an array written one item a line are readable alone, once commas and brackets are off."""
    for number, line in lines:
        if isinstance(line, bytes):
            bare = line.strip().removeprefix(b"[").removesuffix(b",").removesuffix(b"]")
            line = bare if bare.startswith(b"{") else b"" if not bare else line
        yield number, line
