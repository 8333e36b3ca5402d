"""From counts and what random keys say of the same text to a `Reading`; for schemes other than the green mark.

In: a score, its exact log p-value, its standardised form, and that of random keys. Out: `Reading`.
Cost: microseconds. Left to `calibrate`: the green mark's own.
"""

from typing import Final

import numpy as np

from stillwatch.forensics.marks.reading import Reading, misfit
from stillwatch.stats.arrays import FloatArray

DEEPEST: Final = -1e12
"""Stands where a p-value is below what a float's logarithm is computed for."""


def assessed(
    scheme: str, key_name: str, counts: tuple[int, float], tail: tuple[float, float], dummies: FloatArray
) -> Reading:
    """Return a reading that fits only where random keys score as chance does.

    Args:
        scheme: Name of the scheme, with the settings that change what is scored.
        key_name: Which key was tried, in words; no key.
        counts: Places scored, and hits or the sum of scores.
        tail: Natural log of the exact p-value, and the standardised score.
        dummies: Random keys' standardised scores, shape (keys,).
    """
    scored, hits = counts
    log_p, z = tail
    why = "there is nothing to score: give more text." if scored == 0 else misfit(dummies)
    return Reading(
        scheme=scheme, key_name=key_name, scored=scored, hits=hits, log_p=max(float(log_p), DEEPEST),
        dummy_mean=float(np.mean(dummies)), dummy_sd=float(np.std(dummies)),
        dummy_p=(1 + int(np.count_nonzero(dummies >= z))) / (1 + len(dummies)), fits=not why, why=why,
    )  # fmt: skip
