"""Exact upper tails, as logs: how likely chance alone gives at least this much.

In: counts and population figures, broadcast. Out: log p-values, at most 0, far below float underflow.
Cost: about a microsecond an entry; hypergeometric tails of huge draws up to 50 milliseconds.
Left to `evalues`: turning them into nats. Left to the caller: what the exchangeable unit is.
"""

import numpy as np
from scipy.special import logsumexp

from stillwatch.stats.arrays import FloatArray, FloatLike, IntArray, IntLike, at_most, counts, probabilities
from stillwatch.stats.incomplete import log_betainc, log_choose, log_gammainc


def binomial_tail(k: IntLike, n: IntLike, p: FloatLike) -> FloatArray:
    """Return log P(X >= k) for X binomial(n, p).

    Args:
        k: Successes seen, at least 0; above `n` gives `-inf`.
        n: Trials.
        p: Chance of a success under the null, in [0, 1].

    Returns:
        Log p-values, the arguments' common shape.

    >>> binomial_tail([0, 2, 400], [3, 3, 1000], [0.5, 0.5, 0.01]).round(3).tolist()
    [0.0, -0.693, -1178.731]
    """
    successes, trials = np.broadcast_arrays(counts("k", k), counts("n", n))
    chance = probabilities("p", p)
    possible = (successes >= 1) & (successes <= trials)
    a = np.where(possible, successes, 1).astype(np.float64)
    b = np.where(possible, trials - successes + 1, 1).astype(np.float64)
    tail = log_betainc(a, b, chance, 1.0 - chance)
    return np.where(successes == 0, 0.0, np.where(possible, tail, -np.inf))


def poisson_tail(k: IntLike, mean: FloatLike) -> FloatArray:
    """Return log P(X >= k) for X Poisson(mean).

    Args:
        k: Events seen, at least 0.
        mean: Events expected under the null, at least 0.

    Raises:
        ValueError: `mean` is negative or NaN.

    >>> poisson_tail([0, 1, 500], 2.0).round(3).tolist()
    [0.0, -0.145, -2266.753]
    """
    events = counts("k", k)
    expected = np.asarray(mean, dtype=np.float64)
    if not bool(np.all(expected >= 0.0)):
        raise ValueError("mean: has a negative or NaN entry; pass expected counts of 0 or more.")
    tail = log_gammainc(np.maximum(events, 1).astype(np.float64), expected)
    return np.where(events == 0, 0.0, tail)


def hypergeometric_tail(k: IntLike, marked: IntLike, drawn: IntLike, population: IntLike) -> FloatArray:
    """Return log P(X >= k): at least `k` marked ones among those drawn without replacement.

    The exact test of "members carry the mark no more often than others": the members are the draw.

    Args:
        k: Marked ones seen in the draw.
        marked: Marked ones in the population, members included.
        drawn: Size of the draw.
        population: Size of the population.

    Returns:
        Log p-values, the arguments' common shape.

    Raises:
        ValueError: `marked` or `drawn` exceeds `population`.

    >>> hypergeometric_tail([2, 40], [5, 50], [3, 100], [10, 100_000]).round(3).tolist()
    [-0.693, -262.351]
    """
    seen, good, draw, size = np.broadcast_arrays(
        counts("k", k), counts("marked", marked), counts("drawn", drawn), counts("population", population)
    )
    at_most("marked", good, "population", size)
    at_most("drawn", draw, "population", size)
    shape = seen.shape
    k1, good, draw, size = (v.ravel() for v in (seen, good, draw, size))
    low = np.maximum(0, draw - (size - good))
    high = np.minimum(good, draw)
    out = np.where(k1 <= low, 0.0, -np.inf)
    inner = (k1 > low) & (k1 <= high)
    if bool(np.any(inner)):
        out[inner] = _hypergeometric_inner(k1[inner], good[inner], draw[inner], size[inner])
    return out.reshape(shape)


def _hypergeometric_inner(k: IntArray, good: IntArray, draw: IntArray, size: IntArray) -> FloatArray:
    """Sum away from the mode, from `k` up or from `k - 1` down, so that terms only shrink."""
    up = k > (good + 1.0) * (draw + 1.0) / (size + 2.0)
    start = np.where(up, k, k - 1).astype(np.float64)
    good_f, draw_f, bad = good.astype(np.float64), draw.astype(np.float64), (size - good).astype(np.float64)
    first = log_choose(good_f, start) + log_choose(bad, draw_f - start) - log_choose(size.astype(np.float64), draw_f)
    x = start.copy()
    term = np.ones_like(x)
    total = np.ones_like(x)
    while True:
        rising = (good_f - x) * (draw_f - x) / np.maximum((x + 1.0) * (bad - draw_f + x + 1.0), 1.0)
        falling = x * (bad - draw_f + x) / np.maximum((good_f - x + 1.0) * (draw_f - x + 1.0), 1.0)
        ratio = np.where(up, rising, falling)
        term = term * np.maximum(ratio, 0.0)
        total = total + term
        x = x + np.where(up, 1.0, -1.0)
        # The terms shrink at least geometrically from here on, which bounds what is left out.
        if bool(np.all(term <= 1e-17 * total * (1.0 - np.minimum(ratio, 1.0)))):
            break
    log_sum = np.minimum(first + np.log(total), 0.0)
    with np.errstate(divide="ignore"):
        return np.where(up, log_sum, np.log(-np.expm1(np.where(up, -1.0, log_sum))))


def collision_tail(k: IntLike, members: IntLike, frequency: FloatLike, *, n_values: int = 1) -> FloatArray:
    """Return log of an upper bound on the chance that `k` of the members share one value.

    Args:
        k: Members that carry the value.
        members: Members in all, drawn independently of the value under the null.
        frequency: The value's share of the population, in [0, 1]; an upper bound is allowed.
        n_values: Values among which this one was picked after looking; 1 when it was fixed
            before. Bonferroni.

    Returns:
        Log p-values, at most 0.

    Raises:
        ValueError: `n_values` is below 1.

    >>> collision_tail(12, 40, 0.001, n_values=5000).round(3).tolist()
    -51.958
    """
    if n_values < 1:
        raise ValueError(f"n_values = {n_values}: must be at least 1, the value itself.")
    return np.asarray(np.minimum(binomial_tail(k, members, frequency) + np.log(n_values), 0.0))


def collision_tail_any(k: int, members: int, frequencies: FloatLike) -> float:
    """Return log of an upper bound on the chance that *any* value is shared by `k` members or more.

    Tighter than `n_values` times the worst when frequencies are uneven: rare values cost little.

    Args:
        k: Greatest number of members that share one value.
        members: Members in all.
        frequencies: Share of each value in the population, shape (n_values,); sums to at most 1.

    Returns:
        Log p-value, at most 0: the union bound over the values.

    Raises:
        ValueError: the frequencies sum to more than 1.

    >>> round(collision_tail_any(3, 23, np.full(365, 1 / 365)), 3)
    -4.362
    """
    shares = probabilities("frequencies", frequencies).ravel()
    if float(np.sum(shares)) > 1.0 + 1e-9:
        raise ValueError(f"frequencies: sum to {float(np.sum(shares)):.6g}; shares of one population sum to 1 at most.")
    values, repeats = np.unique(shares, return_counts=True)
    tails = binomial_tail(k, members, values)
    return float(np.minimum(logsumexp(tails + np.log(repeats)), 0.0)) if values.size else (0.0 if k == 0 else -np.inf)
