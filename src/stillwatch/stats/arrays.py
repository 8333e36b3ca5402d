"""The array types this room speaks, and the checks its functions share.

In: what a caller passed. Out: float or integer arrays, or a `ValueError` that names the argument.
Cost: one pass. Left to each function: what its numbers mean.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatLike = npt.ArrayLike
IntLike = npt.ArrayLike


def probabilities(name: str, values: FloatLike) -> FloatArray:
    """Return `values` as floats, each in [0, 1].

    Raises:
        ValueError: an entry is NaN or outside [0, 1].
    """
    out = np.asarray(values, dtype=np.float64)
    if not bool(np.all((out >= 0.0) & (out <= 1.0))):
        raise ValueError(f"{name}: has an entry outside [0, 1] or NaN; pass probabilities.")
    return out


def log_values(name: str, values: FloatLike) -> FloatArray:
    """Return `values` as floats, infinite ones allowed.

    Raises:
        ValueError: an entry is NaN.
    """
    out = np.asarray(values, dtype=np.float64)
    if bool(np.any(np.isnan(out))):
        raise ValueError(f"{name}: has a NaN; leave out what was not measured, or pass 0 nats for it.")
    return out


def counts(name: str, values: IntLike) -> IntArray:
    """Return `values` as integers, each at least 0.

    Raises:
        ValueError: an entry is negative or no whole number.
    """
    raw: npt.NDArray[Any] = np.asarray(values)
    if raw.dtype.kind not in "iub" and bool(np.any(raw != np.floor(raw))):
        raise ValueError(f"{name}: has an entry that is no whole number; pass counts.")
    out = raw.astype(np.int64)
    if bool(np.any(out < 0)):
        raise ValueError(f"{name}: has a negative entry; pass counts of 0 or more.")
    return out


def at_most(name: str, values: IntArray, bound_name: str, bound: IntArray) -> None:
    """Raise unless every entry of `values` is at most its entry of `bound`.

    Raises:
        ValueError: it is not.
    """
    if bool(np.any(values > bound)):
        raise ValueError(f"{name}: exceeds {bound_name} somewhere; it counts a part of it.")


def strictly_within(name: str, value: float, low: float, high: float) -> None:
    """Raise unless `value` lies strictly between `low` and `high`.

    Raises:
        ValueError: it does not, or is NaN.
    """
    if not low < value < high:
        raise ValueError(f"{name} = {value}: must lie strictly between {low} and {high}.")
