"""Weighted (context, token) pairs under a key, under thousands, and under random ones.

In: pairs whose weights know nothing of any key, each pair once. Out: sums of weight times sign; sign is +1 for green.
Weights are kept as whole numbers, so that a sum is the same to the last bit on every machine and in every order.
Cost: about 6 ns a pair and key; 10,000 keys on 100,000 pairs take 6 s.
Left to `signs`: how likely a sum is. Left to `residual` and its neighbours: weights.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from stillwatch.forensics.marks.calibrate import DUMMIES, random_keys
from stillwatch.forensics.marks.reading import misfit
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.treatments.marks.green import green_bits
from stillwatch.treatments.marks.prf import U64, seeds
from stillwatch.treatments.marks.ring import TierKey

FINE: Final = 10_000
"""The largest weight becomes this whole number; smaller ones are rounded to its steps."""
MOST_PAIRS: Final = 200_000
"""Pairs kept, those with the largest weights; what is left out costs power, never validity."""
SAMPLE: Final = 20_000
"""Pairs that random keys are tried on, those with the largest weights."""
_TILE: Final = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class KeyedPairs:
    """Distinct pairs with whole-number weights; shows its size only."""

    digests: U64 = field(repr=False)
    """Keyed digest of each pair's context, shape (pairs,)."""
    tokens: IntArray = field(repr=False)
    weights: IntArray = field(repr=False)
    """At most `FINE` in size, none 0."""

    def __repr__(self) -> str:
        return f"KeyedPairs({len(self.tokens)} pairs)"

    @classmethod
    def of(cls, digests: U64, tokens: IntArray, weights: FloatArray, *, most: int = MOST_PAIRS) -> "KeyedPairs":
        """Return the pairs with the largest weights, rounded; in the order given.

        Args:
            digests: Shape (n,).
            tokens: Shape (n,).
            weights: Shape (n,), any sign and scale, finite.
            most: Pairs to keep at most.
        """
        size = np.abs(weights)
        top = float(size.max(initial=0.0))
        if top == 0.0:
            none = np.empty(0, np.int64)
            return cls(np.empty(0, np.uint64), none, none)
        whole = np.rint(weights * (FINE / top)).astype(np.int64)
        chosen = np.flatnonzero(whole)
        if len(chosen) > most:
            chosen = np.sort(chosen[np.argsort(-np.abs(whole[chosen]), kind="stable")[:most]])
        return cls(digests[chosen], np.asarray(tokens, np.int64)[chosen], whole[chosen])

    def only(self, chosen: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> "KeyedPairs":
        """Return the pairs chosen, by mask; it must not look at any key's signs."""
        return KeyedPairs(self.digests[chosen], self.tokens[chosen], self.weights[chosen])

    def heaviest(self, most: int) -> "KeyedPairs":
        """Return about `most` pairs, those with the largest weights; all where there are no more."""
        if len(self.tokens) <= most:
            return self
        floor = np.sort(np.abs(self.weights))[-most]
        return self.only(np.abs(self.weights) >= floor)

    @property
    def variance(self) -> int:
        """Variance of the sum under a random key, exactly."""
        return int(np.sum(np.square(self.weights)))

    def total(self, key: TierKey) -> int:
        """Return the sum under one key."""
        return int(self.totals(np.array([key.a], np.uint64), np.array([key.b], np.uint64))[0])

    def totals(self, a: U64, b: U64) -> IntArray:
        """Return the sum under each of many keys, given by their halves, shape (keys,)."""
        n = len(self.tokens)
        green = np.zeros(len(a), np.int64)
        if n == 0:
            return green
        step = max(1, _TILE // n)
        for low in range(0, len(a), step):
            keys = slice(low, low + step)
            for first in range(0, n, _TILE):
                part = slice(first, first + _TILE)
                seed = seeds(self.digests[None, part], a[keys, None], b[keys, None])
                bits = green_bits(seed, self.tokens[None, part])
                # float64 holds every whole number in reach: weights are at most 10^4, pairs at most 10^8
                green[keys] += np.rint(bits.astype(np.float64) @ self.weights[part].astype(np.float64)).astype(np.int64)
        return 2 * green - int(self.weights.sum())

    def chance(self, rng: np.random.Generator, dummies: int = DUMMIES) -> FloatArray:
        """Return standardised sums under random keys, shape (dummies,), on the pairs with the largest weights."""
        part = self.heaviest(SAMPLE)
        if not len(part.tokens):
            return np.zeros(dummies)
        return np.asarray(part.totals(*random_keys(rng, dummies)) / np.sqrt(part.variance))


def chance_misfit(scores: FloatArray) -> str:
    """Return why random keys do not score as chance must; empty when they do."""
    return misfit(scores)
