"""How many scored tokens a reading needs, from the green rate alone.

In: the rate of green tokens under the right key, a level and a power. Out: tokens. Exact: binomial against binomial.
Cost: a millisecond for rates from 0.55, more below. Left to the caller: that rates differ between texts; entropy is
what a mark lives on, and a median text says little of code or JSON.
"""

import math

import numpy as np
from scipy.special import bdtrc

from stillwatch.stats.arrays import IntArray, strictly_within
from stillwatch.stats.exact import binomial_tail
from stillwatch.treatments.marks.green import GAMMA


def least_hits(scored: IntArray, log_alpha: float) -> IntArray:
    """Return the least count of green pairs whose log p-value is at most `log_alpha`; `scored` + 1 where none is.

    >>> least_hits(np.array([19, 20, 100]), math.log(1e-6)).tolist()
    [20, 20, 74]
    """
    n = np.asarray(scored, np.int64)
    low, high = np.full(n.shape, -1, np.int64), n + 1  # not enough; enough or impossible
    while bool(np.any(high - low > 1)):
        middle = np.minimum((low + high + 1) // 2, high - 1)
        middle = np.maximum(middle, low + (high - low > 1))
        enough = binomial_tail(np.clip(middle, 0, n), n, GAMMA) <= log_alpha
        inside = high - low > 1
        high = np.where(inside & enough, middle, high)
        low = np.where(inside & ~enough, middle, low)
    return high


def power(rate: float, scored: IntArray, log_alpha: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the chance that a text with this green rate is found at this level, shape of `scored`."""
    n = np.asarray(scored, np.int64)
    return np.asarray(bdtrc(least_hits(n, log_alpha) - 1.0, n, rate))


def tokens_needed(rate: float, *, alpha: float = 1e-6, at_power: float = 0.9) -> int:
    """Return from how many scored tokens on a text is found with chance `at_power` or more.

    Args:
        rate: Green rate under the right key, strictly between 0.5 and 1.
        alpha: Level of the test, strictly between 0 and 1; divide it by the number of hypotheses tried.
        at_power: Chance to find, strictly between 0 and 1.

    Returns:
        Least n such that n and every greater number up to half as many again reach the power.

    >>> [tokens_needed(rate) for rate in (0.75, 0.65, 0.60)]
    [141, 405, 915]
    """
    strictly_within("rate", rate, GAMMA, 1.0)
    strictly_within("alpha", alpha, 0.0, 1.0)
    strictly_within("at_power", at_power, 0.0, 1.0)
    log_alpha = math.log(alpha)
    guess = max(20, math.ceil((math.sqrt(-log_alpha) + 1.5) ** 2 / (2.0 * (rate - GAMMA) ** 2)))
    n = np.arange(1, guess + guess // 2 + 1)
    short = np.flatnonzero(power(rate, n, log_alpha) < at_power)
    return int(n[short[-1]]) + 1 if len(short) else 1
