"""Draw one token from a model's likeliest candidates.

In: logits of candidates, the mark's additions included, and how to draw. Out: one of them.
Samplers come in llama.cpp's order: additions and penalties, top-k, top-p, min-p, temperature; so a request is
answered as without the mark but for the mark. Cost: 30 us at 128 candidates.
Left to `favoured`: what the mark adds, or draws itself.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.engines.llamacpp.asked import Asked

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def weighed(ids: NDArray[Any], scores: Floats, asked: Asked, said: Mapping[int, int]) -> Floats:
    """Return logits with what the request itself adds: `logit_bias` and penalties for what was said.

    Args:
        ids: Token ids, shape (k,).
        scores: Logits or log-probabilities, shape (k,), nats.
        asked: The request's additions and penalties.
        said: How often each token stands in the answer so far.
    """
    if not asked.bias and not asked.presence and not asked.frequency:
        return scores
    times = np.array([said.get(int(token), 0) for token in ids], dtype=np.float64)
    add = np.array([asked.bias.get(int(token), 0.0) for token in ids])
    return np.asarray(scores + add - asked.presence * (times > 0) - asked.frequency * times)


def kept(scores: Floats, asked: Asked) -> tuple[Places, Floats]:
    """Return which candidates may be drawn, likeliest first, and their logits over the temperature.

    Args:
        scores: Logits of the candidates with every addition, shape (k,), k at least 1, nats.
        asked: Temperature and limits; at temperature 0 the likeliest alone is kept.
    """
    if asked.temperature <= 0.0:
        return np.array([scores.argmax()]), np.zeros(1)
    order = np.argsort(-scores, kind="stable")
    if 0 < asked.top_k < len(order):
        order = order[: asked.top_k]
    order = order[: _within(scores[order], asked.top_p)]
    left = scores[order] - scores[order[0]]
    if asked.min_p > 0.0:
        left = left[left >= np.log(asked.min_p)]
    return order[: len(left)], np.asarray(left / asked.temperature)


def drawn(places: Places, logits: Floats, rng: np.random.Generator) -> int:
    """Return the place of the token drawn, of those `kept`."""
    ladder = np.cumsum(np.exp(logits))
    at = int(np.searchsorted(ladder, rng.random() * ladder[-1], side="right"))
    return int(places[min(at, len(places) - 1)])


def _within(ordered: Floats, top_p: float) -> int:
    """Return how many of the likeliest make up `top_p` together, at least 1."""
    if top_p >= 1.0:
        return len(ordered)
    ladder = np.cumsum(np.exp(ordered - ordered[0]))
    return int(np.searchsorted(ladder, top_p * ladder[-1], side="left")) + 1
