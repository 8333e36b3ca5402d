"""How commands print records: a table for a person, JSON for a program.

In: rows or plain values. Out: text on standard output.
"""

import math
import time
from collections.abc import Sequence
from typing import Any

import click
import orjson

from stillwatch.console.wording import safe


def as_table(head: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> str:
    """Return rows as columns that line up; `empty` where there are none.

    >>> print(as_table(("id", "account"), [("k_1", "acme")], ""))
    id   account
    k_1  acme
    """
    if not rows:
        return empty
    cells = [[safe(str(cell)) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def moment(seconds: float | None, missing: str = "-") -> str:
    """Return a time as `2026-01-05 00:00Z`; `missing` where there is none.

    >>> moment(0.0), moment(None), moment(float("inf"))
    ('1970-01-01 00:00Z', '-', '-')
    """
    if seconds is None or not math.isfinite(seconds):
        return missing
    return time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(seconds))


def print_json(value: Any) -> None:
    """Print plain values or records as indented JSON; what is not finite becomes null."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
