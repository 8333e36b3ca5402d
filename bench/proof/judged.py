"""What the exams say of a student: its text sampled once, references run over it once, then any number of keys.

In: students of one seed. Out: weighted pairs and scores. A text is kept on disk; so is what a reference expects.
Cost: 20 s for 200,000 tokens and one reference on one core; a key 1 ms.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from bench.proof.students import Students
from bench.proof.world import LENGTH
from stillwatch.forensics.exams.keyed import KeyedPairs
from stillwatch.forensics.exams.residual import PairCounts, pack, residuals, unpack
from stillwatch.forensics.exams.servedlogits import gathered, logit_weights
from stillwatch.forensics.exams.signs import sharp_tail
from stillwatch.lab.neural.languagemodel import LanguageModel
from stillwatch.lab.wordteacher import IntArray
from stillwatch.stats.arrays import FloatArray
from stillwatch.treatments.marks.prf import ContextTable
from stillwatch.treatments.marks.ring import Epoch, TierKey
from stillwatch.treatments.marks.tiers import tiers_of

TEXTS: Final = 1_000
STEPS: Final = (50, 100, 150, 250, 500, 1_000)
"""Answers of `LENGTH` tokens after which the residual test is read."""


@dataclass
class Judge:
    """Texts and expectations of one seed's students."""

    students: Students
    texts: int = TEXTS
    _kept: dict[str, FloatArray] = field(default_factory=dict, repr=False)

    @property
    def vocab(self) -> int:
        """Tokens in the vocabulary."""
        return self.students.world.vocab

    def text(self, name: str) -> IntArray:
        """Return a student's text, shape (texts, LENGTH)."""
        path = self._path(f"text-{name}-{self.texts}")
        if not path.is_file():
            seed = int(self.students.rng(f"sample {name}").integers(2**31))
            np.save(path, self.students.model(name).sample(self.texts, LENGTH, seed))
        found: IntArray = np.load(path)
        return found

    def expected(self, name: str, reference: str, answers: int) -> FloatArray:
        """Return what a reference expects on the first answers of a student's text, shape (vocab, vocab)."""
        path = self._path(f"expected-{name}-{reference}-{self.texts}")
        if not path.is_file():
            np.save(path, self._steps(self.text(name), self.students.model(reference)))
        held = np.load(path, mmap_mode="r")
        return np.asarray(held[: [*STEPS].index(answers) + 1].sum(axis=0), np.float64)

    def _steps(self, text: IntArray, model: LanguageModel) -> FloatArray:
        ends = [step for step in STEPS if step <= len(text)]
        out = np.zeros((len(ends), self.vocab, self.vocab), np.float32)
        for i, (low, high) in enumerate(zip([0, *ends], ends, strict=False)):
            total = np.zeros((self.vocab, self.vocab))
            add_expected(total, text[low:high], model)
            out[i] = total
        return out

    def pairs(self, name: str, reference: str, answers: int, epoch: Epoch) -> KeyedPairs:
        """Return the residual test's pairs on the first answers of a student's text."""
        text = self.text(name)[:answers]
        seen = PairCounts.of(pack((text[:, :-1].ravel(),), text[:, 1:].ravel(), self.vocab))
        everything = np.arange(self.vocab)
        code = pack((np.repeat(everything, self.vocab),), np.tile(everything, self.vocab), self.vocab)
        expected = PairCounts(code, self.expected(name, reference, answers).ravel())
        made = residuals(seen, expected, vocab=self.vocab, delta=epoch.delta)
        (context,), token = unpack(made.code, 1, self.vocab)
        return KeyedPairs.of(ContextTable.of(epoch, self.vocab).digests(context), token, made.weight)

    def plain(self, name: str, answers: int, epoch: Epoch) -> KeyedPairs:
        """Return the distinct pairs of a student's text, all of one weight."""
        text = self.text(name)[:answers]
        code = np.unique(pack((text[:, :-1].ravel(),), text[:, 1:].ravel(), self.vocab))
        (context,), token = unpack(code, 1, self.vocab)
        digests = ContextTable.of(epoch, self.vocab).digests(context)
        return KeyedPairs.of(digests, token, np.ones(len(code)), most=2**31)

    def logits(
        self, name: str, reference: str, texts: IntArray, places: IntArray, epoch: Epoch, power: float
    ) -> KeyedPairs:  # fmt: skip
        """Return the logit test's pairs after chosen places of texts, given by number in the flattened texts."""
        log_p, log_r = (log_probs(self.students.model(one), texts, places) for one in (name, reference))
        weights = logit_weights(log_p, log_r, power=power)
        contexts = texts.ravel()[places]
        tokens = np.broadcast_to(np.arange(self.vocab), weights.shape)
        context, token, weight = gathered(contexts, tokens, weights, vocab=self.vocab)
        return KeyedPairs.of(ContextTable.of(epoch, self.vocab).digests(context), token, weight, most=2**31)

    def _path(self, name: str) -> Path:
        return self.students.folder / f"{self.students.seed}-{name}.npy"


def add_expected(total: FloatArray, text: IntArray, model: LanguageModel) -> None:
    """Add the reference's probability of every token after every context of a text to `total`, by context."""
    done = 0
    for logits in model.everywhere(text[:, :-1]):
        rows = text[done : done + len(logits), :-1].ravel()
        done += len(logits)
        wide = logits.reshape(-1, logits.shape[-1])
        wide = np.exp(wide - wide.max(axis=1, keepdims=True))
        wide /= wide.sum(axis=1, keepdims=True)
        order = np.argsort(rows, kind="stable")
        starts = np.flatnonzero(np.diff(rows[order], prepend=-1))
        total[rows[order][starts]] += np.add.reduceat(wide[order], starts, axis=0)


def log_probs(model: LanguageModel, texts: IntArray, places: IntArray) -> FloatArray:
    """Return the model's log-probabilities after chosen places, ascending, shape (places, vocab)."""
    found, low = [], 0
    for logits in model.everywhere(texts):
        wide = logits.reshape(-1, logits.shape[-1])
        here = places[(places >= low) & (places < low + len(wide))] - low
        chosen = wide[here].astype(np.float64)
        found.append(chosen - np.logaddexp.reduce(chosen, axis=1, keepdims=True))
        low += len(wide)
    return np.concatenate(found)


def z_of(pairs: KeyedPairs, key: TierKey) -> float:
    """Return the standardised sum under one key."""
    return pairs.total(key) / math.sqrt(max(pairs.variance, 1))


def log10_p(z: float) -> float:
    """Return the decimal log of the p-value that findings use."""
    return float(sharp_tail(z)) / math.log(10.0)


def of_tiers(pairs: KeyedPairs, epoch: Epoch, tiers: tuple[int, ...]) -> KeyedPairs:
    """Return the pairs whose contexts are of these tiers."""
    return pairs.only(np.isin(tiers_of(pairs.digests, epoch), tiers))
