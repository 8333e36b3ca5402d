"""Times as STIX and TAXII spell them, as whole microseconds since 1970.

In: `2026-11-30T03:10:00.123456Z`. Out: an int, and back. Left to callers: what the time is of.
Source: RFC 3339 with `Z`, as STIX 2.1 section 2.16 narrows it; more than six decimals are refused, because two
versions that differ further behind could not be told apart.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?Z", re.ASCII)
_MICRO: Final = timedelta(microseconds=1)


def micros(text: object) -> int | None:
    """Return microseconds since 1970; None where `text` is no such time.

    >>> micros("1970-01-01T00:00:01.5Z"), micros("1970-01-01"), micros(None)
    (1500000, None, None)
    """
    found = _STAMP.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:  # a leap second has no microsecond of its own: it counts as the last one before it
        whole = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC) if second <= 60 else None
    except ValueError:
        return None
    if whole is None:
        return None
    part = 999_999 if second == 60 else int((found[7] or "").ljust(6, "0"))
    return (whole - _EPOCH) // _MICRO + part


def stamp(at: int) -> str:
    """Return microseconds since 1970 as text with six decimals.

    >>> stamp(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return f"{(_EPOCH + at * _MICRO).strftime('%Y-%m-%dT%H:%M:%S.%f')}Z"


def of_seconds(at: float) -> int:
    """Return seconds since 1970 as microseconds.

    >>> of_seconds(1.5)
    1500000
    """
    return round(at * 1_000_000)


def milli_stamp(at: float) -> str:
    """Return seconds since 1970 as text with three decimals, which is what STIX objects are versioned by here.

    >>> milli_stamp(1.5)
    '1970-01-01T00:00:01.500Z'
    """
    return f"{stamp(of_seconds(at))[:-4]}Z"
