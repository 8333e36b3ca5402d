"""The exams of marks where tokens were drawn by key: the four of them, each as its green sister reports.

In: a planned test's materials, opened keys. Out: outcomes, one a key. Cost: 0.1 microseconds a token told and key.
Left to `drawn`: sums and tails. Left to `radioactivity`, `reference`, `served`, `tracing`: which exam it is.
Source: Aaronson 2022 (scores of keyed draws); Fernandez et al. 2023, arXiv:2308.00113 (each pair once).
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from stillwatch.forensics.exams.drawn import DrawnContexts
from stillwatch.forensics.exams.drawnscores import LIFT, probability_payoffs, word_payoffs
from stillwatch.forensics.exams.examination import Outcome, decimal, more
from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.marked import dummies, seen_pairs, why_not
from stillwatch.forensics.exams.opened import OpenedKey, OpenedMarks
from stillwatch.forensics.exams.residual import PairCounts, pack
from stillwatch.forensics.exams.servedlogits import first_places
from stillwatch.forensics.exams.signs import normal_tail
from stillwatch.forensics.marks.gamma import two_key_tail
from stillwatch.forensics.marks.grams import Grams, distinct_grams
from stillwatch.forensics.marks.vllm import GRAIN, chance_scores, standard, summed
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.terms.protocol import Value
from stillwatch.treatments.marks.philox import pair_words, uniforms
from stillwatch.treatments.marks.served import ServedContexts

SCREENED: Final = 4_000
"""Tokens that decide which of many keys lead."""
LEADING: Final = 64
"""Keys that are tried on everything."""
NAMED: Final = 50
_DEEP: Final = -1e9


class _Held(NamedTuple):
    """What a suspect said, ready to be held against keys."""

    drawn: DrawnContexts
    n: int
    """Tokens it took; 0: contexts are counted, those that a key's tiers hold."""
    unit: str
    beside: dict[str, Value]
    running: bool = False
    """Whether the texts asked about were shaped by the mark."""


def counted(given: Given, marks: OpenedMarks) -> Sequence[Outcome]:
    """Return what distinct pairs of a text score under each key; see `Radioactivity`."""
    text, prompts = given.tokens("tokens")
    width = marks.epoch.width
    grams = distinct_grams(text, width, prompts=prompts)
    columns = tuple(grams.contexts[:, width - 1 - j] for j in range(width))
    tier = marks.tiers(marks.table.digests(*columns))
    return [_counted(given, marks, key, grams, tier) for key in marks.keys]


def residual(given: Given, marks: OpenedMarks) -> Sequence[Outcome]:
    """Return what a text says more often than a reference, under each key; see `ReferenceResidual`."""
    drawn, tokens, spread = _words(given, marks)
    held = _Held(drawn, tokens, "tokens", {"spread": decimal(spread)})
    return [_scored(given, marks, key, held) for key in marks.keys]


def probabilities(given: Given, marks: OpenedMarks) -> Sequence[Outcome]:
    """Return what a suspect's probabilities say under each key; see `ServedLogits`."""
    contexts, tokens, log_p, log_r = given.arrays("logprobs", "contexts", "tokens", "suspect", "reference")
    texts = given.text("texts", "served")
    if texts not in ("neutral", "served") or contexts.shape[1:] != (marks.epoch.width,) or log_p.shape != tokens.shape:
        raise given.bad("logprobs", "must fit the mark's width, and `texts` be one of neutral, served")
    digests = marks.table.digests(*(contexts[:, j].astype(np.int64) for j in range(marks.epoch.width)))
    keep = np.arange(len(digests))
    if given.has("served"):
        (index,) = given.arrays("served", "digests")
        keep = keep[ServedContexts(np.unique(index.astype(np.uint64))).knows(digests)]
    if texts == "served":
        keep = keep[first_places(digests[keep].view(np.int64))]
    drawn = probability_payoffs(
        (contexts[keep].astype(np.int64), digests[keep]), tokens[keep].astype(np.int64),
        (log_p[keep].astype(np.float64), log_r[keep].astype(np.float64)), alpha=marks.alpha,
        lift=given.real("lift", str(LIFT)),
    )  # fmt: skip
    held = _Held(drawn, 0, "contexts", {}, running=texts == "served")
    return [_scored(given, marks, key, held) for key in marks.keys]


def traced(given: Given, marks: OpenedMarks) -> Sequence[Outcome]:
    """Return the strongest accounts and campaigns, every key tried; see `Tracing`."""
    drawn, tokens, spread = _words(given, marks)
    tier = marks.tiers(drawn.digests)
    scores = drawn.chance(given.rng("random keys"))
    found: list[tuple[float, float, OpenedKey]] = []
    for name in sorted({key.tier for key in marks.keys}):
        keys = [key for key in marks.keys if key.tier == name]
        ways = [drawn.only(np.isin(tier, way)) for way in marks.ways(keys[0])]
        log_p, z = tried(ways, [marks.draws(key) for key in keys])
        found += [(float(p), float(s), key) for p, s, key in zip(log_p, z, keys, strict=True)]
    found.sort(key=lambda one: (one[0], one[2].subject))
    return [
        Outcome(
            subject=key.subject, n=tokens, log_p=log_p, least_log_p=min(log_p, max(drawn.most[1], _DEEP)),
            observed={"z": decimal(z), "spread": decimal(spread), "keys tried": len(found), **dummies(scores)},
            power=more(tokens, z, given.log_alpha, "tokens"), skipped=why_not(len(drawn.starts), scores),
        )
        for log_p, z, key in found[:NAMED]
    ]  # fmt: skip


def tried(ways: Sequence[DrawnContexts], keys: Sequence[tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
    """Return each key's log p-value and standardised sum, the best over the ways, shape (keys,) each.

    Where there are many keys, all are screened by the first key's noise on the tokens with the greatest payoffs, and
    only the leading ones are tried on everything. The rest get p = 1: that loses power, never validity.
    """
    log_p, z = np.zeros(len(keys)), np.full(len(keys), -np.inf)
    leading = np.arange(len(keys))
    if len(keys) > LEADING:
        screened = np.max([_screen(one, [key[0] for key in keys]) for one in ways], axis=0)
        leading = np.sort(np.argsort(-screened, kind="stable")[:LEADING])
        z[:] = screened
    for at in leading.tolist():
        tails, sums = zip(*(_tail(one, keys[at], running=False) for one in ways), strict=True)
        log_p[at], z[at] = min(0.0, min(tails) + math.log(len(ways))), max(sums)
    return log_p, z


def _screen(drawn: DrawnContexts, keys: Sequence[int]) -> FloatArray:
    """Return for each key how high its noise is where much is paid, standardised, shape (keys,)."""
    worth = drawn.payoff * np.sqrt(np.exp(drawn.log_r))
    chosen = np.argsort(-np.abs(worth), kind="stable")[:SCREENED]
    contexts, tokens, weight = drawn.contexts[drawn.owner[chosen]], drawn.tokens[chosen], drawn.payoff[chosen]
    size = float(np.sqrt(np.sum(np.square(weight)))) or 1.0
    noise = (uniforms(pair_words(np.array([key], np.uint64), contexts, tokens)).astype(np.float64) for key in keys)
    return np.array([float(np.sum(weight * -np.log1p(-one)) - weight.sum()) / size for one in noise])


def _words(given: Given, marks: OpenedMarks) -> tuple[DrawnContexts, int, float]:
    text, prompts = given.tokens("tokens")
    width, vocab = marks.epoch.width, marks.epoch.vocab
    seen, places = seen_pairs(text, prompts, width, vocab)
    contexts, tokens, counts = given.arrays("expected", "contexts", "tokens", "counts")
    if contexts.ndim != 2 or contexts.shape[1] != width or not np.all(counts >= 0.0):
        raise given.bad("expected", f"must have contexts of {width} tokens and counts of 0 or more")
    code = pack(tuple(contexts[:, j].astype(np.int64) for j in range(width)), tokens.astype(np.int64), vocab)
    expected = PairCounts.of(code, counts.astype(np.float64))
    lift = given.real("lift", str(LIFT))
    drawn, spread = word_payoffs(seen, expected, marks.table, alpha=marks.alpha, lift=lift)
    return drawn, places, spread


def _tail(drawn: DrawnContexts, keys: tuple[int, int], *, running: bool) -> tuple[float, float]:
    total = drawn.total(keys)
    z = total / math.sqrt(max(float(drawn.variances.sum()), 1e-300))
    return (drawn.running_tail(total) if running else drawn.tail(total)), z


def _scored(given: Given, marks: OpenedMarks, key: OpenedKey, held: _Held) -> Outcome:
    tier = marks.tiers(held.drawn.digests)
    parts = [held.drawn.only(np.isin(tier, way)) for way in marks.ways(key)]
    found = [(*_tail(part, marks.draws(key), running=held.running), part) for part in parts]
    log_p, z, part = min(found, key=lambda one: one[0])
    ways, contexts = math.log(len(parts)), len(part.starts)
    n = held.n or contexts
    scores = part.chance(given.rng("random keys"))
    most, chance = part.most
    least = part.running_tail(most) if held.running else max(chance, _DEEP)
    said: dict[str, Value] = {
        "z": decimal(z), "log p, normal": decimal(float(normal_tail(z))), "contexts": contexts, "ways": len(parts),
    }  # fmt: skip
    return Outcome(
        subject=key.subject, n=n, log_p=min(0.0, log_p + ways), least_log_p=min(0.0, min(least, log_p) + ways),
        observed={**said, **held.beside, **dummies(scores)}, power=more(n, z, given.log_alpha, held.unit),
        skipped=why_not(contexts, scores),
    )  # fmt: skip


def _counted(given: Given, marks: OpenedMarks, key: OpenedKey, grams: Grams, tier: IntArray) -> Outcome:
    found = []
    keys = [np.array([one], np.uint64) for one in marks.draws(key)]
    for way in marks.ways(key):
        part = grams.only(np.isin(tier, way))
        score, log_p = summed(part, keys, marks.alpha) if len(part.tokens) else (0.0, 0.0)
        found.append((log_p, score, part))
    log_p, score, part = min(found, key=lambda one: one[0])
    n, ways = len(part.tokens), math.log(len(found))
    z = standard(score, n, marks.alpha)
    scores = chance_scores(part, marks.alpha, given.rng("random keys"), 1_024) if n else np.zeros(1_024)
    highest = n * 16.6  # -log(1 - u) of the greatest uniform of 24 bits
    least = two_key_tail(highest - GRAIN * n, n, marks.alpha) if n else 0.0
    return Outcome(
        subject=key.subject, n=n, log_p=min(0.0, log_p + ways), least_log_p=min(0.0, min(least, log_p) + ways),
        observed={"score": decimal(score), "scored": n, "z": decimal(z), "ways": len(found), **dummies(scores)},
        power=more(n, z, given.log_alpha, "distinct pairs"), skipped=why_not(n, scores),
    )  # fmt: skip
