"""Pairs packed for counting: tokens of one context that share a 64-bit word of its stream are counted together.

In: distinct pairs and the digests of their contexts. Out: `Words`, and green counts under one key or under thousands.
Cost: 3 ns a word and key and 3 ns a context and key; a tile stays in the processor's cache while all keys go over it.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.forensics.marks.pairs import Pairs
from stillwatch.stats.arrays import IntArray
from stillwatch.treatments.marks.prf import PHI, U64, mix64_into
from stillwatch.treatments.marks.ring import TierKey

TILE: Final = 1 << 15
"""Words times keys counted at once."""
_SIX, _LOW, _ONE = np.uint64(6), np.uint64(63), np.uint64(1)


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What is to be counted; w words of c contexts."""

    digests: U64 = field(repr=False)
    """Digest of each context, shape (c,)."""
    counts: IntArray = field(repr=False)
    """Words of each context, shape (c,), at least 1."""
    steps: U64 = field(repr=False)
    """What is added to a context's seed for each word, shape (w,), context by context."""
    masks: U64 = field(repr=False)
    """The bits of the word that stand for tokens seen, shape (w,)."""

    @classmethod
    def of(cls, pairs: Pairs, digests: U64) -> "Words":
        """Return the pairs packed; `digests` has one entry a context of `pairs`."""
        if not len(pairs.tokens):
            empty = np.empty(0, np.uint64)
            return cls(empty, np.empty(0, np.int64), empty, empty)
        token = pairs.tokens.astype(np.uint64)
        block = token >> _SIX
        ends = np.cumsum(pairs.counts)
        starts = ends - pairs.counts
        new = np.empty(len(token), np.bool_)
        np.not_equal(block[1:], block[:-1], out=new[1:])
        new[starts] = True
        first = np.flatnonzero(new)
        masks = np.bitwise_or.reduceat(_ONE << (token & _LOW), first)
        before = np.searchsorted(first, starts)
        return cls(digests, np.diff(before, append=len(first)), block[first] * np.uint64(PHI), masks)

    def only(self, chosen: npt.NDArray[np.bool_]) -> "Words":
        """Return the words of the contexts chosen, shape (c,)."""
        each = np.repeat(chosen, self.counts)
        return Words(self.digests[chosen], self.counts[chosen], self.steps[each], self.masks[each])

    def sample(self, share: float) -> "Words":
        """Return about this share of the contexts with all their words, the same ones each time and for any keys."""
        if share >= 1.0:
            return self
        return self.only(self.digests < np.uint64(int(share * 2.0**64)))

    @property
    def mixes(self) -> int:
        """What counting costs for each key, in 64-bit mixes of 3 ns each."""
        return len(self.digests) + len(self.steps)

    @property
    def scored(self) -> int:
        """Pairs in all."""
        return int(np.bitwise_count(self.masks).sum(dtype=np.int64))

    def hits(self, key: TierKey) -> int:
        """Return how many pairs are green under one key."""
        return int(self.hits_of(np.array([key.a], np.uint64), np.array([key.b], np.uint64))[0])

    def hits_of(self, a: U64, b: U64) -> IntArray:
        """Return how many pairs are green under each of many keys, given by their halves, shape (keys,)."""
        out = np.zeros(len(a), np.int64)
        ends = np.cumsum(self.counts)
        low = 0
        while low < len(ends):
            begin = int(ends[low] - self.counts[low])
            high = max(low + 1, int(np.searchsorted(ends, begin + TILE, side="right")))
            rows = slice(begin, int(ends[high - 1]))
            _count(Words(self.digests[low:high], self.counts[low:high], self.steps[rows], self.masks[rows]), a, b, out)
            low = high
        return out


def _count(tile: Words, a: U64, b: U64, out: IntArray) -> None:
    """Add each key's green pairs of one tile to `out`; so many keys at a time as fill the cache."""
    c, w = len(tile.digests), len(tile.steps)
    which = np.repeat(np.arange(c), tile.counts)
    batch = min(max(1, TILE // w), len(a))
    room = [np.empty((batch, n), np.uint64) for n in (c, c, w, w)]
    ones = np.empty((batch, w), np.uint8)
    for first in range(0, len(a), batch):
        keys = slice(first, first + batch)
        n = min(batch, len(a) - first)
        seed, spare_seed, word, spare = (array[:n] for array in room)
        np.bitwise_xor(tile.digests, a[keys, None], out=seed)
        mix64_into(seed, spare_seed)
        np.add(seed, b[keys, None], out=seed)
        if c == w:
            np.add(seed, tile.steps, out=word)
        else:
            np.take(seed, which, axis=1, out=word, mode="clip")
            np.add(word, tile.steps, out=word)
        mix64_into(word, spare)
        np.bitwise_and(word, tile.masks, out=word)
        np.bitwise_count(word, out=ones[:n])
        out[keys] += np.add.reduce(ones[:n], axis=1, dtype=np.uint32)
