"""How alike an honest account's blocks of time are, and what that would do to false alarms.

In: events of honest accounts, chunk by chunk. Out: a `Stability` a scenario and stratum: the
within-account correlation of block evidence, and the false alarms that the product and the average
of blocks raise. Each block is compared with the blocks of *other* accounts, each account counting once.
Cost: a second pass over the chunks, and 400 resamples a line. Left to `accounts`: the decision in
use, which takes one score an account and multiplies nothing.
Source: Fisher 1925; Donner 1986; Wang, Lee and Barber, arXiv:2306.06342 (clusters).
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.accounts import SCORED, score_features
from stillwatch.detect.features import features_of, foreign_history
from stillwatch.detect.population import STRATA, Population
from stillwatch.stats.correlation import Realised, intraclass_correlation, intraclass_interval, realised_after
from stillwatch.stats.evalues import log_e_from_p
from stillwatch.stats.intervals import BootstrapConfig
from stillwatch.terms.event import EventArray

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

HORIZONS: Final = (1, 7, 30)
"""Blocks of an account after which false alarms are counted."""
RESAMPLES: Final = 400
"""Bootstrap draws of whole accounts behind each interval."""
FULL: Final = 5
"""Requests that a block is taken to have at least, so that scenarios that want several look at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """Block evidence of one scenario on the honest accounts of one stratum."""

    scenario: str
    stratum: str
    accounts: int
    blocks: int
    """Blocks with a request, all accounts together."""
    correlation: float | None
    """Share of the variance of block nats that lies between accounts; None where nothing varies."""
    low: float | None
    """Lower end of its 95 % interval."""
    high: float | None
    alarms: tuple[Realised, ...]
    """For 1, 7 and 30 blocks the product, then the average."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Scores of the blocks of honest accounts, each account's in time order."""

    account: IntArray
    """Number of the account each block is of, shape (n_blocks,)."""
    stratum: IntArray
    values: FloatArray
    """Shape (n_scored, n_blocks)."""

    @classmethod
    def of(cls, events: EventArray, people: Population, seconds: float, rng: np.random.Generator) -> "Blocks":
        """Score each block of each account in `events` as if it were an account of its own.

        Whether a history is foreign is read from everything the account was given, not from the block.
        """
        row = people.find(events["account"])
        pairs = np.stack([row, np.floor(events["time"] / seconds).astype(np.int64)], axis=1)
        names, index = np.unique(pairs, axis=0, return_inverse=True)
        index = index.ravel()
        cut = events.copy()
        cut["account"] = index.astype(np.uint64)
        features = features_of(cut, rng)
        foreign = np.bincount(index, weights=foreign_history(events), minlength=len(names)) / features.requests
        features = replace(features, foreign=foreign, requests=np.maximum(features.requests, FULL))
        return cls(names[:, 0], people.stratum[names[:, 0]], score_features(features))


def stability(parts: list[Blocks], *, alpha: float, rng: np.random.Generator) -> tuple[Stability, ...]:
    """Measure every scenario on every stratum.

    Args:
        parts: Blocks of different accounts, whole accounts in each; at least one part.
        alpha: Nominal false-alarm rate of one account.
        rng: Source of the resamples.
    """
    out = []
    for stratum, name in enumerate(STRATA):
        mine = [part.stratum == stratum for part in parts]
        account = np.concatenate([part.account[m] for part, m in zip(parts, mine, strict=True)])
        values = np.concatenate([part.values[:, m] for part, m in zip(parts, mine, strict=True)], axis=1)
        for row, scenario in enumerate(SCORED):
            out.append(_measured((scenario.name, name), values[row], account, alpha, rng))
    return tuple(out)


def _measured(
    of: tuple[str, str], score: FloatArray, account: IntArray, alpha: float, rng: np.random.Generator
) -> Stability:
    p = others_p(score, account)
    log_e = log_e_from_p(p)
    correlation: float | None = None
    ends: tuple[float | None, float | None] = (None, None)
    if len(log_e) and float(np.ptp(log_e)) > 0.0:
        found = intraclass_correlation(log_e, account)
        if np.isfinite(found):
            correlation = round(found, 4)
            low, high = intraclass_interval(log_e, account, rng, config=BootstrapConfig(resamples=RESAMPLES))
            ends = (round(low, 4), round(high, 4))
    return Stability(
        scenario=of[0],
        stratum=of[1],
        accounts=len(np.unique(account)),
        blocks=len(account),
        correlation=correlation,
        low=ends[0],
        high=ends[1],
        alarms=tuple(realised_after(p, account, alpha=alpha, horizons=HORIZONS)),
    )


def others_p(score: FloatArray, account: IntArray) -> FloatArray:
    """Return the conformal p-value of each block against the blocks of all other accounts.

    Args:
        score: Scores of blocks, shape (n,).
        account: Account of each, shape (n,); each of the others counts once, its blocks sharing the weight.

    >>> others_p(np.array([9.0, 1.0, 1.0, 2.0]), np.array([0, 0, 1, 2])).round(3).tolist()
    [0.333, 1.0, 1.0, 0.5]
    """
    if len(score) == 0:
        return np.zeros(0)
    _, which, size = np.unique(account, return_inverse=True, return_counts=True)
    weight = 1.0 / size[which]
    order = np.argsort(score, kind="stable")
    above = np.append(np.cumsum(weight[order][::-1])[::-1], 0.0)[np.searchsorted(score[order], score, side="left")]
    # Within each account, sorted by score: its own blocks at or above each one.
    own_order = np.lexsort((score, which))
    start = np.cumsum(size) - size
    pair_first = np.ones(len(score), bool)
    pair_first[1:] = (np.diff(which[own_order]) != 0) | (np.diff(score[own_order]) != 0)
    position = np.maximum.accumulate(np.where(pair_first, np.arange(len(score)), 0))
    own = np.empty(len(score))
    own[own_order] = (start + size)[which[own_order]] - position
    p: FloatArray = np.clip((1.0 + above - own * weight) / len(size), 0.0, 1.0)
    return p
