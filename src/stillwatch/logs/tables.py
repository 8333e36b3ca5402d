"""Rows of CSV and Parquet files.

In: numbered lines, or a path. Out: (row number, row) or (row number, `Fault`).
Cost: the csv module's and pyarrow's own; a CSV field may be 64 MB long, a Parquet batch 1000 rows.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stillwatch.logs.importer import Row
from stillwatch.logs.lines import MAX_LINE, Fault, Line

Rows = Iterator[tuple[int, Row | Fault]]
DELIMITERS = ",\t;|"


def delimiter_of(header: str) -> str:
    """Return the delimiter that stands most often in a header line; a comma where none does."""
    return max(DELIMITERS, key=header.count)


class _Feed:
    """Hands lines to the csv reader as text and keeps aside those that cannot be."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self.lines = lines
        self.number = 0
        self.faults: list[tuple[int, Fault]] = []

    def __iter__(self) -> Iterator[str]:
        for number, line in self.lines:
            self.number = number
            if isinstance(line, Fault):
                self.faults.append((self.number, line))
                continue
            try:
                yield line.decode("utf-8") + "\n"
            except UnicodeDecodeError as error:
                self.faults.append((self.number, Fault(f"line is not UTF-8 (byte {error.start}); recode the file")))


def csv_rows(lines: Iterator[Line], delimiter: str | None) -> Rows:
    """Yield the rows of a CSV file whose first line names the columns.

    Args:
        lines: Numbered lines; a quoted field may run over several.
        delimiter: One character, or None to tell it from the header.
    """
    feed = _Feed(lines)
    texts = iter(feed)
    header_line = next((text for text in texts if text.strip()), None)
    yield from feed.faults
    feed.faults.clear()
    if header_line is None:
        return
    delimiter = delimiter or delimiter_of(header_line)
    header = [name.strip() for name in next(csv.reader([header_line], delimiter=delimiter))]
    limit = csv.field_size_limit(MAX_LINE)  # the module's default of 128 KB is less than many prompts
    try:
        yield from _records(feed, csv.reader(texts, delimiter=delimiter, strict=True), header)
    finally:
        csv.field_size_limit(limit)


def _records(feed: _Feed, reader: Any, header: list[str]) -> Rows:
    start = feed.number + 1
    while True:
        csv.field_size_limit(MAX_LINE)
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield start, Fault(f"CSV: {error}")
            values = []
        yield from feed.faults
        feed.faults.clear()
        if values is None:
            return
        if values and len(values) != len(header):
            yield start, Fault(f"CSV: row has {len(values)} columns; the header has {len(header)}")
        elif values:
            yield start, dict(zip(header, values, strict=True))
        start = feed.number + 1


def parquet_rows(path: Path) -> Rows:
    """Yield the rows of a Parquet file as plain dictionaries."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError, ValueError) as error:
        yield number + 1, Fault(f"Parquet: damaged from here on ({type(error).__name__}); what came before was read")
