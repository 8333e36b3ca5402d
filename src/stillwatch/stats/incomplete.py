"""Logs of the incomplete beta and gamma functions, where the plain ones underflow.

In: shapes and arguments, broadcast. Out: natural logs, accurate to about 1e-9 relative to the
probability. Cost: one SciPy call; a short continued fraction only for entries below 1e-250.
Source: Abramowitz and Stegun 26.5.8 and 6.5.29; the modified Lentz algorithm (Thompson and Barnett 1986).
"""

import numpy as np
from scipy.special import betainc, betaln, gammainc, gammaln, xlogy

from stillwatch.stats.arrays import FloatArray

_UNDERFLOW = 1e-250
_STEPS = 4000
_TINY = 1e-300


def log_betainc(a: FloatArray, b: FloatArray, x: FloatArray, one_minus_x: FloatArray) -> FloatArray:
    """Return log I_x(a, b), the log of the regularised incomplete beta function.

    Args:
        a: First shape, above 0.
        b: Second shape, above 0.
        x: In [0, 1].
        one_minus_x: 1 - x, passed apart so that an `x` close to 1 keeps its digits.

    Returns:
        Natural logs, at most 0; the arguments' common shape.
    """
    a, b, x, y = (np.array(v, dtype=np.float64) for v in np.broadcast_arrays(a, b, x, one_minus_x))
    plain = np.asarray(betainc(a, b, x))
    with np.errstate(divide="ignore"):
        out = np.asarray(np.log(plain))
    deep = (plain < _UNDERFLOW) & (x > 0.0)
    if bool(np.any(deep)):
        a, b, x, y = a[deep], b[deep], x[deep], y[deep]
        out[deep] = xlogy(a, x) + xlogy(b, y) - np.log(a) - betaln(a, b) + np.log(_beta_fraction(a, b, x))
    return np.asarray(np.minimum(out, 0.0))


def _beta_fraction(a: FloatArray, b: FloatArray, x: FloatArray) -> FloatArray:
    """Return the continued fraction of I_x(a, b); fast for x well below a / (a + b)."""
    c = np.ones_like(x)
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    h = d.copy()
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d = 1.0 / _away_from_zero(1.0 + even * d)
        c = _away_from_zero(1.0 + even / c)
        h = h * d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 / _away_from_zero(1.0 + odd * d)
        c = _away_from_zero(1.0 + odd / c)
        h = h * d * c
        if bool(np.all(np.abs(d * c - 1.0) < 1e-14)):
            break
    return h


def _away_from_zero(v: FloatArray) -> FloatArray:
    return np.where(np.abs(v) < _TINY, _TINY, v)


def log_gammainc(a: FloatArray, x: FloatArray) -> FloatArray:
    """Return log P(a, x), the log of the regularised lower incomplete gamma function.

    Args:
        a: Shape, above 0.
        x: At least 0.

    Returns:
        Natural logs, at most 0; the arguments' common shape.
    """
    a, x = (np.array(v, dtype=np.float64) for v in np.broadcast_arrays(a, x))
    plain = np.asarray(gammainc(a, x))
    with np.errstate(divide="ignore"):
        out = np.asarray(np.log(plain))
    deep = (plain < _UNDERFLOW) & (x > 0.0)
    if bool(np.any(deep)):
        a, x = a[deep], x[deep]
        term = np.ones_like(x)
        total = np.ones_like(x)
        for step in range(1, 100 * _STEPS):
            term = term * x / (a + step)
            total = total + term
            if bool(np.all(term < 1e-16 * total)):
                break
        out[deep] = xlogy(a, x) - x - gammaln(a + 1.0) + np.log(total)
    return np.asarray(np.minimum(out, 0.0))


def log_choose(n: FloatArray, k: FloatArray) -> FloatArray:
    """Return log of n over k; `-inf` where k is below 0 or above n. Keeps its digits for huge n."""
    inside = (k >= 0) & (k <= n)
    kept = np.where(inside, k, 0)
    return np.where(inside, -np.log1p(n) - betaln(n - kept + 1.0, kept + 1.0), -np.inf)
