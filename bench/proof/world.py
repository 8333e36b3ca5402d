"""A public text, three teachers and what a thief harvests from one of them: the ground that proof is measured on.

In: a seed, a data folder. Out: teachers, and harvests in tokens, marked or not. Words, not meaning: the teachers are
interpolated trigrams over words, so that their own probabilities are known exactly and a mark has its true strength.
The three are made of different texts: `ours` is the teacher that is sold, `public` is what the thief's base model was
trained on, `other` is somebody else's teacher.
Cost: 10 s for the teachers of the data folder; 12 microseconds a token harvested.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.lab.wordteacher import FloatArray, IntArray, WordTeacher, corpus_texts, word_ids
from stillwatch.treatments.marks.prf import PHI, ContextTable, mix64, seeds
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import TierKeys, keys_for, tiers_of

VOCAB: Final = 1_024
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


class Marker:
    """Adds the green mark to a teacher's logits, each answer under keys of its own; a hook of `WordTeacher.sample`."""

    def __init__(self, epoch: Epoch, vocab: int, owners: list[TierKeys | None]) -> None:
        """Take one entry an answer: its keys, or None where it is served unmarked."""
        self._epoch, self._table = epoch, ContextTable.of(epoch, vocab)
        self._marked = np.array([one is not None for one in owners])
        halves = [one.halves if one is not None else (np.zeros(3, np.uint64),) * 2 for one in owners]
        self._a, self._b = (np.stack([half[i] for half in halves]) for i in (0, 1))
        self._steps = np.arange(-(-vocab // 64), dtype=np.uint64) * np.uint64(PHI)

    def __call__(self, logits: FloatArray, said: IntArray, rows: IntArray) -> None:
        """Change the logits of marked answers in place; the first token of each is left alone."""
        on = np.flatnonzero(self._marked[rows])
        if not said.shape[1] or not len(on):
            return
        digests = self._table.digests(said[on, -1])
        tier = tiers_of(digests, self._epoch)
        seed = seeds(digests, self._a[rows[on], tier], self._b[rows[on], tier])
        words = mix64(seed[:, None] + self._steps)
        green = np.unpackbits(words.view(np.uint8), axis=1, count=logits.shape[1], bitorder="little")
        logits[on] += np.float32(self._epoch.delta) * green


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
    keys = [keys_for(epoch, epoch.tag("account", name)) for name in accounts] or [keys_for(epoch)]
    marked = rng.permutation(n) < round(share * n)
    owners = [keys[i % len(keys)] if on else None for i, on in enumerate(marked)]
    return teacher.sample(n, LENGTH, rng, hook=Marker(epoch, teacher.vocab, owners))
