"""Does each account have its own work, or do all draw from one queue?

In: projections of requests and the account of each. Out: for each account, how often a random
regrouping of the same requests is at least as alike within itself (`u`, in [0, 1]).
An honest account returns to its own subjects, so its `u` is small; accounts that are fed from one
queue are exchangeable, so theirs is uniform. `HabitTable` holds how honest accounts' `u` falls out,
by stratum and by number of requests, and turns the `u` of a block into nats against "each has its
own work".
Cost: `ROUNDS` passes over (n, 64) floats. Left to `explain`: which requests are looked at.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ROUNDS: Final = 39
"""Regroupings per account; `u` has steps of 1/(ROUNDS+1)."""
N_BINS: Final = 5
"""Bins of `u` in the table; equal widths."""
SIZE_EDGES: Final = (2, 3, 5, 9)
"""Accounts are compared with accounts of a like number of requests: 2, 3-4, 5-8, 9 and more."""
HEDGE: Final = 0.05
"""Share of memoryless accounts that any honest stratum is taken to hold, seen or not."""


def likeness_ranks(
    projections: FloatArray, account: IntArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray, FloatArray]:
    """Rank each account's inner likeness among random regroupings of all requests given.

    Args:
        projections: One row a request, shape (n, 64); rows of zeros are allowed.
        account: Account of each request, shape (n,), any integers.
        rng: Source of the regroupings.

    Returns:
        (accounts, sizes, u): accounts with at least two requests, their numbers of requests, and
        the share of regroupings (the real grouping among them) at least as alike as the real one.
    """
    order = np.argsort(account, kind="stable")
    centred = projections[order] - projections.mean(axis=0) if len(projections) else projections
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    names, starts, sizes = np.unique(account[order], return_index=True, return_counts=True)
    if len(names) == 0:
        return names, sizes, np.zeros(0)
    real = _inner(unit, starts)
    at_least = np.ones(len(names))
    for _ in range(ROUNDS):
        at_least += _inner(unit[rng.permutation(len(unit))], starts) >= real
    several = sizes >= 2
    return names[several], sizes[several], (at_least / (ROUNDS + 1))[several]


def _inner(unit: FloatArray, starts: IntArray) -> FloatArray:
    """Return a value that grows with the mean cosine inside each run, for fixed run lengths."""
    total: FloatArray = np.square(np.add.reduceat(unit, starts, axis=0)).sum(axis=1)
    return total


@dataclass(frozen=True, slots=True)
class HabitTable:
    """How `u` of honest accounts falls out: probabilities, shape (n_strata, n_sizes, N_BINS)."""

    strata: tuple[str, ...]
    probabilities: FloatArray
    accounts: IntArray
    """Accounts behind each row, shape (n_strata, n_sizes)."""

    @classmethod
    def fit(cls, stratum: IntArray, sizes: IntArray, u: FloatArray, *, strata: tuple[str, ...]) -> "HabitTable":
        """Count honest accounts into the table, hedged so that no bin is ever called impossible."""
        counts = np.zeros((len(strata), len(SIZE_EDGES), N_BINS))
        np.add.at(counts, (stratum, _size_bin(sizes), _u_bin(u)), 1.0)
        counts = _pooled(counts)
        total = counts.sum(axis=2)
        smooth = (counts + 1.0) / (total + N_BINS)[:, :, None]
        return cls(strata, (1.0 - HEDGE) * smooth + HEDGE / N_BINS, total.astype(np.int64))

    def log_e(self, sizes: IntArray, u: FloatArray) -> FloatArray:
        """Return nats of "from one queue" against "own work", one a stratum, shape (n_strata,).

        Each account multiplies: given that everyone keeps to own work, accounts are independent.
        Strata with fewer than 20 accounts behind them are given nan.
        """
        rows = self.probabilities[:, _size_bin(sizes), :]
        chosen = np.take_along_axis(rows, _u_bin(u)[None, :, None], axis=2)[:, :, 0]
        nats: FloatArray = -np.log(N_BINS * chosen).sum(axis=1)
        nats[self.accounts.max(axis=1) < 20] = np.nan
        return nats


def _pooled(counts: FloatArray) -> FloatArray:
    """Lend thin rows (fewer than 20 accounts) the counts of their whole stratum."""
    thin = counts.sum(axis=2) < 20
    whole = counts.sum(axis=1, keepdims=True)
    return np.where(thin[:, :, None], whole, counts)


def _size_bin(sizes: IntArray) -> IntArray:
    found: IntArray = np.searchsorted(np.array(SIZE_EDGES), sizes, side="right") - 1
    return np.asarray(np.clip(found, 0, len(SIZE_EDGES) - 1), np.int64)


def _u_bin(u: FloatArray) -> IntArray:
    return np.asarray(np.minimum((np.ceil(u * N_BINS) - 1).astype(np.int64).clip(0), N_BINS - 1), np.int64)
