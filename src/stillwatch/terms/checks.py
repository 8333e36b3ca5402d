"""Checks that settings and records run on themselves when they are built.

In: a name and a value. Out: nothing, or a `StillwatchError` that says what to change.
"""

import math

from stillwatch.terms.errors import StillwatchError


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
    if math.isnan(value) or not low < value < high:
        bound = f"above {low}" if math.isinf(high) else f"strictly between {low} and {high}"
        raise StillwatchError(
            f"{name} = {value}: must lie {bound}.\nSee docs/reference/settings.md for the default and what it changes."
        )
