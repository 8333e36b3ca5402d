"""The withheld-sample test: two answers were made, a coin chose which was served; does the suspect know which?

In: a suspect's losses on both answers of each pair, and which was served. Out: a log p-value.
Null: the suspect's losses do not depend on the coins. Each difference then has a fair sign, given its size: exactly,
whatever the model, whatever the texts. No watermark is needed, nothing can be stolen, and quality is not touched.
Cost: a sort. Left to the vault: keeping both answers. Left to `signs`: the tail of a weighted sum.
Source: Maini et al. 2021, arXiv:2104.10706 (dataset inference) for the idea; Wilcoxon 1945 for the ranks.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.stats import rankdata

from stillwatch.forensics.exams.signs import sharp_tail, standard
from stillwatch.stats.arrays import FloatArray
from stillwatch.stats.exact import binomial_tail

WAYS: Final = ("sign", "rank")


class Withheld(NamedTuple):
    """Outcome over all pairs."""

    pairs: int
    """Pairs with a difference."""
    known: int
    """Of these, those whose served answer has the lower loss."""
    z: float
    log_p: float
    least_log_p: float
    """`log_p` if every served answer had the lower loss."""


def withheld_test(served: FloatArray, withheld: FloatArray, *, way: str = "rank") -> Withheld:
    """Test whether a suspect finds served answers likelier than their withheld twins.

    Args:
        served: Losses in nats on the answers that were served, a mean a token; shape (n,); NaN: not asked.
        withheld: Losses on the twins, in the same order.
        way: `sign` counts pairs, exactly binomial; `rank` weighs them by the rank of their size.

    Raises:
        ValueError: the shapes differ, or `way` is unknown.

    >>> withheld_test(np.zeros(30), np.ones(30), way="sign").log_p < -20.0
    True
    """
    if served.shape != withheld.shape or way not in WAYS:
        raise ValueError(f"way = {way!r}: must be one of {', '.join(WAYS)}, on losses of one shape.")
    difference = withheld - served
    difference = difference[np.isfinite(difference) & (difference != 0.0)]
    n, known = len(difference), int(np.count_nonzero(difference > 0.0))
    if way == "sign" or n == 0:
        log_p = float(binomial_tail(known, n, 0.5))
        return Withheld(n, known, (known - n / 2) / max(np.sqrt(n) / 2, 0.5), log_p, float(binomial_tail(n, n, 0.5)))
    size = rankdata(np.abs(difference))
    z = standard(float(np.sum(np.sign(difference) * size)), size)
    most = standard(float(size.sum()), size)
    return Withheld(n, known, z, float(sharp_tail(z)), float(sharp_tail(most)))
