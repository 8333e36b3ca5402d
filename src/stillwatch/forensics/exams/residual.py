"""The reference-residual score test: what a suspect says more often than a reference does, held against a key.

In: how often the suspect followed each context with each token, and how often the reference would have. Out: a weight
for every (context, token) pair, made without any key.
    residual  a(c, w) = n(c, w) - m(c, w),   m(c, w) = sum over places with context c of P_ref(w | all that came before)
    weight    u(c, w) = lift(P) / (1 + spread * m + RARE / m),   clipped
Under the null the suspect knows nothing of the key; then weights and signs are independent *whatever the reference*.
A bad reference leaves large residuals of its own, which cost power and never validity.
`lift` is what a bias of delta nats does to a token of probability P, so that the score is that of the likelihood
ratio; `spread` is how unsure the reference is, estimated from the residuals' own size, which knows no key either. Of
pairs that it expects less than `RARE` times it can hardly say how rare they are.
Cost: one sort of the places. Left to `keyed`: keys. Left to `signs`: p-values.
Source: the score test (Rao 1948); Kirchenbauer et al. 2023, arXiv:2301.10226, for the bias; the residual is ours.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.stats.arrays import FloatArray, IntArray

CLIP: Final = 3.0
"""Residuals beyond so many of their own standard deviations, and beyond so many tokens, are cut to that."""
RARE: Final = 0.1
"""Variance, in occurrences, that a reference is unsure by whatever it expects; chosen on a world in no table."""


@dataclass(frozen=True, slots=True, eq=False)
class PairCounts:
    """A number for every distinct (context, token) pair, ascending by `code`; shows its size only."""

    code: npt.NDArray[np.uint64]
    """Context and token packed by `pack`."""
    value: FloatArray
    """Occurrences, or occurrences expected."""

    def __repr__(self) -> str:
        return f"PairCounts({len(self.code)} pairs)"

    @classmethod
    def of(cls, codes: npt.NDArray[np.uint64], values: FloatArray | None = None) -> "PairCounts":
        """Return the sum of `values` (1 each when left out) for each distinct code, given in any order."""
        code, at = np.unique(codes, return_inverse=True)
        return cls(code, np.bincount(at.ravel(), weights=values, minlength=len(code)).astype(np.float64))

    def at(self, codes: npt.NDArray[np.uint64]) -> FloatArray:
        """Return the value of each code, 0 where there is none."""
        if not len(self.code):
            return np.zeros(len(codes))
        place = np.minimum(np.searchsorted(self.code, codes), len(self.code) - 1)
        return np.asarray(np.where(self.code[place] == codes, self.value[place], 0.0))


def pack(columns: tuple[IntArray, ...], tokens: IntArray, vocab: int) -> npt.NDArray[np.uint64]:
    """Return one number a pair; `columns` begin with the token just before.

    Raises:
        ValueError: the vocabulary is too large for so wide a context.
    """
    bits = max(1, (vocab - 1).bit_length())
    if bits * (len(columns) + 1) > 64:
        raise ValueError(f"vocab = {vocab}: too large for a context of {len(columns)}; use width 1.")
    out = np.zeros(np.shape(tokens), np.uint64)
    for column in reversed(columns):
        out = out << np.uint64(bits) | np.asarray(column).astype(np.uint64)
    return out << np.uint64(bits) | np.asarray(tokens).astype(np.uint64)


def unpack(codes: npt.NDArray[np.uint64], width: int, vocab: int) -> tuple[tuple[IntArray, ...], IntArray]:
    """Return what `pack` was given."""
    bits = np.uint64(max(1, (vocab - 1).bit_length()))
    low = (np.uint64(1) << bits) - np.uint64(1)
    columns = tuple((codes >> bits * np.uint64(j + 1) & low).astype(np.int64) for j in range(width))
    return columns, (codes & low).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """Weights of pairs, and what made them."""

    code: npt.NDArray[np.uint64]
    weight: FloatArray
    spread: float
    """Relative variance of the reference's error, estimated; 0 for a perfect one."""
    places: int
    """Places of the suspect's text that were counted."""


def residuals(
    seen: PairCounts, expected: PairCounts, *, vocab: int, delta: float = 2.0,
    worth: Callable[[FloatArray], FloatArray] | None = None,
) -> Residuals:  # fmt: skip
    """Return the weights of every pair that was seen or expected.

    Args:
        seen: Occurrences in the suspect's text.
        expected: Occurrences that the reference expects on the same places; need not sum to those seen.
        vocab: Tokens in the vocabulary, for packing.
        delta: Nats that the mark adds to a green token, above 0.
        worth: From a token's probability to what its residual is worth; left out, `lift` of `delta`.
    """
    bits = np.uint64(max(1, (vocab - 1).bit_length()))
    code = np.union1d(seen.code, expected.code)
    n, m = seen.at(code), expected.at(code)
    context = code >> bits
    starts = np.flatnonzero(np.concatenate([[True], context[1:] != context[:-1]])) if len(code) else np.empty(0, int)
    sizes = np.diff(starts, append=len(code))
    of_context = np.repeat(np.add.reduceat(n, starts) if len(code) else np.empty(0), sizes)
    share = np.divide(m, of_context, out=np.zeros_like(m), where=of_context > 0.0)
    residual = n - m
    spread = max(0.0, float((np.square(residual) - m).sum() / max(float(np.square(m).sum()), 1e-300)))
    sd = np.sqrt(m * (1.0 + spread * m))
    bound = np.maximum(CLIP * sd, CLIP)
    share = np.minimum(share, 1.0)
    value = lift(share, delta) if worth is None else worth(share)
    trust = m / (m * (1.0 + spread * m) + RARE)
    weight = np.clip(residual, -bound, bound) * value * trust
    return Residuals(code, weight, spread, int(n.sum()))


def lift(p: FloatArray, delta: float) -> FloatArray:
    """Return by what part of itself a token's probability moves when it is green and not red, halved.

    Args:
        p: Probability without a mark, in [0, 1]; the other tokens are green half of the time.
        delta: Nats of the bias.

    >>> lift(np.array([0.0, 0.5, 1.0]), 2.0).round(3).tolist()
    [0.762, 0.445, 0.0]
    """
    up = math.exp(delta)
    rest = (1.0 - p) * (1.0 + up) / 2.0
    return np.asarray(0.5 * (up / (p * up + rest) - 1.0 / (p + rest)))
