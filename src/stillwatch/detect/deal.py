"""Were the pieces of one set dealt out, or did each account help itself?

In: who sent which content. Out: for each holder, how rarely it sends what several others sent
already (`u`, in [0, 1]). People who work on one public set choose from it without knowing what the
others chose: what two of them have is at least as likely to be chosen by a third as what one has,
whichever pieces are popular. A queue hands each piece out a fixed number of times, so that what is
used up is not met again.
Cost: one pass over the contents and one hypergeometric rank a holder. Left to `explain` and `record`: what follows.
Source: Chebyshev's association inequality; the labels of pieces are keyed hashes, so exchangeable.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
UIntArray = npt.NDArray[np.uint64]

STAKE: Final = 0.8
"""Part of what is held that is staked on each rank; below 1."""


def deal_ranks(holder: IntArray, content: UIntArray, rng: np.random.Generator) -> FloatArray:
    """Rank each holder's choice among pieces that the holders before it had, in a drawn order.

    Args:
        holder: Holder of each request, shape (n,).
        content: Content of each request, shape (n,).
        rng: Source of the order.

    Returns:
        Mid-ranks in [0, 1] of the number of pieces that two or more had before, among those that any
        had; one for each holder of which that says something. Mean one half when pieces are chosen
        blindly and alike, more when some are popular, less when they are dealt.

    >>> rng, which = np.random.default_rng(0), np.arange(200)
    >>> bool(deal_ranks(which // 10, (which % 100).astype(np.uint64), rng).mean() < 0.2)
    True
    """
    if len(holder) == 0:
        return np.zeros(0)
    _, piece = np.unique(content, return_inverse=True)
    _, who = np.unique(holder, return_inverse=True)
    n_who = int(who.max()) + 1
    pairs = np.unique(rng.permutation(n_who)[who] * (int(piece.max()) + 1) + piece)
    turn, piece = np.divmod(pairs, int(piece.max()) + 1)
    times = np.zeros(int(piece.max()) + 1, np.int64)
    once = several = 0
    met = []
    for pieces in np.split(piece, np.flatnonzero(np.diff(turn)) + 1):
        before = times[pieces]
        new, again = int((before == 0).sum()), int((before == 1).sum())
        had = len(pieces) - new
        if had and once and several:
            met.append((had - again, once + several, several, had))
        times[pieces] += 1
        once, several = once + new - again, several + again
    if not met:
        return np.zeros(0)
    k, pool, marked, drawn = np.array(met, np.int64).T
    ranks: FloatArray = hypergeom.cdf(k, pool, marked, drawn) - 0.5 * hypergeom.pmf(k, pool, marked, drawn)
    return ranks


def dealt_nats(ranks: FloatArray) -> float:
    """Return nats of "pieces of one set were dealt out" against "each holder helped itself, blind to the others".

    Blind choice makes the mean rank one half or more, so a stake on low ranks that is linear in them
    grows by luck only.

    >>> dealt_nats(np.array([0.5, 0.5])), dealt_nats(np.zeros(0))
    (0.0, 0.0)
    """
    return float(np.log1p(STAKE * (1.0 - 2.0 * ranks)).sum())
