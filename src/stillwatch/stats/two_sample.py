"""Bet that members carry a mark more often than controls, given how often it occurs at all.

In: four counts a table. Out: nats against "the labels member and control are exchangeable".
Conditional on all margins the null has one distribution, so the e-value is exact: its mean over
all relabellings is 1, whatever the unknown rate.
Cost: about 0.2 milliseconds for each distinct set of margins, 15 at a million marked; repeats are free.
Left to the caller: counting in the exchangeable unit, and members chosen without looking at these hits.
Source: Fisher 1935; Fog 2008 (noncentral hypergeometric); Darroch 1964 (its mode and mean).
"""

import math

import numpy as np
from scipy.special import gammaln, logsumexp

from stillwatch.stats.arrays import FloatArray, FloatLike, IntLike, at_most, counts

LOG_ODDS: FloatArray = np.geomspace(0.1, 8.0, 16)
"""Log odds ratios bet on in equal parts: a tenth more up to three thousand times."""
LOG_ODDS.setflags(write=False)

_LEFT_OUT = 40.0
"""Nats: share of each normaliser that may be left out, exp(-40), below one rounding error."""


def two_sample_bet(
    hits_a: IntLike, n_a: IntLike, hits_b: IntLike, n_b: IntLike, *, log_odds: FloatLike | None = None
) -> FloatArray:
    """Return nats against "members (a) carry the mark no more often than controls (b)".

    Args:
        hits_a: Members that carry the mark.
        n_a: Members.
        hits_b: Controls that carry the mark.
        n_b: Controls.
        log_odds: Log odds ratios to bet on equally, all above 0, shape (n_alternatives,); `LOG_ODDS` when None.

    Returns:
        Nats, the counts' common shape. Nobody or everybody marked gives 0.

    Raises:
        ValueError: hits exceed their number, or a log odds ratio is not above 0.

    >>> two_sample_bet([8, 8, 0], [10, 10, 0], [5, 500, 7], [1000, 1000, 9]).round(3).tolist()
    [30.062, 0.982, 0.0]
    """
    table = np.broadcast_arrays(
        counts("hits_a", hits_a), counts("n_a", n_a), counts("hits_b", hits_b), counts("n_b", n_b)
    )
    at_most("hits_a", table[0], "n_a", table[1])
    at_most("hits_b", table[2], "n_b", table[3])
    grid = np.asarray(LOG_ODDS if log_odds is None else log_odds, dtype=np.float64).ravel()
    if grid.size == 0 or not bool(np.all((grid > 0.0) & np.isfinite(grid))):
        raise ValueError("log_odds: must hold at least one finite log odds ratio above 0.")
    hits, members, controls = table[0].ravel(), table[1].ravel(), table[3].ravel()
    margins = np.stack([members, controls, hits + table[2].ravel()], axis=1)
    distinct, which = np.unique(margins, axis=0, return_inverse=True)
    mean_odds = np.array([_log_mean_odds(int(a), int(b), int(k), grid) for a, b, k in distinct]).reshape(-1, grid.size)
    ratios = hits[:, None] * grid[None, :] - mean_odds[which.ravel()]
    return np.asarray(logsumexp(ratios, axis=1) - math.log(grid.size)).reshape(table[0].shape)


def _log_mean_odds(members: int, controls: int, marked: int, grid: FloatArray) -> FloatArray:
    """Return log E[odds**X] for X hypergeometric, for each log odds ratio; shape of `grid`.

    Under each odds ratio X is a sum of independent indicators (its generating polynomial has real
    roots only), so Bernstein's inequality says how far from the mode terms still matter.
    """
    low, high = max(0, marked - controls), min(marked, members)
    if low == high:
        return low * grid
    spare = controls - marked
    odds = np.exp(grid)
    linear = odds * (marked + members + 2.0) + spare
    constant = odds * (marked + 1.0) * (members + 1.0)
    mode = np.floor(2.0 * constant / (linear + np.sqrt(np.maximum(linear**2 - 4.0 * (odds - 1.0) * constant, 0.0))))
    mode = np.clip(mode, low, high)
    variance = np.minimum(np.minimum(mode - low + 1.0, high - mode + 1.0), (high - low) / 4.0)
    third = (_LEFT_OUT + math.log(2.0)) / 3.0
    reach = third + np.sqrt(third**2 + 6.0 * third * variance) + 2.0
    first = np.maximum(low, np.floor(mode - reach))
    width = int(np.max(np.minimum(high, np.ceil(mode + reach)) - first)) + 1
    x = first[:, None] + np.arange(min(width, high - low + 1))[None, :]
    inside = x <= high
    x = np.where(inside, x, high)
    ways_in = gammaln(x + 1.0) + gammaln(members - x + 1.0)
    ways_out = gammaln(marked - x + 1.0) + gammaln(spare + x + 1.0)
    log_terms = x * grid[:, None] - ways_in - ways_out
    total = logsumexp(np.where(inside, log_terms, -np.inf), axis=1)
    everyone = members + controls
    ways = gammaln(everyone + 1.0) - gammaln(members + 1.0) - gammaln(controls + 1.0)
    halves = gammaln(marked + 1.0) + gammaln(everyone - marked + 1.0)
    return np.asarray(total + halves - ways)
