"""What chance does on this very text: the counts under a thousand random keys, by tier.

In: the words of a text and `rng`. Out: `Chance`, whose standardised scores must look like mean 0 and deviation 1.
After repeats are gone theory says that they do, exactly; so where they do not, something is wrong with text, tokeniser
or code, and no p-value is given. Cost: at most 8,192 words a tier are scored, 50 ms a tier; a sample is taken by
context digest, which knows nothing of the tier keys.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from stillwatch.forensics.marks.reading import LEAST_KEYS, misfit
from stillwatch.forensics.marks.words import Words
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.treatments.marks.green import GAMMA
from stillwatch.treatments.marks.prf import U64

DUMMIES: Final = 1_024
"""Random keys on every report."""
SAMPLE: Final = 8_192
"""Words of a tier that are scored under each; a text with fewer is scored whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """Counts under random keys."""

    hits: IntArray = field(repr=False)
    """Green pairs, shape (tiers, keys)."""
    scored: IntArray
    """Pairs scored, shape (tiers,)."""

    @classmethod
    def of(
        cls, words: tuple[Words, ...], rng: np.random.Generator, dummies: int = DUMMIES, sample: int = SAMPLE
    ) -> "Chance":
        """Return the counts of each part of a text under `dummies` random keys.

        Raises:
            ValueError: `dummies` is below 1,000.
        """
        if dummies < LEAST_KEYS:
            raise ValueError(f"dummies = {dummies}: must be at least {LEAST_KEYS}, or the fit cannot be judged.")
        parts = [part.sample(sample / max(len(part.steps), 1)) for part in words]
        hits = [part.hits_of(*random_keys(rng, dummies)) for part in parts]
        return cls(np.stack(hits), np.array([part.scored for part in parts], np.int64))

    def scores(self, tiers: tuple[int, ...]) -> FloatArray:
        """Return the random keys' standardised scores over these tiers together, shape (keys,); 0 without text."""
        chosen = list(tiers)
        n = int(self.scored[chosen].sum())
        return np.asarray((self.hits[chosen].sum(axis=0) - GAMMA * n) / np.sqrt(max(n, 1) * GAMMA * (1.0 - GAMMA)))

    def misfit(self, tiers: tuple[int, ...]) -> str:
        """Return why chance is not what it must be on these tiers; empty when it is."""
        return misfit(self.scores(tiers))


def random_keys(rng: np.random.Generator, n: int) -> tuple[U64, U64]:
    """Return the halves of `n` random keys."""
    a, b = rng.integers(0, 2**64, (2, n), np.uint64)
    return a, b
