"""The withheld-sample test: two answers were made, a coin chose which was served; does the suspect know which?

In: a suspect's losses on both answers of each pair, and which was served. Out: a log p-value.
Null: the suspect's losses do not depend on the coins. Each difference then has a fair sign, given its size: exactly,
whatever the model, whatever the texts. No watermark is needed, nothing can be stolen, and quality is not touched.
A pair whose served answer did not come whole is lost to the test, and by which pairs are lost something of the served
answers may show: each counts as known to be withheld, by more than any other. That never lowers a p-value, whatever
decided which are lost: the one lost takes the largest rank below, and the ranks that it frees rise by less.
Cost: a sort; up to `EXACT` pairs as many steps as pairs cubed, a fifth of a second at most.
Left to the vault: keeping both answers. Left to `signs`: the tail of a weighted sum.
Source: Maini et al. 2021, arXiv:2104.10706 (dataset inference) for the idea; Wilcoxon 1945 for the ranks.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import rankdata

from stillwatch.forensics.exams.signs import sharp_tail, standard
from stillwatch.stats.arrays import FloatArray
from stillwatch.stats.exact import binomial_tail

EXACT: Final = 400
"""Pairs up to which every sum of ranks is counted; beyond, the sharp bound on their tail takes its place."""
WAYS: Final = ("sign", "rank")


class Withheld(NamedTuple):
    """Outcome over all pairs."""

    pairs: int
    """Pairs with a difference, and those lost."""
    known: int
    """Of these, those whose served answer has the lower loss."""
    z: float
    log_p: float
    least_log_p: float
    """`log_p` if every served answer had the lower loss."""


def withheld_test(served: FloatArray, withheld: FloatArray, *, way: str = "rank", lost: int = 0) -> Withheld:
    """Test whether a suspect finds served answers likelier than their withheld twins.

    Args:
        served: Losses in nats on the answers that were served, a mean a token; shape (n,); NaN: not asked.
        withheld: Losses on the twins, in the same order.
        way: `sign` counts pairs, exactly binomial; `rank` weighs them by the rank of their size.
        lost: Pairs, beside those given, whose served answer did not come whole; 0 or more.

    Raises:
        ValueError: the shapes differ, or `way` is unknown.

    >>> withheld_test(np.zeros(30), np.ones(30), way="sign").log_p < -20.0
    True
    """
    if served.shape != withheld.shape or way not in WAYS or lost < 0:
        raise ValueError(f"way = {way!r}: must be one of {', '.join(WAYS)}, on losses of one shape, lost 0 or more.")
    difference = withheld - served
    difference = difference[np.isfinite(difference) & (difference != 0.0)]
    n, known = len(difference) + lost, int(np.count_nonzero(difference > 0.0))
    if way == "sign" or n == 0:
        log_p = float(binomial_tail(known, n, 0.5))
        return Withheld(n, known, (known - n / 2) / max(np.sqrt(n) / 2, 0.5), log_p, float(binomial_tail(n, n, 0.5)))
    size = np.concatenate([rankdata(np.abs(difference)), np.arange(n - lost + 1, n + 1)])
    signs = np.concatenate([np.sign(difference), np.full(lost, -1.0)])
    z = standard(float(np.sum(signs * size)), size)
    if n <= EXACT:
        return Withheld(n, known, z, signed_ranks_tail(signs, size), -n * math.log(2.0))
    most = standard(float(size.sum()), size)
    return Withheld(n, known, z, float(sharp_tail(z)), float(sharp_tail(most)))


def signed_ranks_tail(signs: FloatArray, size: FloatArray) -> float:
    """Return the log of the chance that fair signs give these ranks so high a sum: by counting every sum, exactly.

    Args:
        signs: -1 or 1, shape (n,).
        size: Ranks, halves where there are ties, shape (n,).

    >>> round(signed_ranks_tail(np.ones(20), np.arange(1.0, 21.0)) / math.log(2.0), 9)
    -20.0
    """
    steps = np.rint(2.0 * size).astype(np.int64)
    chance = np.zeros(int(steps.sum()) + 1)
    chance[0], reach = 1.0, 0
    for step in steps.tolist():
        reach += step
        chance[step : reach + 1] += chance[: reach + 1 - step].copy()
        chance[: reach + 1] *= 0.5
    up = int(steps[signs > 0.0].sum())
    return min(0.0, math.log(math.fsum(chance[up:].tolist())))
