"""Which account, or which campaign, a suspect was taught by: every key is tried, and every one that is tried is paid for.

In: weighted pairs by tier, and the keys of everybody who was marked. Out: a p-value each and Holm's correction.
An account's contexts carry its key; contexts of the campaign tier carry it too while it is in no campaign. Both ways
are tried where both exist, and twice the smaller p-value holds whichever it was.
Cost: 6 ns a pair, key and way. Left to `keyed`: sums. Left to `residual`: weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stillwatch.forensics.exams.keyed import KeyedPairs, chance_misfit
from stillwatch.forensics.exams.signs import sharp_tail
from stillwatch.forensics.marks.reading import log_holm
from stillwatch.stats.arrays import FloatArray
from stillwatch.treatments.marks.ring import TierKey


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Traced:
    """One row a name, in the order given; holds no keys."""

    names: tuple[str, ...] = field(repr=False)
    z: FloatArray = field(repr=False)
    """Standardised sums in the best way, shape (names,)."""
    log_p: FloatArray = field(repr=False)
    """Corrected for the ways, not for the names."""
    adjusted: FloatArray = field(repr=False)
    """After Holm over everybody tried."""
    dummy_mean: float
    dummy_sd: float
    why: str
    """Why the null does not fit; empty when it does."""

    def named(self, alpha: float) -> tuple[str, ...]:
        """Return who counts as shown at family-wise error rate `alpha`, strongest first; nobody where chance misfits."""
        if self.why:
            return ()
        order = np.argsort(self.adjusted, kind="stable")
        return tuple(self.names[i] for i in order if self.adjusted[i] <= math.log(alpha))


def traced(
    parts: Sequence[KeyedPairs], names: Sequence[str], keys: Sequence[TierKey], rng: np.random.Generator,
    *, tried: int | None = None,
) -> Traced:  # fmt: skip
    """Try every key on the parts of a text.

    Args:
        parts: What each way scores, at least one; a way is a set of contexts that would carry the key.
        names: Whose keys they are, each once.
        keys: One a name.
        rng: Draws the random keys that chance is held against.
        tried: Hypotheses in all, where more were tried than are given.
    """
    a, b = (np.array([key[half] for key in keys], np.uint64) for half in (0, 1))
    z = np.stack([part.totals(a, b) / math.sqrt(max(part.variance, 1)) for part in parts])
    log_p = np.minimum(sharp_tail(z.max(axis=0)) + math.log(len(parts)), 0.0)
    scores = parts[-1].chance(rng)
    why = "there is nothing to score: give more text." if not len(parts[-1].tokens) else chance_misfit(scores)
    return Traced(
        names=tuple(names), z=z.max(axis=0), log_p=log_p, adjusted=log_holm(log_p, tried=tried),
        dummy_mean=float(np.mean(scores)), dummy_sd=float(np.std(scores)), why=why,
    )  # fmt: skip
