"""Measure how alike an honest account's blocks are, and what that does to false alarms.

In: per-block values or p-values of honest accounts, ragged, as a flat array with an account array
beside it, in time order. Out: the intraclass correlation, and realised false alarms after 1, 7 and 30 blocks.
An honest but odd account is odd every day: multiplying its blocks then breaks the promise, while
averaging keeps it. These figures say by how much.
Cost: a sort; the interval 2,000 weighted sums. Left to `detect`: choosing product or average.
Source: Fisher 1925; Donner 1986 (one-way ANOVA estimator, unequal sizes).
"""

import math
from dataclasses import dataclass

import numpy as np

from stillwatch.stats.arrays import FloatArray, FloatLike, IntArray, log_values
from stillwatch.stats.evalues import log_e_from_p, log_threshold
from stillwatch.stats.intervals import BOOTSTRAP, BootstrapConfig, percentile_ends, ratio_upper


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """False alarms that honest accounts really raised, for one horizon and one way to combine."""

    blocks: int
    """Blocks of each account that were put together: its first so many."""
    combination: str
    """`product` or `average`."""
    accounts: int
    """Honest accounts with at least that many blocks."""
    alarms: int
    """Of them, those over the threshold at the end of these blocks."""
    alarms_ever: int
    """Of them, those over the threshold at the end of any block so far."""
    nominal: float
    """Rate promised."""

    @property
    def rate(self) -> float:
        """Realised rate at the end; NaN without accounts."""
        return self.alarms / self.accounts if self.accounts else math.nan

    @property
    def ratio_upper(self) -> float:
        """95 % upper bound of realised over nominal rate, at the end."""
        return float(ratio_upper(self.alarms, self.accounts, self.nominal))


def intraclass_correlation(values: FloatLike, account: IntArray) -> float:
    """Return the share of variance that is between accounts: 0 alike to strangers, 1 always the same.

    Args:
        values: Block evidence, finite, such as nats or scores, shape (n_blocks,).
        account: Account of each block, shape (n_blocks,).

    Returns:
        One-way ANOVA estimate, at most 1; slightly negative by chance when there is none. NaN
        when fewer than 2 accounts, no account with 2 blocks, or no variance.

    Raises:
        ValueError: a NaN or infinite value, or lengths that differ.

    >>> intraclass_correlation([1.0, 1.0, 5.0, 5.0, 9.0, 9.0], np.array([1, 1, 2, 2, 3, 3]))
    1.0
    """
    size, total, within = _account_sums(values, account)
    return float(_anova(size, total, within, np.ones((1, size.size)))[0])


def intraclass_interval(
    values: FloatLike, account: IntArray, rng: np.random.Generator, *, config: BootstrapConfig = BOOTSTRAP
) -> tuple[float, float]:
    """Return the bootstrap interval of `intraclass_correlation`, whole accounts drawn anew.

    Args:
        values: Block evidence, finite, shape (n_blocks,).
        account: Account of each block, shape (n_blocks,).
        rng: Source of chance.
        config: Resamples and confidence.

    Raises:
        ValueError: as above, or no resample has an estimate.
    """
    size, total, within = _account_sums(values, account)
    n = size.size
    found = np.empty(config.resamples)
    for start in range(0, config.resamples, 100):
        rows = min(100, config.resamples - start)
        drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
        found[start : start + rows] = _anova(size, total, within, times)
    return percentile_ends(found, config.confidence)


def _account_sums(values: FloatLike, account: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return blocks, sum about the grand mean, and sum of squares about the own mean of each account."""
    flat = log_values("values", values).ravel()
    if not bool(np.all(np.isfinite(flat))):
        raise ValueError("values: has an infinite entry; cut block evidence at a finite floor first.")
    if np.shape(account) != flat.shape:
        raise ValueError(f"account: has shape {np.shape(account)}; must name the account of each block, {flat.shape}.")
    _, which, blocks = np.unique(account, return_inverse=True, return_counts=True)
    which = which.ravel()
    size: FloatArray = np.asarray(blocks, dtype=np.float64)
    flat = flat - (float(np.mean(flat)) if flat.size else 0.0)
    total: FloatArray = np.bincount(which, weights=flat, minlength=size.size).astype(np.float64)
    apart = flat - (total / size)[which]
    within: FloatArray = np.bincount(which, weights=apart**2, minlength=size.size).astype(np.float64)
    return size, total, within


def _anova(size: FloatArray, total: FloatArray, within: FloatArray, times: FloatArray) -> FloatArray:
    """Return the estimate for each row of `times`, how often each account was drawn; shape (n_rows,)."""
    accounts, blocks = times.sum(axis=1), times @ size
    with np.errstate(divide="ignore", invalid="ignore"):
        between_squares = times @ (total**2 / size) - (times @ total) ** 2 / blocks
        between = np.maximum(between_squares, 0.0) / (accounts - 1.0)
        inside = (times @ within) / (blocks - accounts)
        typical = (blocks - (times @ size**2) / blocks) / (accounts - 1.0)
        out = (between - inside) / (between + (typical - 1.0) * inside)
    return np.where((accounts > 1) & (blocks > accounts) & np.isfinite(out), out, np.nan)


def realised_after(
    p: FloatLike,
    account: IntArray,
    *,
    alpha: float,
    horizons: tuple[int, ...] = (1, 7, 30),
    kappa: float | None = 0.5,
) -> list[Realised]:
    """Return the false alarms that honest accounts raise when their blocks are put together.

    Args:
        p: P-value of each block of honest accounts, in [0, 1], shape (n_blocks,); each account's in time order.
        account: Account of each block, shape (n_blocks,).
        alpha: Nominal rate; an account alarms from log(1/alpha) nats.
        horizons: Numbers of blocks after which to count; accounts with fewer are left out.
        kappa: Calibrator that turns p-values into nats; see `log_e_from_p`.

    Returns:
        For each horizon the product, then the average.

    >>> found = realised_after(np.full(14, 0.01), np.repeat([1, 2], 7), alpha=0.01, horizons=(7,))
    >>> [(row.combination, row.alarms, row.accounts) for row in found]
    [('product', 2, 2), ('average', 0, 2)]
    """
    threshold = log_threshold(alpha)
    nats = log_e_from_p(p, kappa=kappa).ravel()
    if np.shape(account) != nats.shape:
        raise ValueError(f"account: has shape {np.shape(account)}; must name the account of each block, {nats.shape}.")
    _, which, size = np.unique(account, return_inverse=True, return_counts=True)
    by_account = nats[np.argsort(which.ravel(), kind="stable")]
    start = np.cumsum(size) - size
    out = []
    for horizon in horizons:
        enough = start[size >= horizon]
        table = by_account[enough[:, None] + np.arange(horizon)[None, :]]
        so_far = np.arange(1, horizon + 1)
        combined = {
            "product": np.cumsum(table, axis=1),
            "average": np.logaddexp.accumulate(table, axis=1) - np.log(so_far),
        }
        for name, path in combined.items():
            over = path >= threshold
            out.append(
                Realised(
                    blocks=horizon,
                    combination=name,
                    accounts=int(enough.size),
                    alarms=int(over[:, -1].sum()),
                    alarms_ever=int(over.any(axis=1).sum()),
                    nominal=alpha,
                )
            )
    return out
