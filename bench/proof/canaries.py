"""Canaries in tokens: 32 free choices, each drawn among 16, planted in 1 % of a harvest's tokens.

In: a harvest, a seed. Out: the harvest with sentences put over the ends of some answers, and the same questions again.
A carrier is six tokens that point to a choice; the value is one token. Both are ordinary words.
Cost: nothing. Left to `forensics.canaries`: the test.
"""

from typing import Final, NamedTuple

import numpy as np

from stillwatch.lab.wordteacher import IntArray

CANARIES: Final = 32
ALTERNATIVES: Final = 16
SHARE: Final = 0.01
CARRIER: Final = 6
_FIRST: Final = 100
"""Values are words from this rank on."""


class TokenCanary(NamedTuple):
    """One free choice."""

    carrier: IntArray
    """Shape (CARRIER,)."""
    alternatives: IntArray
    """Shape (ALTERNATIVES,)."""
    index: int


def canaries(seed: int, vocab: int = 512) -> list[TokenCanary]:
    """Return the canaries of a seed: carriers first, then alternatives, then values."""
    rng = np.random.default_rng((seed, 32))
    carriers = rng.integers(1, vocab, (CANARIES, CARRIER))
    values = [rng.choice(np.arange(_FIRST, vocab), ALTERNATIVES, replace=False) for _ in range(CANARIES)]
    drawn = rng.integers(0, ALTERNATIVES, CANARIES)
    return [TokenCanary(*one) for one in zip(carriers, values, drawn.tolist(), strict=True)]


def planted(harvest: IntArray, seed: int) -> IntArray:
    """Return the harvest with canaries over the ends of some answers, `SHARE` of its tokens in all."""
    rng = np.random.default_rng((seed, 33))
    out = harvest.copy()
    sentence = CARRIER + 1
    total = int(SHARE * harvest.size / sentence)
    held = canaries(seed)
    rows = rng.permutation(len(out))[:total] if total <= len(out) else rng.integers(0, len(out), total)
    for i, row in enumerate(rows):
        one = held[i % CANARIES]
        start = int(rng.integers(0, out.shape[1] - sentence))
        out[row, start : start + sentence] = [*one.carrier, one.alternatives[one.index]]
    return out
