"""Checks that settings and records run on themselves when they are built.

In: a name and a value. Out: nothing, or a `StillwatchError` that says what to change.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from stillwatch.terms.errors import StillwatchError

_NOTED: Final[ContextVar[dict[str, tuple[float, float]] | None]] = ContextVar("noted_ranges", default=None)


@contextmanager
def noted_ranges() -> Iterator[dict[str, tuple[float, float]]]:
    """Note the bounds of every range that is checked within, by name, so that pages can state them.

    >>> with noted_ranges() as found:
    ...     check_range("detect.q", 0.05, low=0.0, high=1.0)
    >>> found
    {'detect.q': (0.0, 1.0)}
    """
    found: dict[str, tuple[float, float]] = {}
    before = _NOTED.set(found)
    try:
        yield found
    finally:
        _NOTED.reset(before)


def check_range(name: str, value: float, *, low: float, high: float) -> None:
    """Raise unless `value` lies strictly between `low` and `high`.

    Args:
        name: Dotted name of the setting, as the settings file spells it.
        value: What was given.
        low: Lower bound, excluded.
        high: Upper bound, excluded; may be infinite.

    Raises:
        StillwatchError: `value` is outside, or is not a number.

    >>> check_range("detect.q", 0.05, low=0.0, high=1.0)
    """
    noted = _NOTED.get()
    if noted is not None:
        noted[name] = (low, high)
    if math.isnan(value) or not low < value < high:
        bound = f"above {low}" if math.isinf(high) else f"strictly between {low} and {high}"
        raise StillwatchError(
            f"{name} = {value}: must lie {bound}.\n"
            f"Run `stillwatch config explain {name}` for the default and what it changes."
        )
