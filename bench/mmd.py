"""The MMD window test that detection is held against: does an account's text look unlike honest text?

In: likeness projections and the account of each request. Out: which accounts the test flags.
One window an account: its first n requests, n the largest of `WINDOWS` that it has. The statistic is
the squared distance between mean random Fourier features (a Gaussian kernel at the median distance)
of the window and of honest requests; the threshold is the 99th percentile of honest null windows of
the same length, drawn request by request (`pooled`, as published) or taken as whole accounts (`account`).
Each account is judged by the half of the honest accounts that it is not in: the test is given clean
honest references, which a real log does not label.
Cost: seconds. Source: Gretton et al. 2012; Rahimi and Recht 2007; the window form of arXiv:2606.05725.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WINDOWS: Final = (5, 10, 20, 50, 100)
"""Window lengths, requests; an account with fewer than the first is not tested."""
FEATURES: Final = 256
REFERENCE: Final = 8_000
"""Honest requests that stand for honest text, at most."""
NULLS: Final = 2_000
"""Pooled null windows of each length."""
FEWEST_NULLS: Final = 40
"""Whole-account null windows without which a length is not tested."""
QUANTILE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Windows:
    """Requests ordered by account, and the window of each account."""

    features: FloatArray
    """Shape (n_requests, FEATURES), ordered by account, then time."""
    starts: IntArray
    """First request of each account, shape (n_accounts,)."""
    lengths: IntArray
    """Length of its window, 0 where it has too few; shape (n_accounts,)."""

    def means(self, rows: IntArray, length: int) -> FloatArray:
        """Return the mean features of the first `length` requests of these accounts, shape (n, FEATURES)."""
        if not len(rows):
            return np.zeros((0, self.features.shape[1]))
        index = self.starts[rows][:, None] + np.arange(length)[None, :]
        return np.asarray(np.stack([self.features[i].mean(axis=0) for i in index]))


def flagged(
    projection: npt.NDArray[np.int8],
    account: npt.NDArray[np.uint64],
    honest: Mapping[int, bool],
    rng: np.random.Generator,
) -> dict[str, set[int]]:
    """Return the accounts flagged under each null.

    Args:
        projection: Shape (n_requests, 64), in time order; zeros for requests without words.
        account: Account of each request, shape (n_requests,).
        honest: Account -> whether it is honest; tells which may serve as reference.
        rng: Source of chance.
    """
    said = projection.any(axis=1)
    order = np.argsort(account[said], kind="stable")
    names, starts, sizes = np.unique(account[said][order], return_index=True, return_counts=True)
    features = random_features(projection[said][order].astype(np.float64), rng)
    fits = np.searchsorted(np.array(WINDOWS), sizes, side="right")
    windows = Windows(features, starts.astype(np.int64), np.array((0, *WINDOWS))[fits])
    clean = np.array([honest[int(name)] for name in names])
    half = rng.integers(0, 2, len(names))
    found: dict[str, set[int]] = {"pooled": set(), "account": set()}
    for own in (0, 1):
        reference = np.flatnonzero(clean & (half != own))
        judged = np.flatnonzero(half == own)
        of_reference = np.repeat(clean & (half != own), sizes)
        for null, rows in _judge(windows, judged, reference, features[of_reference], rng).items():
            found[null] |= {int(names[row]) for row in rows}
    return found


def random_features(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return random Fourier features of unit vectors, for a Gaussian kernel at the median distance; (n, FEATURES)."""
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    pairs = rng.integers(0, len(unit), (2, 4_000))
    width = float(np.median(np.linalg.norm(unit[pairs[0]] - unit[pairs[1]], axis=1))) or 1.0
    waves = rng.normal(0.0, 1.0 / width, (unit.shape[1], FEATURES))
    shift = rng.uniform(0.0, 2 * np.pi, FEATURES)
    return np.asarray(np.sqrt(2.0 / FEATURES) * np.cos(unit @ waves + shift))


def _judge(
    windows: Windows, judged: IntArray, reference: IntArray, honest_requests: FloatArray, rng: np.random.Generator
) -> dict[str, IntArray]:
    centre = rng.permutation(honest_requests)[:REFERENCE].mean(axis=0)
    over: dict[str, list[IntArray]] = {"pooled": [], "account": []}
    for length in WINDOWS:
        rows = judged[windows.lengths[judged] == length]
        values = _distance(windows.means(rows, length), centre)
        drawn = rng.integers(0, len(honest_requests), (NULLS, length))
        pooled = _distance(np.stack([honest_requests[i].mean(axis=0) for i in drawn]), centre)
        over["pooled"].append(rows[values > np.quantile(pooled, QUANTILE)])
        able = reference[windows.lengths[reference] >= length]
        if len(able) >= FEWEST_NULLS:
            whole = _distance(windows.means(able, length), centre)
            over["account"].append(rows[values > np.quantile(whole, QUANTILE)])
    return {null: np.concatenate(found) if found else np.zeros(0, np.int64) for null, found in over.items()}


def _distance(means: FloatArray, centre: FloatArray) -> FloatArray:
    return np.asarray(((means - centre) ** 2).sum(axis=1))
