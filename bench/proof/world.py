"""A public text, three teachers and what a thief harvests from one of them: the ground that proof is measured on.

In: a seed, a data folder. Out: teachers, and harvests in tokens, marked or not. Words, not meaning: the teachers are
interpolated trigrams over words, so that their own probabilities are known exactly and a mark has its true strength.
The three are made of different texts: `ours` is the teacher that is sold, `public` is what the thief's base model was
trained on, `other` is somebody else's teacher.
Cost: 2 s for the teachers of the packaged sample; 6 microseconds a token harvested.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.lab.markedrows import GreenRows
from stillwatch.lab.wordteacher import IntArray, WordTeacher, corpus_texts, word_ids
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.ring import Epoch

VOCAB: Final = 512
LENGTH: Final = 200
"""Tokens of an answer."""
PARTS: Final = ("ours", "public", "other")


@dataclass(frozen=True)
class World:
    """Three teachers, made once for all seeds."""

    data: Path | None
    vocab: int = VOCAB

    @cached_property
    def teachers(self) -> dict[str, WordTeacher]:
        """The teachers by name; every third block of 2,000 words goes to each."""
        ids = word_ids(corpus_texts(self.data), self.vocab)
        block = np.arange(len(ids)) // 2_000 % len(PARTS)
        return {name: WordTeacher.of(ids[block == i], self.vocab) for i, name in enumerate(PARTS)}


def epoch_of(seed: int, shares: tuple[float, float, float], *, delta: float = 2.0) -> Epoch:
    """Return an epoch of green marks at width 1 whose secret comes from a seed; for benchmarks only."""
    secret = np.random.default_rng((seed, 77)).bytes(32)
    return Epoch(number=1, secret=secret, made=0.0, width=1, shares=shares, delta=delta, vocab=VOCAB)


def harvest(
    teacher: WordTeacher, tokens: int, rng: np.random.Generator, *, epoch: Epoch | None = None, share: float = 1.0,
    accounts: tuple[str, ...] = (),
) -> IntArray:  # fmt: skip
    """Return answers of `LENGTH` tokens, shape (n, LENGTH).

    Args:
        teacher: Who answers.
        tokens: Tokens in all.
        rng: Chance of the draws.
        epoch: Marks with this; None leaves all answers unmarked.
        share: Share of answers that are marked.
        accounts: Names that the answers were served to, in turn; none: the provider's key marks.
    """
    n = tokens // LENGTH
    if epoch is None:
        return teacher.sample(n, LENGTH, rng)
    tags = [epoch.tag("account", name) for name in accounts] or [b""]
    orders = [MarkOrder(epoch=epoch.number, account=tag, until=1e12) for tag in tags]
    marked = rng.permutation(n) < round(share * n)
    hook = GreenRows(epoch, [orders[i % len(orders)] if on else None for i, on in enumerate(marked)], teacher.vocab)
    return teacher.sample(n, LENGTH, rng, hook=hook)
