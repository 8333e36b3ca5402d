"""Two thefts on toys: the rank of a last layer through blunted numbers, and a student of a product of experts.

In: a seed. Out: rows. Cost: seconds. A toy says which way things go, not how far they go with a real model.
"""

import numpy as np

from stillwatch.treatments.poe import product

VOCAB, WIDTH, QUERIES = 1_024, 32, 128
STATES, TOKENS = 24, 120_000


def ranks(seed: int) -> list[list[str]]:
    """Return by how much singular values fall behind the width: 1 where nothing is to be seen."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0.0, 1.0, (QUERIES, WIDTH)) @ rng.normal(0.0, 1.0, (WIDTH, VOCAB)) * 0.6
    exact = z - np.logaddexp.reduce(z, axis=1, keepdims=True)
    capped = np.full_like(exact, exact.mean())
    top = np.argsort(-exact, axis=1)[:, :5]
    np.put_along_axis(capped, top, np.take_along_axis(exact, top, axis=1), axis=1)
    told = {
        "exact": exact, "rounded to 0.1": np.round(exact, 1), "rounded to 0.5": np.round(exact * 2) / 2,
        "noise of 0.5 nats": exact + rng.normal(0.0, 0.5, exact.shape),
        "noise of 1 nat": exact + rng.normal(0.0, 1.0, exact.shape), "the five likeliest alone": capped,
    }  # fmt: skip
    return [[name, f"{_gap(matrix):,.1f}"] for name, matrix in told.items()]


def _gap(matrix: np.ndarray) -> float:
    s = np.linalg.svd(matrix, compute_uv=False)
    return float(min(s[WIDTH] / s[WIDTH + 1], 1e9))


def mixtures(seed: int) -> list[list[str]]:
    """Return, by share of the proxy, what answers lose and what students still learn.

    The teacher is a Markov chain of order 2, the proxy what is left of it at order 1. A passive student counts what
    it got; an adaptive one knows the proxy and the share, and takes the proxy out again.
    """
    rng = np.random.default_rng(seed)
    true = np.log(rng.dirichlet(np.full(STATES, 0.15), (STATES, STATES)) + 1e-6)
    true -= np.logaddexp.reduce(true, axis=2, keepdims=True)
    proxy = np.broadcast_to(np.log(np.exp(true).mean(axis=0, keepdims=True)), true.shape)
    rows = []
    for share in (0.0, 0.15, 0.3, 0.6):
        mixed = product(true, proxy, share)
        mixed = mixed - np.logaddexp.reduce(mixed, axis=2, keepdims=True)
        counts = _counted(mixed, rng)
        passive = np.log((counts + 0.05) / (counts + 0.05).sum(axis=2, keepdims=True))
        undone = (passive - share * proxy) / (1.0 - share)
        adaptive = undone - np.logaddexp.reduce(undone, axis=2, keepdims=True)
        changed = np.mean(mixed.argmax(axis=2) != true.argmax(axis=2))
        rows.append([f"{share:g}", *(f"{_behind(true, q):.3f}" for q in (mixed, passive, adaptive)), f"{changed:.1%}"])
    return rows


def _behind(true: np.ndarray, other: np.ndarray) -> float:
    """Mean KL divergence from the true chain, nats a token."""
    return float((np.exp(true) * (true - other)).sum(axis=2).mean())


def _counted(log_p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    each = TOKENS // (STATES * STATES)
    return np.stack([[rng.multinomial(each, np.exp(row) / np.exp(row).sum()) for row in rows] for rows in log_p])
