"""A puzzle's student as a suspect: what exams of marks are given, and students of unmarked answers beside it.

In: a bench, a student. Out: materials by the exams' names: the suspect's probabilities after texts that no mark shaped,
its own answers in tokens, and what a reference expects of these. The reference was trained as the student was, on the
same teacher's unmarked answers, so that what both have in common is the task and what differs may be the mark.
Cost on one core: 20 s for the reference, 20 s for an innocent one, 5 s a suspect.
Left to `forensics.exams`: what the materials come to. Left to `app.labevidence`: keys.
"""

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from stillwatch.forensics.exams.given import packed
from stillwatch.lab.neural.sequencemodel import Drawing, IntArray, SequenceModel
from stillwatch.lab.neural.words import PAD
from stillwatch.lab.task import HarvestRow, Student

if TYPE_CHECKING:
    from stillwatch.lab.neural.sequencetask import SequenceBench, SequenceStudent

ASKED: Final = 200
"""Test questions that the suspect is asked."""
REFERENCE, INNOCENT = 1, 2
"""Students of unmarked answers."""


def unmarked(bench: "SequenceBench", rows: int, number: int) -> Student:
    """Return a student of the teacher's unmarked answers to so many questions of the pool."""
    speaking = bench.speaking()
    harvest = [
        HarvestRow(item=item, answer=bench.words.text(said.tokens), reasoning=said.reasoning)
        for item in bench.pool[:rows]
        for said in (speaking.answered(item.text),)
    ]
    return bench.train(harvest, "base", np.random.default_rng((bench.seed, 0xE8A3, number)))


def materials(
    bench: "SequenceBench", suspect: "SequenceStudent", reference: SequenceModel, seed: int
) -> dict[str, bytes]:
    """Return the materials `logprobs`, `tokens` and `expected`; the suspect speaks as it would to anybody."""
    asked = bench.words.questions([item.text for item in bench.test[:ASKED]])
    neutral = bench.model("teacher").say(asked).tokens
    drawn = suspect.model.say(asked, Drawing(temperature=1.0, seed=seed, hook=suspect.hook)).tokens
    log_p = suspect.model.say(asked, Drawing(hook=suspect.hook), neutral).logs[:, 1:]
    log_r = reference.say(asked, forced=neutral).logs[:, 1:]
    on = neutral[:, 1:] != PAD
    words = np.broadcast_to(np.arange(log_p.shape[2]), (int(on.sum()), log_p.shape[2]))
    chances = np.exp(reference.say(asked, forced=drawn).logs[:, 1:])
    contexts, tokens, counts = _expected(drawn, chances)
    return {
        "logprobs": packed(contexts=neutral[:, :-1][on][:, None], tokens=words, suspect=log_p[on], reference=log_r[on]),
        "tokens": b"".join(json.dumps({"answer": _spoken(row)}).encode() + b"\n" for row in drawn),
        "expected": packed(contexts=contexts[:, None], tokens=tokens, counts=counts),
    }


def _spoken(row: IntArray) -> list[int]:
    return [int(one) for one in row if one != PAD]


def _expected(drawn: IntArray, chances: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> tuple[
    IntArray, IntArray, "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"
]:  # fmt: skip
    """Return how often a reference expects each token after each, on the places of a text."""
    vocab, on = chances.shape[2], drawn[:, 1:] != PAD
    total = np.zeros((vocab, vocab))
    np.add.at(total, drawn[:, :-1][on], chances[on].astype(np.float64))
    context, token = np.divmod(np.arange(vocab * vocab), vocab)
    return context.astype(np.int64), token.astype(np.int64), total.ravel()
