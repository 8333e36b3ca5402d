"""Which account, or which campaign, a suspect was taught by: every key is tried, and every one tried is paid for.

In: a suspect's answers in tokens, a reference, the opened keys of everybody who was marked. Out: the strongest, each
with its own p-value; Holm over the whole family is taken where all findings come together.
An account's contexts carry its key; contexts of the campaign tier carry it too while it is in no campaign. Both ways
are tried where both exist, and twice the smaller p-value holds whichever it was.
Cost: 10 ns a pair, key and way; 10,000 keys some 3 s. Left to `keyed`: sums. Left to `residual`: weights.
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from stillwatch.forensics.exams import drawnexams
from stillwatch.forensics.exams.examination import Examination, Need, Outcome, decimal, more
from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.keyed import KeyedPairs
from stillwatch.forensics.exams.marked import EXPECTED, OPENINGS, SEED, TOKENS, dummies, weighted, why_not
from stillwatch.forensics.exams.opened import OpenedMarks
from stillwatch.forensics.exams.signs import sharp_tail, standard
from stillwatch.stats.arrays import FloatArray
from stillwatch.treatments.marks.prf import U64
from stillwatch.treatments.marks.ring import TierKey

NAMED: Final = 50
"""Accounts that get an outcome of their own; all of them are tried and paid for."""
LEADING: Final = 500
"""Keys that are tried on the whole text."""
SCREEN: Final = 20_000
"""Pairs that decide which."""


def tried(ways: Sequence[KeyedPairs], keys: Sequence[TierKey]) -> tuple[FloatArray, FloatArray]:
    """Return for each key its best standardised sum and log p-value over the ways, shape (keys,) each.

    Where there are many keys, all of them are tried on the pairs with the largest weights, and on the whole text only
    those that lead there. The rest get p = 1 and the sum of the first round: that loses power, never validity.
    """
    a, b = (np.array([key[half] for key in keys], np.uint64) for half in (0, 1))
    leading = np.arange(len(keys))
    z = np.full(len(keys), -np.inf)
    if len(keys) > LEADING and max(len(one.tokens) for one in ways) > SCREEN:
        z = _best([one.heaviest(SCREEN) for one in ways], a, b)
        leading = np.sort(np.argsort(-z, kind="stable")[:LEADING])
    z[leading] = _best(ways, a[leading], b[leading])
    log_p = np.zeros(len(keys))
    log_p[leading] = np.minimum(sharp_tail(z[leading]) + math.log(len(ways)), 0.0)
    return z, log_p


def _best(ways: Sequence[KeyedPairs], a: U64, b: U64) -> FloatArray:
    return np.asarray(np.max([one.totals(a, b) / math.sqrt(max(one.variance, 1)) for one in ways], axis=0))


class Tracing(Examination):
    """Which account or campaign taught the suspect."""

    name: ClassVar[str] = "tracing"
    kind: ClassVar[str] = "mark"
    null: ClassVar[str] = "The suspect's text was written without knowledge of this account's or campaign's key."
    statistic: ClassVar[str] = "as reference-residual, under every key, corrected by Holm over all that were tried"
    unit: ClassVar[str] = "tokens"
    access: ClassVar[str] = "text"
    needs: ClassVar[tuple[Need, ...]] = (TOKENS, OPENINGS, EXPECTED, SEED)
    power: ClassVar[str] = "with three controls an account with a twentieth of the harvest, from 600,000 tokens"
    limits: ClassVar[str] = (
        "Names who was served, not who stole: keys of an account may have been shared or stolen themselves. With c "
        "accounts the strength of each falls as 1/c."
    )

    def outcomes(self, given: Given) -> Sequence[Outcome]:
        """Return the strongest accounts, each with its own p-value, see `Examination`; the family pays for all."""
        marks = OpenedMarks.of(given.reveals("openings"))
        if given.test.family < len(marks.keys):
            raise given.bad("openings", f"opens {len(marks.keys)} keys, and the family is {given.test.family}")
        if marks.drawn:
            return drawnexams.traced(given, marks)
        pairs, tokens, spread = weighted(given, marks)
        tier = marks.tiers(pairs.digests)
        scores = pairs.chance(given.rng("random keys"))
        found = []
        for tier_name in sorted({key.tier for key in marks.keys}):
            keys = [key for key in marks.keys if key.tier == tier_name]
            ways = [pairs.only(np.isin(tier, way)) for way in marks.ways(keys[0])]
            z, log_p = tried(ways, [key.key for key in keys])
            found += [(float(p), float(s), key) for p, s, key in zip(log_p, z, keys, strict=True)]
        found.sort(key=lambda one: (one[0], one[2].subject))
        weights = pairs.weights.astype(np.float64)
        least = float(sharp_tail(standard(float(np.abs(weights).sum()), weights)))
        return [
            Outcome(
                subject=key.subject, n=tokens, log_p=log_p, least_log_p=least,
                observed={"z": decimal(z), "spread": decimal(spread), "keys tried": len(found), **dummies(scores)},
                power=more(tokens, z, given.log_alpha, "tokens"), skipped=why_not(len(pairs.tokens), scores),
            )
            for log_p, z, key in found[:NAMED]
        ]  # fmt: skip
