"""A suspect's probabilities after contexts that were served, held against keys.

In: log-probabilities of suspect and reference after the same texts, tokens before each place, opened keys; the index of
served contexts where there is one. Out: one outcome a key.
Where the texts asked about are not shaped by the mark (`neutral`), every place counts, a context's places are averaged,
and the tail is that of weighted signs. Where they are the served answers themselves (`served`), only the first place of
each context counts, and the tail is that of a martingale. Choosing is by context only, never by token.
Cost: one pass over places times tokens told, 6 ns a pair and key.
Left to `servedlogits`: weights. Left to the caller: which contexts were served (`treatments.marks.served`).
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from stillwatch.forensics.exams import drawnexams
from stillwatch.forensics.exams.examination import Examination, Need, Outcome, decimal, more
from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.keyed import KeyedPairs
from stillwatch.forensics.exams.marked import OPENINGS, SEED, dummies, why_not
from stillwatch.forensics.exams.opened import OpenedKey, OpenedMarks
from stillwatch.forensics.exams.servedlogits import POWER, first_places, gathered, logit_weights
from stillwatch.forensics.exams.signs import hoeffding_tail, martingale_tail, normal_tail, sharp_tail, standard
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.terms.protocol import Value
from stillwatch.treatments.marks.prf import U64
from stillwatch.treatments.marks.served import ServedContexts

TEXTS: Final = ("neutral", "served")


class ServedLogits(Examination):
    """Suspect logits on served contexts."""

    name: ClassVar[str] = "served-logits"
    kind: ClassVar[str] = "mark"
    null: ClassVar[str] = (
        "The suspect's probabilities do not depend on the key: after each context the signs that the key gives to "
        "tokens are fair coins, given all that was asked and told before; where tokens were drawn by key, it draws "
        "each with the reference's chance."
    )
    statistic: ClassVar[str] = (
        "sum over contexts and tokens of weight times sign; weight = mass^power times the clipped, centred log ratio "
        "of suspect to reference; of keyed draws the log likelihood ratio of the token drawn, less its mean"
    )
    unit: ClassVar[str] = "contexts"
    access: ClassVar[str] = "logprobs"
    needs: ClassVar[tuple[Need, ...]] = (
        Need("logprobs", "transcript", "log-probabilities of suspect and reference after the same texts"),
        OPENINGS,
        Need("served", "served", "contexts that were served", optional=True),
        SEED,
    )
    power: ClassVar[str] = "with three controls a twentieth of marked text gives 1e-12 by 5,000 places"
    limits: ClassVar[str] = "A suspect that tells few alternatives tells little. A mark alone is no proof of copying."

    def outcomes(self, given: Given) -> Sequence[Outcome]:
        """Return one outcome a key, see `Examination`."""
        marks = OpenedMarks.of(given.reveals("openings"))
        if marks.drawn:
            return drawnexams.probabilities(given, marks)
        contexts, tokens, log_p, log_r = given.arrays("logprobs", "contexts", "tokens", "suspect", "reference")
        texts = given.text("texts", "served")
        if texts not in TEXTS or contexts.shape[1:] != (marks.epoch.width,) or log_p.shape != tokens.shape:
            raise given.bad("logprobs", f"must fit the mark's width, and `texts` be one of {', '.join(TEXTS)}")
        digests = marks.table.digests(*(contexts[:, j].astype(np.int64) for j in range(marks.epoch.width)))
        keep = np.arange(len(digests))
        if given.has("served"):
            (index,) = given.arrays("served", "digests")
            keep = keep[ServedContexts(np.unique(index.astype(np.uint64))).knows(digests)]
        if texts == "served":
            keep = keep[first_places(digests[keep].view(np.int64))]
        weights = logit_weights(log_p[keep].astype(np.float64), log_r[keep].astype(np.float64),
                                power=given.real("power", str(POWER)))  # fmt: skip
        often = _often(given, keep) if texts == "served" else None
        distinct, number = np.unique(digests[keep], return_inverse=True)
        at, token, weight = gathered(number.ravel(), tokens[keep].astype(np.int64), weights, vocab=marks.epoch.vocab,
                                     often=often)  # fmt: skip
        pairs = KeyedPairs.of(distinct[at], token, weight, most=2**31)
        return [self._scored(given, marks, key, pairs, texts) for key in marks.keys]

    def _scored(self, given: Given, marks: OpenedMarks, key: OpenedKey, pairs: KeyedPairs, texts: str) -> Outcome:
        tier: IntArray = marks.tiers(pairs.digests)
        parts = [pairs.only(np.isin(tier, way)) for way in marks.ways(key)]
        best = max(range(len(parts)), key=lambda i: parts[i].total(key.key) / math.sqrt(max(parts[i].variance, 1)))
        part, ways = parts[best], math.log(len(parts))
        total, variance, n = part.total(key.key), part.variance, contexts_of(part.digests)
        weights = part.weights.astype(np.float64)
        z = total / math.sqrt(max(variance, 1))
        most = float(np.abs(weights).sum())
        if texts == "served":
            unit = largest(part)
            plan = float(given.test.samples)
            log_p = martingale_tail(total / unit, variance / unit**2, plan)
            least = martingale_tail(most / unit, variance / unit**2, plan)
        else:
            log_p, least = float(sharp_tail(z)), float(sharp_tail(standard(most, weights)))
        scores = part.chance(given.rng("random keys"))
        beside: dict[str, Value] = {
            "z": decimal(z), "log p, normal": decimal(float(normal_tail(z))), "pairs": len(part.tokens),
            "log p, Hoeffding": decimal(float(hoeffding_tail(z))), "ways": len(parts),
        }  # fmt: skip
        return Outcome(
            subject=key.subject, n=n, log_p=min(0.0, log_p + ways), least_log_p=min(0.0, least + ways),
            observed={**beside, **dummies(scores)}, power=more(n, z, given.log_alpha, "contexts"),
            skipped=why_not(n, scores),
        )  # fmt: skip


def _often(given: Given, keep: IntArray) -> FloatArray | None:
    """Return how often contexts occur in text without a mark, where the material says so."""
    if not given.whole("counted", 0):
        return None
    (often,) = given.arrays("logprobs", "often")
    return np.maximum(often[keep].astype(np.float64), 0.0)


def largest(pairs: KeyedPairs) -> float:
    """Return the largest standard deviation that one context brings; the plan counts contexts in units of it."""
    if not len(pairs.tokens):
        return 1.0
    _, at = np.unique(pairs.digests, return_inverse=True)
    return float(np.sqrt(np.bincount(at.ravel(), weights=np.square(pairs.weights.astype(np.float64))).max()))


def contexts_of(digests: U64) -> int:
    """Return how many distinct contexts there are."""
    return len(np.unique(digests))
