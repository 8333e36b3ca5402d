"""Product of experts: the teacher's next-token distribution times a small proxy's, each to a power.

In: logits or log-probabilities of the teacher, over the vocabulary or over candidates, and a proxy. Out: mixed logits
to draw from. Cost: one pass over what is mixed, beside the proxy's own.
What it is for: where teacher and proxy agree nothing changes, and where only the teacher knows better the student sees
less of it. What it costs: so does the customer.
Source: "The Distillation Game", arXiv:2605.22737: (1 - g) logits_T + g logits_proxy, g = 0.6 there.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stillwatch.terms.checks import check_range

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Proxy(Protocol):
    """A small model that predicts the next token over the teacher's vocabulary. It needs no key."""

    @property
    def vocab(self) -> int:
        """Size of the vocabulary."""
        ...

    def logits(self, context: IntArray) -> FloatArray:
        """Return logits of the next token, shape (vocab,), given the tokens so far, shape (n,)."""
        ...


def product(teacher: FloatArray, proxy: FloatArray, share: float) -> FloatArray:
    """Return `(1 - share) * teacher + share * proxy`: logits of the product of both distributions.

    Args:
        teacher: Logits or log-probabilities; any shape. Minus infinity stays.
        proxy: The same of the proxy, in the same shape, finite.
        share: Weight of the proxy, from 0 to 1; 0 gives the teacher's own numbers.

    Returns:
        Logits; they are equal up to a constant whether logits or log-probabilities came in.
    """
    check_range("share", share, low=-1e-12, high=1.0 + 1e-12)
    if share == 0.0:
        return teacher
    barred = np.isneginf(teacher)
    mixed = (1.0 - share) * np.where(barred, 0.0, teacher) + share * proxy
    return np.where(barred, -np.inf, mixed)


def product_of_candidates(
    ids: IntArray, log_p: FloatArray, proxy: Proxy, context: IntArray, share: float
) -> FloatArray:
    """Return mixed logits of the teacher's candidates alone, shape (n,).

    Args:
        ids: Tokens that the teacher listed, shape (n,).
        log_p: Their natural logs of probability under the teacher, shape (n,).
        proxy: The small model.
        context: Tokens so far, shape (m,).
        share: Weight of the proxy, from 0 to 1.
    """
    return product(log_p, proxy.logits(context)[ids], share) if share > 0.0 else log_p


class NgramProxy:
    """An interpolated trigram model: for the lab, where a proxy must be small and made of a few texts."""

    def __init__(self, tokens: IntArray, vocab: int, weights: tuple[float, float, float] = (0.6, 0.3, 0.1)) -> None:
        """Count the tokens of a corpus.

        Args:
            tokens: The corpus, shape (n,), values in [0, vocab).
            vocab: Size of the vocabulary.
            weights: Of trigrams, bigrams and single tokens; an unseen context's weight falls to the next.
        """
        self._vocab = vocab
        self._weights = weights
        self._one = np.bincount(tokens, minlength=vocab).astype(np.float64) + 0.5
        self._one /= self._one.sum()
        self._two = _followers(tokens, 1)
        self._three = _followers(tokens, 2)

    @property
    def vocab(self) -> int:
        """Size of the vocabulary."""
        return self._vocab

    def logits(self, context: IntArray) -> FloatArray:
        """Return log-probabilities of the next token, shape (vocab,), all finite."""
        found, left = np.zeros(self._vocab), 1.0
        tables = ((self._three, 2, self._weights[0]), (self._two, 1, self._weights[1]))
        for table, length, weight in tables:
            seen = table.get(tuple(context[-length:].tolist())) if len(context) >= length else None
            if seen is not None:
                ids, counts = np.unique(seen, return_counts=True)
                found[ids] += weight * counts / len(seen)
                left -= weight
        return np.log(found + left * self._one)


def _followers(tokens: IntArray, length: int) -> dict[tuple[int, ...], IntArray]:
    """Return what came after each run of `length` tokens."""
    if len(tokens) <= length:
        return {}
    runs = np.stack([tokens[i : len(tokens) - length + i] for i in range(length)], axis=1)
    order = np.lexsort(runs.T[::-1])
    sorted_runs, after = runs[order], tokens[length:][order]
    starts = np.flatnonzero(np.r_[True, np.any(sorted_runs[1:] != sorted_runs[:-1], axis=1)])
    parts = np.split(after, starts[1:])
    return {tuple(sorted_runs[start].tolist()): part for start, part in zip(starts, parts, strict=True)}
