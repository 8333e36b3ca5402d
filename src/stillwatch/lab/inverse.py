"""The inverse of a mark, as a thief without the key can reckon it: what a model says more often than one without it.

In: how likely each token follows each token, on the average over a text, with the mark and without. Out: a table of
nats to take from logits, by the last token and the next. The thief knows the scheme (a bias by the token before) and
no key, so that what the teacher knows and what its mark did look alike: the table takes back both.
    graded   a share of the log of the ratio, either way, cut off where no mark of this kind reaches
    stepped  as published: strength * weight of the context * min(ratio, 2) / 2, of what became likelier alone
    targeted a third of a harvest's tokens, those that the table likes least, told anew before anything is trained
Cost: some passes over (vocab, vocab). Left to `neural`: models, and what is subtracted while they speak.
Source: Pan et al. 2025, arXiv:2502.11598 (neutralisation at inference, targeted paraphrase); Jovanovic et al. 2024,
arXiv:2402.19361 (the score of a token after a context).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.lab.wordteacher import FloatArray, IntArray, drawn

Sums = npt.NDArray[np.floating[Any]]
STRENGTH: Final = 2.5
"""Nats, as published for marks of delta 3; see `stepped`."""
SLOPE: Final = 0.3
"""How fast the weight falls from the most frequent context to rare ones, as published."""
TOP: Final = 50
"""Likeliest tokens of a context that `stepped` looks at, as published."""
LEAST_SHARE: Final = 5e-5
"""Contexts that are less of a text are left alone, as published."""
DOUBT: Final = 4.0
"""Tokens of the model without the mark that every context is thought to have been seen with."""


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """What follows each token, added up over a text."""

    total: Sums = field(repr=False)
    """Probabilities or occurrences of each next token, shape (vocab, vocab)."""
    places: Sums = field(repr=False)
    """Places of each last token, shape (vocab,)."""

    @classmethod
    def counted(cls, texts: IntArray, vocab: int) -> "Chances":
        """Return those of a harvest as it stands, shape (n, length)."""
        code = texts[:, :-1].ravel() * vocab + texts[:, 1:].ravel()
        total = np.bincount(code, minlength=vocab * vocab).reshape(vocab, vocab).astype(np.float32)
        return cls(total, total.sum(axis=1))

    @property
    def mean(self) -> Sums:
        """Probabilities, shape (vocab, vocab); rows of zeros where a token was not seen."""
        return np.asarray(self.total / np.maximum(self.places, 1e-30)[:, None])


def graded(before: Chances, after: Chances, *, share: float = 1.0, delta: float = 2.0) -> FloatArray:
    """Return `share` of the log ratio of average probabilities, shape (vocab, vocab).

    Args:
        before: Of a model without the mark, on the same text.
        after: With it; its averages are drawn to the former as if `DOUBT` more tokens had been seen.
        share: From 0 to 1.
        delta: Nats of the mark's bias; what is more than a mark on all text could do is no work of it and stays.

    >>> flat = Chances(np.full((1, 2), 50.0), np.array([100.0]))
    >>> graded(flat, Chances(np.array([[60.0, 40.0]]), np.array([100.0]))).astype(float).round(2).tolist()
    [[0.18, -0.21]]
    """
    known = before.mean
    told = (after.total + DOUBT * known) / (after.places + DOUBT)[:, None]
    seen = (known > 0.0) & (told > 0.0)
    ratio = np.log(np.where(seen, told, 1.0)) - np.log(np.where(seen, known, 1.0))
    middle = math.log((1.0 + math.exp(delta)) / 2.0)  # what a mark's normalisation takes from red tokens
    return np.asarray(share * np.clip(ratio, -middle, delta - middle), np.float32)


def stepped(before: Chances, after: Chances, *, strength: float = STRENGTH) -> FloatArray:
    """Return the published table, shape (vocab, vocab); nowhere negative.

    Args:
        before: Of a model without the mark, on the same text.
        after: With it.
        strength: Nats, above 0.
    """
    known, told = before.mean, after.mean
    often = after.places / max(float(after.places.sum()), 1e-30)
    held = often > LEAST_SHARE
    weight = np.zeros(len(often))
    weight[held] = (math.log(float(often.max())) / np.log(often[held])) ** SLOPE
    likely = told >= np.sort(told, axis=1)[:, -min(TOP, told.shape[1])][:, None]
    ratio = told / np.maximum(known, 1e-12)
    score = np.where(likely & (ratio > 1.0), 0.5 * np.minimum(ratio, 2.0), 0.0)
    return np.asarray(strength * weight[:, None] * score, np.float32)


def targeted(
    texts: IntArray, table: FloatArray, teller: Callable[[IntArray], FloatArray], rng: np.random.Generator,
    *, share: float = 1.0 / 3.0,
) -> IntArray:  # fmt: skip
    """Return texts with the tokens that bear most of the table drawn anew, each given the two before it.

    Args:
        texts: Token ids, shape (n, length).
        table: What to take from logits, from `graded` or `stepped`.
        teller: Logits of another model after contexts of two tokens, shape (n, 2) to (n, vocab).
        rng: Chance of the draws.
        share: Of all places, those that are drawn anew; from 0 to 1.
    """
    out = texts.copy()
    borne = table[texts[:, 1:-1], texts[:, 2:]]
    ties = rng.random(borne.size)  # much of the table stands at its bound
    wanted = np.zeros(texts.shape, np.bool_)
    chosen = np.lexsort((ties, -borne.ravel()))[: round(share * borne.size)]
    wanted[:, 2:].flat[chosen] = True
    for place in range(2, texts.shape[1]):
        rows = np.flatnonzero(wanted[:, place])
        if len(rows):
            context = out[rows, place - 2 : place]
            out[rows, place] = drawn(teller(context) - table[context[:, 1]], rng)
    return out
