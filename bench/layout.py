"""Put figures into Markdown without flattering anybody: recall is cut, error rates are rounded up.

In: numbers. Out: text. Left to `tables`: which numbers.
"""

import math
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table with columns of even width.

    >>> print(table(["a", "b"], [["1", "22"]]))
    | a | b  |
    |---|----|
    | 1 | 22 |
    """
    cells = [list(head), *(list(row) for row in rows)]
    width = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in width) + "|", *lines[1:]])


def down(share: float) -> str:
    """Return a percentage cut, not rounded, to one place: 84.99 % never reads 85.

    >>> down(0.8499), down(1.0)
    ('84.9 %', '100.0 %')
    """
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f} %"


def up(share: float, places: int = 1) -> str:
    """Return a percentage rounded away from zero: 5.01 % never reads 5.0.

    >>> up(0.0501)
    '5.1 %'
    """
    return f"{ceiling(share * 100, places):.{places}f} %"


def ceiling(value: float, places: int) -> float:
    """Return `value` rounded up to so many places."""
    scale = float(10**places)
    return math.ceil(value * scale - 1e-9) / scale


def interval(low: float, high: float) -> str:
    """Return the ends in percent, outwards; nothing where they are not known.

    >>> interval(0.7221, 0.9631)
    ' (72.2-96.4)'
    """
    return "" if math.isnan(low) else f" ({down(low)[:-2]}-{up(high)[:-2]})"
