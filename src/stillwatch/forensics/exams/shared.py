"""Errors in common, and answers in common, held against control models.

In: what teacher, suspect and controls answered to the same items. Out: log p-values.
`shared_errors`: among items that the teacher gets wrong, those who are wrong too may choose any wrong option. Null:
given that they are wrong, suspect and controls are exchangeable item by item. Then the chance that the suspect is one
of those who chose the teacher's option is their share, and the sum over items is exactly Poisson binomial.
`closer_than_all`: null: there is a control that agrees with the teacher at least as often as the suspect does. The
paired sign test against each control is exact for items drawn independently, and the largest p-value holds.
Cost: items squared over two for the first, in whole operations on arrays. Left to the caller: who is a fair control.
Source: Nikolic et al. 2025, "Model provenance testing for large language models", arXiv:2502.00706 (controls);
Berger 1982 (the largest p-value of an intersection-union test).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.stats.exact import binomial_tail

Options = npt.NDArray[np.int64]
"""Chosen options; below 0: no answer."""


class Agreement(NamedTuple):
    """Outcome over all items that count."""

    items: int
    agreed: int
    expected: float
    """Agreements that the null gives on average; NaN where it fixes none."""
    log_p: float
    least_log_p: float
    """`log_p` if the suspect had agreed on every item."""


def shared_errors(right: Options, teacher: Options, suspect: Options, controls: Options) -> Agreement:
    """Test whether the suspect shares the teacher's wrong options more often than controls do.

    Args:
        right: The right option of each item, shape (n,).
        teacher: What the teacher chose, shape (n,).
        suspect: What the suspect chose, shape (n,).
        controls: What each control chose, shape (controls, n).

    >>> r = np.zeros(4, np.int64); t = np.ones(4, np.int64)
    >>> shared_errors(r, t, t, np.array([t + 1, t + 2])).log_p
    -4.394449154672439
    """
    everyone = np.vstack([suspect[None], controls])
    wrong = (everyone >= 0) & (everyone != right)
    counts = (teacher >= 0) & (teacher != right) & wrong[0] & (wrong[1:].any(axis=0))
    same = wrong & (everyone == teacher)
    share = same.sum(axis=0)[counts] / wrong.sum(axis=0)[counts]
    agreed = int(same[0][counts].sum())
    return Agreement(
        int(counts.sum()), agreed, float(share.sum()), poisson_binomial_tail(agreed, share),
        poisson_binomial_tail(int(np.count_nonzero(share)), share),
    )  # fmt: skip


def poisson_binomial_tail(k: int, chances: FloatArray) -> float:
    """Return log P(at least `k` successes) of independent trials with these chances, each in [0, 1].

    >>> round(poisson_binomial_tail(2, np.array([0.5, 0.5])), 3), poisson_binomial_tail(0, np.array([]))
    (-1.386, 0.0)
    """
    if k <= 0:
        return 0.0
    if k > len(chances):
        return -math.inf
    with np.errstate(divide="ignore"):
        yes, no = np.log(chances), np.log1p(-chances)
    log_ways = np.full(len(chances) + 2, -np.inf)  # log P(exactly j so far)
    log_ways[0] = 0.0
    for one_yes, one_no in zip(yes, no, strict=True):
        log_ways[1:] = np.logaddexp(log_ways[1:] + one_no, log_ways[:-1] + one_yes)
        log_ways[0] += one_no
    return min(0.0, float(np.logaddexp.reduce(log_ways[k:])))


def closer_than_all(teacher: IntArray, suspect: IntArray, controls: IntArray) -> Agreement:
    """Test whether the suspect agrees with the teacher more often than every control does.

    Args:
        teacher: The teacher's answers in numbers, such as next tokens, shape (n,); below 0: none.
        suspect: The suspect's, shape (n,).
        controls: Each control's, shape (controls, n), at least one.

    Raises:
        ValueError: there is no control.

    >>> t = np.arange(40); closer_than_all(t, t, np.stack([t + 1, t + 2])).log_p
    -27.725887222397812
    """
    if len(controls) == 0:
        raise ValueError("controls: there is none; give at least one model that is not suspected.")
    asked = (teacher >= 0) & (suspect >= 0)
    ours = (suspect == teacher) & asked
    logs, least = [], []
    for one in controls:
        theirs = (one == teacher) & asked
        more, less = int(np.count_nonzero(ours & ~theirs)), int(np.count_nonzero(theirs & ~ours))
        logs.append(float(binomial_tail(more, more + less, 0.5)))
        apart = int(np.count_nonzero(asked & ~theirs))
        least.append(float(binomial_tail(apart, apart, 0.5)))
    return Agreement(int(asked.sum()), int(ours.sum()), math.nan, max(logs), max(least))
