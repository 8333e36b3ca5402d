"""Exact upper tails of sums of exponential scores, as logs.

In: a sum and how many scores it has. Out: log p-values, finite however deep.
Cost: microseconds; for two keys some thousands of terms, milliseconds.
Left to `stats.exact`: counts. Source: Abramowitz and Stegun 6.5.31 with the modified Lentz algorithm; a gamma variable
is a negative binomial mixture of gamma variables of a smaller scale (Moschopoulos 1985 for two scales).
"""

import math
from typing import Final

import numpy as np
from scipy.special import gammaincc, gammaln

from stillwatch.stats.arrays import FloatArray, FloatLike

_DEEP: Final = 1e-250
_STEPS: Final = 4000
_MOST_TERMS: Final = 8_192
_NATS: Final = 60.0
"""Terms this far below the greatest are bounded, not added up."""
_NEARLY_ONE_KEY: Final = 1e-4
"""Weight of the second key below which it is bounded, not added up; the sums lose their digits below some 1e-5."""


def gamma_tail(score: FloatLike, shape: FloatLike) -> FloatArray:
    """Return log P(X >= score) for X the sum of `shape` exponential scores of mean 1.

    Args:
        score: Sums, broadcast; 0 or below gives 0.
        shape: Scores added up, at least 1.

    >>> gamma_tail([0.0, 5.0, 5000.0], [1, 5, 1000]).round(3).tolist()
    [0.0, -0.82, -2396.322]
    """
    x, a = (np.array(v, dtype=np.float64) for v in np.broadcast_arrays(score, shape))
    x = np.maximum(x, 0.0)
    plain = np.asarray(gammaincc(a, x))
    with np.errstate(divide="ignore"):
        out = np.asarray(np.log(plain))
    deep = plain < _DEEP
    if bool(np.any(deep)):
        a, x = a[deep], x[deep]
        out[deep] = a * np.log(x) - x - gammaln(a) + np.log(_fraction(a, x))
    return np.asarray(np.minimum(out, 0.0))


def _fraction(a: FloatArray, x: FloatArray) -> FloatArray:
    """Return the continued fraction of the upper incomplete gamma function, for x well above a."""
    b = x + 1.0 - a
    c = np.full_like(x, 1e300)
    d = 1.0 / b
    h = d.copy()
    for i in range(1, _STEPS):
        term = -i * (i - a)
        b = b + 2.0
        d = 1.0 / (term * d + b)
        c = b + term / c
        h = h * d * c
        if bool(np.all(np.abs(d * c - 1.0) < 1e-14)):
            break
    return h


def two_key_tail(score: float, shape: int, alpha: float) -> float:
    """Return log P(X >= score) for X = (1 - alpha) A + alpha B, each the sum of `shape` exponential scores.

    Never below the true value: the little that is not added up is bounded from above.

    Args:
        score: The weighted sum.
        shape: Scores in each sum; 0 gives 0.
        alpha: Weight of the second key, from 0 to 1.

    >>> round(two_key_tail(30.0, 10, 0.5), 6) == round(float(gamma_tail(60.0, 20)), 6)
    True
    """
    small, great = sorted((alpha, 1.0 - alpha))
    if shape == 0 or score <= 0.0:
        return 0.0
    if small < _NEARLY_ONE_KEY:
        return _nearly_one_key(score / great, shape, small / great)
    if great - small < 1e-12:
        return float(gamma_tail(score / small, 2 * shape))
    terms = _Mixture(score / small, shape, small / great)
    low, peak, high = terms.window()
    # Many terms are added up in strides, each as often as its stride is long with the greater of its ends.
    stride = max(1, (high - low) // _MOST_TERMS)
    grid = np.unique(np.concatenate([np.arange(low, high, stride), [peak, high]]))
    at = terms.at(grid)
    inside = at if stride == 1 else np.append(np.maximum(at[:-1], at[1:]) + np.log(np.diff(grid)), at[0])
    # Log-concave terms fall at least geometrically from an edge on, which bounds what lies beyond it.
    left = _beyond(*terms.at(np.array([low, low + 1]))) if low else -math.inf
    right = _beyond(*terms.at(np.array([high, high - 1])))
    everything = np.append(inside, [left, right])
    most = float(everything.max())
    return min(0.0, most + math.log(float(np.exp(everything - most).sum())))


def _nearly_one_key(x: float, shape: int, part: float) -> float:
    """Return a bound on log P(A + part B >= x) for a small part, where the sum of terms would lose its digits.

    Either B is beyond a place that is 60 nats less likely than A beyond x, or A is beyond what is then left of x.
    """
    far = x + 2.0 * shape + 120.0
    either = gamma_tail(np.array([max(x - part * far, 0.0), far]), shape)
    return min(0.0, float(np.logaddexp(either[0], either[1])))


def _beyond(edge: float, inner: float) -> float:
    """Return the log of the geometric series that follows an edge, given its log and that of the term before."""
    if edge >= inner:  # digits were lost: nothing is known of what follows
        return math.inf
    return edge + (edge - inner) - math.log(-math.expm1(edge - inner))


class _Mixture:
    """Log terms over K: K is negative binomial, and given K the sum is a gamma variable of shape 2 n + K."""

    def __init__(self, x: float, shape: int, p: float) -> None:
        self.x, self.shape, self.p = x, shape, p

    def at(self, k: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> FloatArray:
        n, count = float(self.shape), k.astype(np.float64)
        chance = gammaln(n + count) - gammaln(n) - gammaln(count + 1.0)
        chance = chance + n * math.log(self.p) + count * math.log1p(-self.p)
        return np.asarray(chance + gamma_tail(self.x, 2.0 * n + count))

    def window(self) -> tuple[int, int, int]:
        """Return the first, the greatest and the last K worth adding up; the terms are log-concave in K."""
        low, high = 0, max(1, int(self.x + 10.0 * self.shape / self.p))
        while high - low > 2:
            left, right = low + (high - low) // 3, high - (high - low) // 3
            if float(self.at(np.array([left]))[0]) < float(self.at(np.array([right]))[0]):
                low = left
            else:
                high = right
        peak = low + int(np.argmax(self.at(np.arange(low, high + 1))))
        least = float(self.at(np.array([peak]))[0]) - _NATS
        return self._edge(peak, least, -1), peak, self._edge(peak, least, 1)

    def _edge(self, peak: int, least: float, sign: int) -> int:
        step = 1
        while True:
            at = max(0, peak + sign * step)
            if at == 0 or float(self.at(np.array([at]))[0]) < least:
                return at
            step *= 2
