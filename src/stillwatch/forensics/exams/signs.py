"""Weighted sums of fair signs: how likely chance alone gives so high a sum, whatever the weights.

In: weights that know nothing of the signs, and the sum. Out: natural logs of p-values, by four routes.
The null of every keyed exam is this: given the weights, the bits that the key draws are independent and fair.
`sharp_tail` is a theorem for all weights and is what findings use; `hoeffding_tail` is the older theorem;
`normal_tail` and `saddlepoint_tail` are approximations, given beside them so that a reader sees that they agree.
`martingale_tail` holds where weights may follow earlier signs, as on text that the mark itself shaped.
Cost: microseconds; the saddlepoint some 20 passes over the weights.
Source: Bentkus and Dzindzalieta 2015, "A tight Gaussian bound for weighted sums of Rademacher random variables",
arXiv:1307.3451; Hoeffding 1963; Lugannani and Rice 1980; Robbins 1970 (normal mixture).
"""

import math
from typing import Final

import numpy as np
from scipy.special import log_ndtr

from stillwatch.stats.arrays import FloatArray, FloatLike

SHARP: Final = 3.179
"""1 / (4 P(N >= sqrt 2)), rounded up: no weights make the tail larger than this many normal tails."""
_STEPS: Final = 60
_SCALES: Final = 8


def standard(total: float, weights: FloatArray) -> float:
    """Return the sum in units of its standard deviation; 0 where all weights are 0."""
    size = float(np.sqrt(np.sum(np.square(weights))))
    return total / size if size > 0.0 else 0.0


def sharp_tail(z: FloatLike) -> FloatArray:
    """Return log of an upper bound on P(sum of weighted signs >= z standard deviations), for any weights.

    >>> sharp_tail([0.0, 5.0, 7.5]).round(2).tolist()
    [0.0, -13.91, -29.92]
    """
    x = np.asarray(z, np.float64)
    bound = np.minimum(math.log(SHARP) + log_ndtr(-x), hoeffding_tail(x))
    return np.asarray(np.minimum(bound, 0.0))


def hoeffding_tail(z: FloatLike) -> FloatArray:
    """Return Hoeffding's bound, -z^2 / 2 for positive z; 0 below."""
    return np.asarray(-0.5 * np.square(np.maximum(np.asarray(z, np.float64), 0.0)))


def normal_tail(z: FloatLike) -> FloatArray:
    """Return the log of the normal tail, an approximation."""
    return np.asarray(log_ndtr(-np.asarray(z, np.float64)))


def saddlepoint_tail(total: float, weights: FloatArray) -> float:
    """Return the log of P(sum >= total) by Lugannani and Rice, an approximation that is good far out.

    Args:
        total: The sum seen.
        weights: Shape (n,), any sign.

    >>> round(saddlepoint_tail(60.0, np.ones(100)), 1), round(saddlepoint_tail(-1.0, np.ones(100)), 1)
    (-21.9, -0.6)
    """
    a = np.abs(weights[weights != 0.0])
    z = standard(total, a)
    if z <= 0.5 or a.size == 0:  # near the middle the formula is singular, and the normal tail is good
        return float(log_ndtr(-z)) if a.size else 0.0
    most = float(a.sum())
    if total >= most:
        return -math.log(2.0) * a.size if total <= most * (1.0 + 1e-12) else -math.inf
    low, high = 0.0, z / float(np.sqrt(np.sum(a * a)))
    while float(np.sum(a * np.tanh(high * a))) < total:
        low, high = high, 2.0 * high
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if float(np.sum(a * np.tanh(middle * a))) < total else (low, middle)
    t = 0.5 * (low + high)
    log_cosh = np.logaddexp(t * a, -t * a) - math.log(2.0)
    w = math.sqrt(max(2.0 * (t * total - float(log_cosh.sum())), 1e-300))
    v = t * math.sqrt(float(np.sum(np.square(a) * (1.0 - np.square(np.tanh(t * a))))))
    if v <= 0.0:
        return float(log_ndtr(-w))
    return min(0.0, float(log_ndtr(-(w + math.log(v / w) / w))))  # Barndorff-Nielsen's form: never negative


def martingale_tail(total: float, variance: float, most: float) -> float:
    """Return the log of a p-value that holds where each weight may follow the signs before it.

    The mean over eight scales of the half-normal mixture of exp(t S - t^2 V / 2): each has mean at most 1 under the
    null at every time, so by Ville's inequality its reciprocal is a p-value, stopped whenever.

    Args:
        total: S, the sum of weight times sign.
        variance: V, the sum of squared weights.
        most: What V can be at most; above 0, fixed before anything is known. Too high costs power only.

    >>> round(martingale_tail(80.0, 100.0, 100.0), 1), martingale_tail(-5.0, 100.0, 100.0)
    (-29.1, 0.0)
    """
    if not most > 0.0:
        raise ValueError(f"most = {most}: must be above 0, the greatest variance that the exam was planned for.")
    rho = most / 8.0 * 0.25 ** np.arange(_SCALES)
    whole = variance + rho
    # half-normal over t with variance 1 / rho: 2 sqrt(rho / whole) exp(S^2 / 2 whole) P(N <= S / sqrt(whole))
    log_e = (
        math.log(2.0) + 0.5 * np.log(rho / whole) + 0.5 * total * total / whole + log_ndtr(total / np.sqrt(whole))
    )  # fmt: skip
    return min(0.0, math.log(_SCALES) - float(np.logaddexp.reduce(log_e)))
