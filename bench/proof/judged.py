"""What the exams say of a student: its text sampled once, references run over it once, then any number of keys.

In: students of one seed. Out: weighted pairs. A text is kept on disk, and so is what a reference expects, step by step.
Cost: 5 s of a core for 100,000 tokens and one reference; a key 1 ms.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

import stillwatch
from bench.proof.students import CONTROLS, Students
from stillwatch.forensics.exams.keyed import KeyedPairs
from stillwatch.forensics.exams.residual import PairCounts, pack, residuals, unpack
from stillwatch.forensics.exams.servedlogits import POWER, gathered, logit_weights
from stillwatch.lab.neural.chances import chances_of
from stillwatch.lab.neural.languagemodel import LanguageModel
from stillwatch.lab.wordteacher import IntArray
from stillwatch.stats.arrays import FloatArray
from stillwatch.treatments.marks.prf import ContextTable
from stillwatch.treatments.marks.ring import Epoch

ROOMS: Final = ("forensics", "treatments/marks", "lab/neural", "stats")
"""Where the code is that numbers come from, beside this folder."""
ANSWER: Final = 50
"""Tokens scored of each answer; one more comes before them."""
STEP: Final = 200
"""Answers from one reading to the next: 10,000 tokens."""
LEAST: Final = 1e-3
"""Pairs that a reference expects less often in the whole text are left out."""
MEAN: Final = "controls"
"""The mean of several controls, each taught on other answers: their own errors are averaged away."""
WARM, COOL = 1.0, 0.7
"""Temperatures at which a suspect is asked."""


@dataclass(frozen=True)
class Judge:
    """Texts and expectations of one seed's students."""

    students: Students

    @property
    def vocab(self) -> int:
        """Tokens in the vocabulary."""
        return self.students.world.vocab

    def text(self, name: str, tokens: int, temperature: float) -> IntArray:
        """Return a student's answers, shape (answers, ANSWER + 1)."""
        path = self._path(f"text-{name}-{tokens}-{temperature}")
        if not path.is_file():
            seed = int(self.students.rng(f"sample {name} {temperature}").integers(2**31))
            model = self.students.model(name)
            np.save(path, model.sample(tokens // ANSWER, ANSWER + 1, seed, temperature=temperature))
        found: IntArray = np.load(path)
        return found

    def expected(self, name: str, reference: str, tokens: int, temperature: float) -> FloatArray:
        """Return what a reference expects on each `STEP` answers, shape (steps, vocab, vocab)."""
        if reference == MEAN:
            all_of = [self.expected(name, one, tokens, temperature) for one in CONTROLS]
            return np.asarray(sum(np.asarray(one, np.float32) for one in all_of) / np.float32(len(all_of)))
        path = self._path(f"expected-{name}-{reference}-{tokens}-{temperature}")
        if not path.is_file():
            text, model = self.text(name, tokens, temperature), self.students.model(reference)
            parts = [chances_of(model, text[low : low + STEP], temperature).total for low in range(0, len(text), STEP)]
            np.save(path, np.stack(parts).astype(np.float32))
        found: FloatArray = np.load(path, mmap_mode="r")
        return found

    def residual(
        self, name: str, reference: str, epoch: Epoch, asked: tuple[int, float], first: int | None = None
    ) -> KeyedPairs:  # fmt: skip
        """Return the residual test's pairs on the first tokens of a student's text.

        Args:
            name: The student.
            reference: Whose expectations.
            epoch: Whose contexts and delta.
            asked: Tokens sampled, and temperature.
            first: Tokens used; all of them when left out.
        """
        tokens, temperature = asked
        answers = (first or tokens) // ANSWER
        steps = self.expected(name, reference, tokens, temperature)[: -(-answers // STEP)]
        return paired(self.text(name, tokens, temperature)[:answers], steps.sum(axis=0, dtype=np.float64), epoch)

    def plain(self, name: str, epoch: Epoch, asked: tuple[int, float]) -> KeyedPairs:
        """Return the distinct pairs of a student's text, all of one weight."""
        text = self.text(name, *asked)
        code = np.unique(pack((text[:, :-1].ravel(),), text[:, 1:].ravel(), self.vocab))
        (context,), token = unpack(code, 1, self.vocab)
        digests = ContextTable.of(epoch, self.vocab).digests(context)
        return KeyedPairs.of(digests, token, np.ones(len(code)), most=2**31)

    def kept(self, measure: Callable[..., dict[str, float]], *given: str | float) -> dict[str, float]:
        """Return what a measure gives for this seed, computed once under the same code."""
        parts = "-".join(map(str, (measure.__name__, *given, code())))
        path = self._path(f"numbers-{parts}").with_suffix(".json")
        if not path.is_file():
            found = measure(self, *given)
            path.write_text(json.dumps(found))
        numbers: dict[str, float] = json.loads(path.read_text())
        return numbers

    def told(self, name: str, texts: IntArray, places: int) -> FloatArray:
        """Return a model's log-probabilities after the first places of a text, kept; see `log_probs`."""
        path = self._path(f"told-{name}-{places}")
        if not path.is_file():
            np.save(path, log_probs(self.students.model(name), texts, np.arange(places)).astype(np.float32))
        return np.asarray(np.load(path), np.float64)

    def logits(self, name: str, reference: str, texts: IntArray, places: IntArray, epoch: Epoch) -> KeyedPairs:
        """Return the logit test's pairs after chosen places of texts, numbers into the flattened texts, ascending."""
        log_p, *told = (log_probs(self.students.model(one), texts, places) for one in (name, *held(reference)))
        return weighed(log_p, told, texts.ravel()[places], epoch)

    def _path(self, name: str) -> Path:
        return self.students.folder / f"{self.students.seed}-{name}.npy"


@cache
def code() -> str:
    """Return a digest of the code that numbers come from; what only shows them is left out."""
    digest = hashlib.blake2b(digest_size=6)
    here = [path for path in Path(__file__).parent.glob("*.py") if path.stem not in ("tables", "__main__")]
    root = Path(stillwatch.__file__).parent
    for path in sorted([*here, *(one for room in ROOMS for one in (root / room).rglob("*.py"))]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def held(reference: str) -> tuple[str, ...]:
    """Return the models that a reference is the mean of."""
    return CONTROLS if reference == MEAN else (reference,)


def weighed(log_p: FloatArray, told: Sequence[FloatArray], contexts: IntArray, epoch: Epoch) -> KeyedPairs:
    """Return the logit test's pairs.

    Args:
        log_p: The suspect's, shape (places, vocab).
        told: The references', each of the same shape; their mean probability is the reference.
        contexts: The token before each place, shape (places,).
        epoch: Whose contexts.
    """
    log_r = np.logaddexp.reduce(told, axis=0) - np.log(len(told))
    weights = logit_weights(log_p, log_r, power=POWER)
    tokens = np.broadcast_to(np.arange(epoch.vocab), weights.shape)
    context, token, weight = gathered(contexts, tokens, weights, vocab=epoch.vocab)
    return KeyedPairs.of(ContextTable.of(epoch, epoch.vocab).digests(context), token, weight, most=2**31)


def paired(text: IntArray, expects: FloatArray, epoch: Epoch) -> KeyedPairs:
    """Return the residual test's pairs of a text."""
    vocab = epoch.vocab
    rows, following = text[:, :-1].ravel(), text[:, 1:].ravel()
    seen = PairCounts.of(pack((rows,), following, vocab))
    rows, following = np.nonzero(expects > LEAST)
    made = residuals(
        seen, PairCounts(pack((rows,), following, vocab), expects[rows, following]), vocab=vocab, delta=epoch.delta
    )
    (context,), token = unpack(made.code, 1, vocab)
    return KeyedPairs.of(ContextTable.of(epoch, vocab).digests(context), token, made.weight)


def log_probs(model: LanguageModel, texts: IntArray, places: IntArray) -> FloatArray:
    """Return the model's log-probabilities after chosen places, ascending, shape (places, vocab)."""
    found, low = [], 0
    for logits in model.everywhere(texts):
        wide = logits.reshape(-1, logits.shape[-1])
        chosen = wide[places[(places >= low) & (places < low + len(wide))] - low].astype(np.float64)
        found.append(chosen - np.logaddexp.reduce(chosen, axis=1, keepdims=True))
        low += len(wide)
    return np.concatenate(found)
