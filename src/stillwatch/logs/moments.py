"""Times as logs write them, to seconds since 1970-01-01 UTC.

In: numbers in seconds, milli-, micro- or nanoseconds; ISO 8601 with or without zone; mail and web-server dates.
Out: seconds, or None where the value is no time. A time without zone is read as UTC.
Cost: under a microsecond for numbers and ISO. Left to `assemble`: refusing clocks that cannot be right.
"""

import math
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any

UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
"""Units by name: how many make a second."""

_FORMATS = ("%d/%b/%Y:%H:%M:%S %z", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S.%f %Z")


def from_number(value: float) -> float | None:
    """Return epoch seconds from a number whose unit is told by its size.

    >>> from_number(1.7e9), from_number(1.7e12), from_number(1.7e18)
    (1700000000.0, 1700000000.0, 1700000000.0)
    """
    size = abs(value)
    if size < 1e11:
        return float(value)
    if size < 1e14:
        return value / 1e3
    if size < 1e17:
        return value / 1e6
    return value / 1e9 if size < 1e20 else None


def from_text(text: str) -> float | None:
    """Return epoch seconds from a date in words or digits, or None.

    >>> from_text("2024-05-01T12:00:00+02:00"), from_text("1714557600000"), from_text("yesterday")
    (1714557600.0, 1714557600.0, None)
    """
    text = text.strip()
    if not 8 <= len(text) <= 40:
        return None
    try:
        return _stamp(datetime.fromisoformat(text)) if "-" in text[1:] else _finite(float(text))
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            return _stamp(datetime.strptime(text, form))
        except ValueError:
            continue
    try:
        return _stamp(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def to_seconds(value: Any) -> float | None:
    """Return epoch seconds from whatever a row holds, or None where it is no time."""
    kind = type(value)
    if kind is str:
        return from_text(value)
    if kind is float or kind is int:
        return _finite(value)
    if isinstance(value, datetime):
        return _stamp(value)
    if kind is list and len(value) == 2 and type(value[0]) is int and type(value[1]) is int:
        return value[0] + value[1] / 1e9 if abs(value[0]) < 1 << 40 else None  # seconds and nanoseconds
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    return None


def as_told(value: Any, *, unit: str = "", form: str = "") -> float | None:
    """Return epoch seconds where a mapping file tells the unit or the `strptime` format.

    >>> as_told("31.12.2023 23:59", form="%d.%m.%Y %H:%M")
    1704067140.0
    """
    try:
        if form:
            return _stamp(datetime.strptime(str(value).strip(), form))
        if unit:
            return float(value) / UNITS[unit]
    except (ValueError, TypeError, OverflowError):
        return None
    return to_seconds(value)


def _finite(value: float) -> float | None:
    return from_number(value) if math.isfinite(value) else None


def _stamp(moment: datetime) -> float | None:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None
