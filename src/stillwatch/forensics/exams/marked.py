"""What the exams of marks share: weighted pairs of a suspect's text, and what random keys say of them.

In: answers in tokens, opened keys, what a reference expects. Out: `KeyedPairs`. Places whose context stands in their
own document's prompt are left out; every pair is scored once over all documents.
Cost: a sort. Left to `residual`: weights.
"""

from typing import Final

import numpy as np

from stillwatch.forensics.exams.examination import Need, decimal
from stillwatch.forensics.exams.given import Given
from stillwatch.forensics.exams.keyed import KeyedPairs, chance_misfit
from stillwatch.forensics.exams.opened import OpenedMarks
from stillwatch.forensics.exams.residual import PairCounts, pack, residuals, unpack
from stillwatch.forensics.marks.grams import all_contexts, in_prompt
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.protocol import Value

TOKENS: Final = Need("tokens", "transcript", "transcript in tokens of the marked model's tokeniser")
OPENINGS: Final = Need("openings", "reveal", "opened keys of marks")
SEED: Final = Need("seed", "seed", "opened seed", optional=True)
EXPECTED: Final = Need("expected", "reference", "counts that a reference expects on the same places")


def weighted(given: Given, marks: OpenedMarks) -> tuple[KeyedPairs, int, float]:
    """Return the weighted pairs of a suspect's text, the tokens that were counted, and the reference's spread.

    Raises:
        StillwatchError: what the reference expects does not fit.
    """
    text, prompts = given.tokens("tokens")
    seen, places = seen_pairs(text, prompts, marks.epoch.width, marks.epoch.vocab)
    contexts, tokens, counts = given.arrays("expected", "contexts", "tokens", "counts")
    if contexts.ndim != 2 or contexts.shape[1] != marks.epoch.width or not np.all(counts >= 0.0):
        raise given.bad("expected", f"must have contexts of {marks.epoch.width} tokens and counts of 0 or more")
    columns = tuple(contexts[:, j].astype(np.int64) for j in range(marks.epoch.width))
    code = pack(columns, tokens.astype(np.int64), marks.epoch.vocab)
    expected = PairCounts.of(code, counts.astype(np.float64))
    made = residuals(seen, expected, vocab=marks.epoch.vocab, delta=marks.epoch.delta)
    columns, following = unpack(made.code, marks.epoch.width, marks.epoch.vocab)
    return KeyedPairs.of(marks.table.digests(*columns), following, made.weight), places, made.spread


def seen_pairs(text: TokenText, prompts: TokenText, width: int, vocab: int) -> tuple[PairCounts, int]:
    """Return how often each pair occurs, and the places counted; contexts of a document's own prompt are left out.

    Raises:
        StillwatchError: a token lies outside the vocabulary.
    """
    if text.tokens.size and not 0 <= int(text.tokens.min()) <= int(text.tokens.max()) < vocab:
        raise StillwatchError(f"tokens: go up to {int(text.tokens.max())}; the mark's vocabulary has {vocab}.")
    places = counted_places(text, prompts, width)
    columns = tuple(text.tokens[places - 1 - j] for j in range(width))
    return PairCounts.of(pack(columns, text.tokens[places], vocab)), len(places)


def counted_places(text: TokenText, prompts: TokenText, width: int) -> IntArray:
    """Return the places that are counted: whole contexts that do not stand in their own document's prompt."""
    contexts, whole = all_contexts(text, width)
    keep = whole & ~in_prompt(text, contexts, prompts, width) if prompts.tokens.size else whole
    return np.flatnonzero(keep)


def dummies(scores: FloatArray) -> dict[str, Value]:
    """Return what random keys scored, for a finding."""
    return {
        "random keys": len(scores), "random keys, mean": decimal(float(np.mean(scores))),
        "random keys, deviation": decimal(float(np.std(scores))),
        "random keys, highest": decimal(float(np.max(scores, initial=0.0))),
    }  # fmt: skip


def why_not(n: int, scores: FloatArray) -> str:
    """Return why a score does not count; empty when it does."""
    return "there is nothing to score: give more text." if n == 0 else chance_misfit(scores)
