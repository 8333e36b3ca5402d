"""Softmax regression on hashed n-grams, with soft targets, weights, and a model to begin with.

In: rows of features, a distribution over labels for each, and how much each counts. Out: a `Softmax`.
The loss is convex (weighted cross-entropy and the squared distance to where the student began), so that the result
depends on the data and on nothing else. Cost: 2 s for 2,000 rows and 77 labels on one core.
Source: McCullagh and Nelder 1989; Hinton, Vinyals and Dean 2015, arXiv:1503.02531 (soft targets).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax

from stillwatch.lab.learn.features import COLUMNS, Matrix

Floats = npt.NDArray[np.float64]
PRIOR: Final = 0.02
"""Weight of the squared distance to the beginning, for the whole data set; measured on held-out banking77."""
ROUNDS: Final = 30
"""Steps of L-BFGS of a student; on banking77 half of a point below what 60 give, in half of the time."""
TEACHER_ROUNDS: Final = 60


@dataclass(frozen=True, slots=True)
class Softmax:
    """Labels, and a linear map from features to their logits."""

    labels: tuple[str, ...]
    weights: Floats = field(repr=False)
    """Shape (COLUMNS, n_labels)."""
    bias: Floats = field(repr=False)
    """Shape (n_labels,)."""

    def log_probabilities(self, rows: Matrix) -> Floats:
        """Return natural logs of the labels' probabilities, shape (n_rows, n_labels)."""
        logits = np.asarray(rows @ self.weights) + self.bias
        found: Floats = log_softmax(logits, axis=1)
        return found

    def widened(self, labels: Sequence[str]) -> "Softmax":
        """Return the same model over more labels; of those it does not know it thinks little."""
        labels = tuple(labels)
        if labels == self.labels:
            return self
        weights = np.zeros((COLUMNS, len(labels)))
        bias = np.full(len(labels), float(self.bias.min(initial=0.0)) - 1.0)
        at = {label: i for i, label in enumerate(labels)}
        for i, label in enumerate(self.labels):
            if label in at:
                weights[:, at[label]] = self.weights[:, i]
                bias[at[label]] = self.bias[i]
        return Softmax(labels, weights, bias)


def empty(labels: Sequence[str]) -> Softmax:
    """Return a model that was shown nothing: all labels alike."""
    return Softmax(tuple(labels), np.zeros((COLUMNS, len(labels))), np.zeros(len(labels)))


def fit(
    rows: Matrix, targets: Floats, start: Softmax, weight: Floats | None = None, *, rounds: int = ROUNDS
) -> Softmax:
    """Return the model that fits best.

    Args:
        rows: Features, shape (n, COLUMNS).
        targets: Rows that sum to one, shape (n, n_labels), in the order of `start.labels`.
        start: Where it begins, and where the prior holds it.
        weight: How much each row counts, shape (n,); all alike when None.
        rounds: Steps of L-BFGS at most.
    """
    if rows.shape[0] == 0:
        return start
    used = np.unique(rows.indices)
    x: Any = rows[:, used].astype(np.float64)
    across = x.T.tocsr()
    counts = np.ones(rows.shape[0]) if weight is None else np.asarray(weight, np.float64)
    w0, b0 = start.weights[used], start.bias
    k = len(start.labels)

    def loss(flat: Floats) -> tuple[float, Floats]:
        w, b = flat[:-k].reshape(-1, k), flat[-k:]
        logs = log_softmax(x @ w + b, axis=1)
        off_w, off_b = w - w0, b - b0
        value = -float((counts[:, None] * targets * logs).sum())
        value += 0.5 * PRIOR * (float((off_w**2).sum()) + float((off_b**2).sum()))
        pull = counts[:, None] * (np.exp(logs) * targets.sum(axis=1, keepdims=True) - targets)
        gradient = np.concatenate([(across @ pull + PRIOR * off_w).ravel(), pull.sum(axis=0) + PRIOR * off_b])
        return value, gradient

    begin = np.concatenate([w0.ravel(), b0])
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": rounds, "maxcor": 6}).x
    weights = start.weights.copy()
    weights[used] = found[:-k].reshape(-1, k)
    return Softmax(start.labels, weights, found[-k:])


def low_rank(model: Softmax, rank: int, rows: Matrix, targets: Floats) -> tuple[Softmax, Floats]:
    """Return the model with its logits confined to `rank` dimensions, as a network with that many hidden units has.

    Returns:
        The model, and the head: what maps hidden units to logits, shape (rank, n_labels), before the bias.
    """
    used = np.unique(rows.indices)
    u, s, vt = np.linalg.svd(model.weights[used], full_matrices=False)
    body, head = u[:, :rank] * s[:rank], vt[:rank]
    hidden = np.asarray(rows[:, used] @ body)
    k = len(model.labels)

    def loss(flat: Floats) -> tuple[float, Floats]:
        h, b = flat[:-k].reshape(rank, k), flat[-k:]
        logs = log_softmax(hidden @ h + b, axis=1)
        pull = np.exp(logs) - targets
        value = -float((targets * logs).sum()) + 0.5 * PRIOR * float(((h - head) ** 2).sum())
        return value, np.concatenate([(hidden.T @ pull + PRIOR * (h - head)).ravel(), pull.sum(axis=0)])

    found = minimize(loss, np.concatenate([head.ravel(), model.bias]), jac=True, method="L-BFGS-B",
                     options={"maxiter": TEACHER_ROUNDS}).x  # fmt: skip
    head, bias = found[:-k].reshape(rank, k), found[-k:]
    weights = np.zeros_like(model.weights)
    weights[used] = body @ head
    return Softmax(model.labels, weights, bias), head
