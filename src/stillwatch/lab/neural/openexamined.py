"""An open-ended student as a suspect: what exams of marks are given of it.

In: nets of suspect and reference, prompts with the teacher's unmarked answers. Out: materials by the exams' names: the
suspect's probabilities after texts that no mark shaped, what it writes itself, and what the reference expects of that.
The reference was trained as the student was, on the same teacher's unmarked answers.
Cost on one core: 5 s for the probabilities, 30 s for what it writes, at 120 answers of 24 tokens.
Left to `forensics.exams`: what the materials come to. Left to `app`: keys.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from stillwatch.forensics.exams.given import packed
from stillwatch.lab.neural.need import need_torch
from stillwatch.lab.neural.openstudent import TOGETHER, Line, Prepared, padded

TOLD: Final = 64
"""Tokens whose probabilities are compared at a place: the likeliest under both."""
EXPECTED: Final = 128
"""Tokens that a reference is asked for at a place: its likeliest; the rest it is taken not to expect."""


def probabilities(suspect: Any, reference: Any, neutral: Prepared) -> bytes:
    """Return the material `logprobs`: both nets' log-probabilities after each token of these answers.

    A place's context is the token before it; the first token of an answer has none.
    """
    torch = need_torch()
    contexts, tokens, mine, theirs = [], [], [], []
    with torch.no_grad():
        for i, line in enumerate(neutral.lines):
            if len(line.said) < 2:
                continue
            log_p, log_r = (net.logits(neutral.hidden(net, [i])[0][1:]).log_softmax(1) for net in (suspect, reference))
            told = (log_p.exp() + log_r.exp()).topk(min(TOLD, log_p.shape[1])).indices
            contexts.append(np.array(line.said[:-1], np.int64))
            tokens.append(told.numpy())
            mine.append(log_p.gather(1, told).numpy())
            theirs.append(log_r.gather(1, told).numpy())
    return packed(
        contexts=np.concatenate(contexts)[:, None], tokens=np.concatenate(tokens), suspect=np.concatenate(mine),
        reference=np.concatenate(theirs),
    )  # fmt: skip


def written(suspect: Any, asked: Sequence[Sequence[int]], how: tuple[int, Sequence[int], int]) -> list[Line]:
    """Return what a net says to prompts at temperature 1; `how` is tokens at most, tokens that end, and a seed."""
    most, ends, seed = how
    chance = need_torch().Generator().manual_seed(seed)
    found: list[Line] = []
    for first in range(0, len(asked), TOGETHER):
        chosen = asked[first : first + TOGETHER]
        said = suspect.completed(*padded(chosen), most, list(ends), chance)
        found += [Line(tuple(question), tuple(one)) for question, one in zip(chosen, said, strict=True) if len(one) > 1]
    return found


def expected(reference: Any, lines: Sequence[Line]) -> dict[str, bytes]:
    """Return the materials `tokens` and `expected`: what a suspect wrote, and what a reference expects there."""
    torch = need_torch()
    rows = Prepared(reference, lines)
    contexts, tokens, counts = [], [], []
    with torch.no_grad():
        for i, line in enumerate(lines):
            chances = reference.logits(rows.hidden(reference, [i])[0][1:]).softmax(1)
            chances = chances.topk(min(EXPECTED, chances.shape[1]))
            contexts.append(np.repeat(np.array(line.said[:-1], np.int64), chances.values.shape[1]))
            tokens.append(chances.indices.numpy().ravel())
            counts.append(chances.values.numpy().ravel().astype(np.float64))
    told = b"".join(json.dumps({"answer": list(line.said)}).encode() + b"\n" for line in lines)
    return {
        "tokens": told,
        "expected": packed(contexts=np.concatenate(contexts)[:, None], tokens=np.concatenate(tokens),
                           counts=np.concatenate(counts)),
    }  # fmt: skip
