"""How sure a measured figure is: intervals for rates, ratios of rates, and any statistic.

In: counts, or values with the account each comes from. Out: lower and upper ends.
Cost: microseconds for rates; `resamples` calls of the statistic for the bootstrap.
Left to the caller: naming the unit; requests of one account are one cluster, not many units.
Source: Clopper and Pearson 1934; Wilson 1927; Efron 1979; Field and Welsh 2007 (cluster bootstrap).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtri

from stillwatch.stats.arrays import FloatArray, FloatLike, IntArray, IntLike, at_most, counts, strictly_within

Statistic = Callable[[FloatArray], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapConfig:
    """How a bootstrap interval is drawn."""

    resamples: int = 2000
    """Times the data are drawn anew; at least 100."""
    confidence: float = 0.95
    """Share of the resampled statistics that lies inside; strictly between 0 and 1."""

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        strictly_within("confidence", self.confidence, 0.0, 1.0)
        if self.resamples < 100:
            raise ValueError(f"resamples = {self.resamples}: must be at least 100; 2000 is usual.")


BOOTSTRAP = BootstrapConfig()
"""2,000 resamples, 95 %."""


def clopper_pearson(k: IntLike, n: IntLike, *, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return the exact interval for a rate: covers with at least `confidence`, whatever the rate.

    Args:
        k: Successes; at most `n`.
        n: Trials; none give (0, 1).
        confidence: Two-sided, strictly between 0 and 1.

    Returns:
        Lower and upper ends, the counts' common shape.

    >>> [float(end.round(4)) for end in clopper_pearson(0, 30)]
    [0.0, 0.1157]
    """
    won, tried = _rate_counts(k, n)
    strictly_within("confidence", confidence, 0.0, 1.0)
    tail = (1.0 - confidence) / 2.0
    return _rate_low(won, tried, tail), _rate_high(won, tried, tail)


def wilson(k: IntLike, n: IntLike, *, confidence: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's interval for a rate: covers with `confidence` on average; shorter than the exact one.

    Args:
        k: Successes; at most `n`.
        n: Trials; none give (0, 1).
        confidence: Two-sided, strictly between 0 and 1.

    >>> [float(end.round(4)) for end in wilson(5, 50)]
    [0.0435, 0.2136]
    """
    won, tried = _rate_counts(k, n)
    strictly_within("confidence", confidence, 0.0, 1.0)
    z2 = float(ndtri((1.0 + confidence) / 2.0)) ** 2
    trials = np.maximum(tried, 1)
    centre = (won + z2 / 2.0) / (trials + z2)
    half = np.sqrt(z2) / (trials + z2) * np.sqrt(won * (trials - won) / trials + z2 / 4.0)
    low = np.where((tried == 0) | (won == 0), 0.0, np.maximum(centre - half, 0.0))
    high = np.where((tried == 0) | (won == tried), 1.0, np.minimum(centre + half, 1.0))
    return low, high


def ratio_upper(k: IntLike, n: IntLike, nominal: FloatLike, *, confidence: float = 0.95) -> FloatArray:
    """Return the upper bound of realised over nominal rate: 1.5 says at most half more than promised.

    Args:
        k: False alarms counted; at most `n`.
        n: Honest units watched.
        nominal: Rate promised, in (0, 1].
        confidence: One-sided, strictly between 0 and 1.

    Returns:
        The exact (Clopper-Pearson) upper bound divided by `nominal`.

    Raises:
        ValueError: counts out of order, or `nominal` out of range.

    >>> float(ratio_upper(20, 2000, 0.01).round(3))
    1.45
    """
    won, tried = _rate_counts(k, n)
    strictly_within("confidence", confidence, 0.0, 1.0)
    promised = np.asarray(nominal, dtype=np.float64)
    if not bool(np.all((promised > 0.0) & (promised <= 1.0))):
        raise ValueError("nominal: has an entry outside (0, 1]; pass the rate that was promised.")
    return np.asarray(_rate_high(won, tried, 1.0 - confidence) / promised)


def bootstrap_interval(
    values: FloatArray,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    cluster: IntArray | None = None,
    config: BootstrapConfig = BOOTSTRAP,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of `statistic(values)`.

    Args:
        values: Shape (n,) or (n, d); rows are drawn anew.
        statistic: Takes rows such as `values`, returns a float. NaN results are left out.
        rng: Source of chance.
        cluster: Account of each row, shape (n,); whole accounts are then drawn, all rows at once.
        config: Resamples and confidence.

    Raises:
        ValueError: no rows, lengths that differ, or every resample gave NaN.

    >>> low, high = bootstrap_interval(np.arange(100.0), lambda v: float(v.mean()), np.random.default_rng(1))
    >>> 43 < low < 45 < 54 < high < 56
    True
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.shape[:1] in ((), (0,)):
        raise ValueError("values: has no rows; a statistic of nothing has no interval.")
    names = np.arange(rows.shape[0]) if cluster is None else np.asarray(cluster)
    if names.shape != rows.shape[:1]:
        raise ValueError(f"cluster: has shape {names.shape}; must name the account of each of {rows.shape[0]} rows.")
    _, which, size = np.unique(names, return_inverse=True, return_counts=True)
    blocks = np.split(np.argsort(which.ravel(), kind="stable"), np.cumsum(size)[:-1])
    found = np.empty(config.resamples)
    for i in range(config.resamples):
        drawn = rng.integers(len(blocks), size=len(blocks))
        index = drawn if cluster is None else np.concatenate([blocks[j] for j in drawn])
        found[i] = statistic(rows[index])
    return percentile_ends(found, config.confidence)


def percentile_ends(found: FloatArray, confidence: float) -> tuple[float, float]:
    """Return the middle `confidence` share of resampled statistics; NaN are left out.

    Raises:
        ValueError: all are NaN.
    """
    kept = found[~np.isnan(found)]
    if kept.size == 0:
        raise ValueError("statistic: was NaN in every resample; give it more clusters or a statistic defined on few.")
    low, high = np.quantile(kept, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return float(low), float(high)


def _rate_counts(k: IntLike, n: IntLike) -> tuple[IntArray, IntArray]:
    won, tried = np.broadcast_arrays(counts("k", k), counts("n", n))
    at_most("k", won, "n", tried)
    return won, tried


def _rate_low(won: IntArray, tried: IntArray, tail: float) -> FloatArray:
    return np.where(won == 0, 0.0, betaincinv(np.maximum(won, 1), tried - won + 1.0, tail))


def _rate_high(won: IntArray, tried: IntArray, tail: float) -> FloatArray:
    return np.where(won == tried, 1.0, betaincinv(won + 1.0, np.maximum(tried - won, 1), 1.0 - tail))
