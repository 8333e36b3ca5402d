"""How many scored tokens a text must have to be found at 1e-6 with 90 % power, by theory and by drawing texts.

In: green rates. Out: exact numbers, and the power that simulated texts of that length have.
A union over tiers needs what one key needs; a tier of share s needs 1/s as many; contexts read under a key that they
do not carry dilute the rate: with a share q of them wrong, rate r falls to r - q (r - 1/2).
"""

import math
from dataclasses import dataclass

import numpy as np

from stillwatch.forensics.marks.power import tokens_needed
from stillwatch.stats.exact import binomial_tail

RATES = (0.90, 0.85, 0.80, 0.75, 0.70, 0.65, 0.60, 0.55, 0.52)
ALPHA, POWER, TEXTS = 1e-6, 0.9, 20_000


@dataclass(frozen=True)
class Need:
    """What a green rate takes."""

    rate: float
    union: int
    """Scored tokens where every tier's key is right."""
    simulated: float
    """Share of simulated texts of that many tokens that are found."""
    wrong_quarter: int
    """Scored tokens where campaign contexts are read under the wrong key."""
    provider: int
    """Scored tokens of all tiers where the provider's half alone is read."""
    named_of_10_000: int
    """Scored tokens of all tiers to name one account among 10,000 by account and campaign contexts."""


def run(seed: int) -> list[Need]:
    """Return one row a rate."""
    rng = np.random.default_rng(seed)
    out = []
    for rate in RATES:
        n = tokens_needed(rate, alpha=ALPHA, at_power=POWER)
        found = binomial_tail(rng.binomial(n, rate, TEXTS), n, 0.5) <= math.log(ALPHA)
        diluted = rate - 0.25 * (rate - 0.5)
        out.append(Need(
            rate=rate, union=n, simulated=float(found.mean()), wrong_quarter=tokens_needed(diluted),
            provider=2 * n, named_of_10_000=2 * tokens_needed(rate, alpha=ALPHA / 20_000),
        ))  # fmt: skip
    return out
