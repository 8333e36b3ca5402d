"""How alike two sketches are: cosine of projections, Jaccard of anchors.

In: arrays of projections or anchors. Out: one estimate a pair.
The bounds hold for texts that were not made to deceive someone who holds the key.
Source: Broder 1997 (bottom-k); Charikar 2002 (projections).
"""

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.anchors import NONE
from stillwatch.sketch.siphash import U64
from stillwatch.terms.event import N_ANCHORS, N_PROJECTION

F64 = npt.NDArray[np.float64]


def cosine(a: npt.NDArray[np.int8], b: npt.NDArray[np.int8]) -> F64:
    """Return the cosine between projections, which estimates |A & B| / sqrt(|A| |B|) of their token sets.

    Args:
        a: Projections, shape (..., 64).
        b: Projections of a shape that broadcasts with `a`.

    Returns:
        Estimates in [-1, 1], 0 where a projection is all zeros; standard deviation at most about 1/8.
    """
    left, right = a.astype(np.float64), b.astype(np.float64)
    norms = np.sqrt((left * left).sum(-1) * (right * right).sum(-1))
    dots = (left * right).sum(-1)
    return np.asarray(np.divide(dots, norms, out=np.zeros(np.shape(dots)), where=norms > 0))


def cosine_matrix(a: npt.NDArray[np.int8], b: npt.NDArray[np.int8]) -> F64:
    """Return the cosine of every projection in `a`, shape (n, 64), with every one in `b`, shape (m, 64); (n, m)."""
    left, right = a.astype(np.float64).reshape(-1, N_PROJECTION), b.astype(np.float64).reshape(-1, N_PROJECTION)
    norms = np.sqrt(np.outer((left * left).sum(-1), (right * right).sum(-1)))
    dots = left @ right.T
    return np.asarray(np.divide(dots, norms, out=np.zeros(dots.shape), where=norms > 0))


def jaccard(a: U64, b: U64) -> F64:
    """Return the share of shingles in common, |A & B| / |A | B|, estimated from bottom-16 anchors.

    Args:
        a: Anchors, ascending and 0-padded, shape (..., 16).
        b: Anchors of a shape that broadcasts with `a`.

    Returns:
        Estimates in [0, 1]: exact when both texts together have at most 16 distinct shingles, otherwise unbiased
        with a standard deviation of at most sqrt(J (1 - J) / 16) <= 1/8. Two empty texts give 0.
    """
    a, b = np.broadcast_arrays(a, b)
    both = np.concatenate((a, b), axis=-1)
    both[both == 0] = NONE
    both.sort(axis=-1)
    present = both != NONE
    new = present.copy()
    new[..., 1:] &= both[..., 1:] != both[..., :-1]
    rank = np.cumsum(new, axis=-1)
    sampled = present & (rank <= N_ANCHORS)
    union = (new & sampled).sum(-1)
    shared = (sampled & ~new).sum(-1)
    return np.asarray(np.divide(shared, union, out=np.zeros(np.shape(union)), where=union > 0))
