"""The score test against a reference: what a suspect says more often than the reference, held against a key.

In: answers in tokens, opened keys, what a reference expects on the same places. Out: one outcome a key.
Cost: 6 ns a pair and key. Left to `residual`, `keyed`, `signs`: the arithmetic. Left to the caller: the reference, best
the suspect's public base taught on unmarked answers of the same teacher; else that base; else a text of others.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from stillwatch.forensics.exams import drawnexams
from stillwatch.forensics.exams.examination import Examination, Need, Outcome, decimal, more
from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.keyed import KeyedPairs
from stillwatch.forensics.exams.marked import EXPECTED, OPENINGS, SEED, TOKENS, dummies, weighted, why_not
from stillwatch.forensics.exams.opened import OpenedKey, OpenedMarks
from stillwatch.forensics.exams.signs import hoeffding_tail, normal_tail, saddlepoint_tail, sharp_tail, standard
from stillwatch.stats.arrays import IntArray
from stillwatch.terms.protocol import Value


class ReferenceResidual(Examination):
    """The score test against a reference."""

    name: ClassVar[str] = "reference-residual"
    kind: ClassVar[str] = "mark"
    null: ClassVar[str] = (
        "The suspect's text was written without knowledge of the key: the signs that the key gives to pairs are fair "
        "coins, independent of the weights, whatever reference made those; where tokens were drawn by key, the key "
        "draws each with the reference's chance."
    )
    statistic: ClassVar[str] = (
        "sum over distinct pairs of weight times sign; weight = clipped (seen - expected by the reference), "
        "times the lift of delta, over 1 + spread times expected; of keyed draws the weights of the tokens drawn"
    )
    unit: ClassVar[str] = "tokens"
    access: ClassVar[str] = "text"
    needs: ClassVar[tuple[Need, ...]] = (TOKENS, OPENINGS, EXPECTED, SEED)
    power: ClassVar[str] = "with three controls a fifth of marked text from 10,000 tokens, a twentieth from 40,000"
    limits: ClassVar[str] = (
        "The nearer the reference is to the suspect without the mark, the fewer tokens it takes; a poor one finds "
        "nothing. A mark alone is no proof of copying."
    )

    def outcomes(self, given: Given) -> Sequence[Outcome]:
        """Return one outcome a key, see `Examination`."""
        marks = OpenedMarks.of(given.reveals("openings"))
        if marks.drawn:
            return drawnexams.residual(given, marks)
        pairs, tokens, spread = weighted(given, marks)
        tier = marks.tiers(pairs.digests)
        return [self._scored(given, marks, key, (pairs, tier), (tokens, spread)) for key in marks.keys]

    def _scored(
        self, given: Given, marks: OpenedMarks, key: OpenedKey, held: tuple[KeyedPairs, IntArray],
        facts: tuple[int, float],
    ) -> Outcome:  # fmt: skip
        pairs, tier = held
        tokens, spread = facts
        parts = [pairs.only(np.isin(tier, way)) for way in marks.ways(key)]
        zs = [part.total(key.key) / math.sqrt(max(part.variance, 1)) for part in parts]
        best = int(np.argmax(zs))
        z, part, ways = zs[best], parts[best], math.log(len(parts))
        weights = part.weights.astype(np.float64)
        most = standard(float(np.abs(weights).sum()), weights)
        scores = part.chance(given.rng("random keys"))
        beside: dict[str, Value] = {
            "z": decimal(z), "log p, normal": decimal(float(normal_tail(z))), "spread": decimal(spread),
            "log p, saddlepoint": decimal(saddlepoint_tail(float(part.total(key.key)), weights)),
            "log p, Hoeffding": decimal(float(hoeffding_tail(z))), "pairs": len(part.tokens), "ways": len(parts),
        }  # fmt: skip
        return Outcome(
            subject=key.subject, n=tokens, log_p=min(0.0, float(sharp_tail(z)) + ways),
            least_log_p=min(0.0, float(sharp_tail(most)) + ways), observed={**beside, **dummies(scores)},
            power=more(tokens, z, given.log_alpha, "tokens"), skipped=why_not(len(part.tokens), scores),
        )  # fmt: skip
