"""Count green pairs in a suspect's text, each distinct pair once: the plain test, exact and weak.

In: answers in tokens, opened keys. Out: one outcome a key. Cost: 6 ns a pair and key.
Source: Sander et al. 2024, arXiv:2402.14904 (radioactivity); Fernandez et al. 2023, arXiv:2308.00113 (each pair once).
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from stillwatch.forensics.exams import drawnexams
from stillwatch.forensics.exams.examination import Examination, Need, Outcome, more
from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.keyed import KeyedPairs
from stillwatch.forensics.exams.marked import OPENINGS, SEED, TOKENS, dummies, why_not
from stillwatch.forensics.exams.opened import OpenedKey, OpenedMarks
from stillwatch.forensics.marks.grams import distinct_grams
from stillwatch.stats.arrays import IntArray
from stillwatch.stats.exact import binomial_tail


class Radioactivity(Examination):
    """Count green pairs."""

    name: ClassVar[str] = "radioactivity"
    kind: ClassVar[str] = "mark"
    null: ClassVar[str] = (
        "The suspect's text was written without knowledge of the key: each distinct pair of context and token is green "
        "with chance 1/2, independently; where tokens were drawn by key, each scores exponentially, mean 1."
    )
    statistic: ClassVar[str] = (
        "distinct (context, token) pairs that are green, exactly binomial; of keyed draws the sum of -log(1 - u), gamma"
    )
    unit: ClassVar[str] = "distinct pairs"
    access: ClassVar[str] = "texts"
    needs: ClassVar[tuple[Need, ...]] = (TOKENS, OPENINGS, SEED)
    power: ClassVar[str] = "students taught on marked text alone; at a tenth of marked text it finds next to nothing"
    limits: ClassVar[str] = (
        "Shows that text under this key reached the suspect, not by which way; a mark alone is no proof of copying."
    )

    def outcomes(self, given: Given) -> Sequence[Outcome]:
        """Return one outcome a key and way, see `Examination`."""
        marks = OpenedMarks.of(given.reveals("openings"))
        if marks.drawn:
            return drawnexams.counted(given, marks)
        text, prompts = given.tokens("tokens")
        grams = distinct_grams(text, marks.epoch.width, prompts=prompts)
        columns = tuple(grams.contexts[:, marks.epoch.width - 1 - j] for j in range(marks.epoch.width))
        pairs = KeyedPairs.of(marks.table.digests(*columns), grams.tokens, np.ones(len(grams.tokens)), most=2**31)
        tier = marks.tiers(pairs.digests)
        return [_counted(given, marks, key, pairs, tier) for key in marks.keys]


def _counted(given: Given, marks: OpenedMarks, key: OpenedKey, pairs: KeyedPairs, tier: IntArray) -> Outcome:
    found = []
    for way in marks.ways(key):
        part = pairs.only(np.isin(tier, way))
        n = len(part.tokens)
        hits = (part.total(key.key) // int(part.weights[0]) + n) // 2 if n else 0
        found.append((float(binomial_tail(hits, n, 0.5)), n, hits, part))
    log_p, n, hits, part = min(found, key=lambda one: one[0])
    ways = math.log(len(found))
    z = (hits - n / 2) / math.sqrt(max(n, 1) / 4)
    scores = part.chance(given.rng("random keys"))
    return Outcome(
        subject=key.subject, n=n, log_p=min(0.0, log_p + ways), least_log_p=min(0.0, -n * math.log(2.0) + ways),
        observed={"green": hits, "scored": n, "ways": len(found), **dummies(scores)},
        power=more(n, z, given.log_alpha, "distinct pairs"), skipped=why_not(n, scores),
    )  # fmt: skip
