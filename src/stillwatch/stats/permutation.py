"""Permutation p-values: how often relabelling alone gives a statistic this high.

In: values of members and of others, or statistics already drawn under relabelling. Out: valid p-values.
Cost: one call of the statistic a relabelling. Left to the caller: relabelling in the exchangeable unit.
Source: Phipson and Smyth 2010, "Permutation p-values should never be zero".
"""

import itertools
import math

import numpy as np

from stillwatch.stats.arrays import FloatArray, FloatLike, log_values
from stillwatch.stats.intervals import Statistic


def monte_carlo_p(observed: FloatLike, drawn: FloatArray) -> FloatArray:
    """Return (1 + draws at least as high) / (1 + draws): valid for any number of draws.

    Args:
        observed: Statistics seen, any shape; higher is stranger.
        drawn: Statistics drawn under the null, independently or by relabelling, shape (n_draws,).

    >>> monte_carlo_p([5.0, 0.5], np.array([1.0, 2.0, 3.0])).tolist()
    [0.25, 1.0]
    """
    seen, null = log_values("observed", observed), np.sort(log_values("drawn", drawn).ravel())
    return np.asarray((1.0 + null.size - np.searchsorted(null, seen, side="left")) / (1.0 + null.size))


def permutation_p(
    members: FloatArray,
    others: FloatArray,
    statistic: Statistic,
    *,
    rng: np.random.Generator | None = None,
    draws: int = 9999,
) -> float:
    """Return how likely so many units, drawn from all, have a statistic as high as the members'.

    Args:
        members: One value a unit, shape (n,).
        others: Units that could as well have been members, shape (m,).
        statistic: Takes the members' values, returns a float; higher is stranger.
        rng: Draws `draws` relabellings. None goes through every one, exactly.
        draws: Relabellings drawn when `rng` is given; at least 1.

    Raises:
        ValueError: no members, or more than 200,000 relabellings to go through exactly.

    >>> permutation_p(np.array([8.0, 9.0]), np.array([1.0, 2.0, 3.0]), np.mean)
    0.1
    """
    every = np.concatenate([np.asarray(members, dtype=np.float64), np.asarray(others, dtype=np.float64)])
    n = len(members)
    if n == 0 or draws < 1:
        raise ValueError(f"members: {n}, draws: {draws}; both must be at least 1.")
    # Sums in another order differ in the last digit; a tie must count against the accusation.
    observed = float(statistic(every[:n]))
    observed -= 1e-12 * max(abs(observed), 1e-300)
    if rng is not None:
        found = np.array([statistic(rng.permutation(every)[:n]) for _ in range(draws)])
        return float(monte_carlo_p(observed, found))
    if math.comb(every.size, n) > 200_000:
        raise ValueError(f"members: {math.comb(every.size, n)} relabellings are too many to go through; pass rng.")
    found = np.array([statistic(every[list(chosen)]) for chosen in itertools.combinations(range(every.size), n)])
    return float(np.mean(found >= observed))
