"""The mark of one answer: chooses among candidates.

In: candidates with their logits, and the answer so far. Out: the one that is said.
The mark sees the answer's tokens alone: whoever reads the answer has not the prompt. Cost: 60 us a token at 128
candidates. Left to `treatments.marks`: which tokens are green, and the keyed draw.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stillwatch.engines.llamacpp.asked import Asked
from stillwatch.engines.llamacpp.pick import Floats, drawn, kept
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelMark

Ids = NDArray[np.int64]


class Chooser(Protocol):
    """What chooses the tokens of one answer."""

    def choose(self, said: Sequence[int], ids: Ids, scores: Floats, asked: Asked, rng: np.random.Generator) -> int:
        """Return the place of the token that is said.

        Args:
            said: Tokens of the answer so far.
            ids: Candidates, shape (k,), k at least 1.
            scores: Their logits with what the request adds, shape (k,), nats.
            asked: Temperature and limits.
            rng: Chance of this answer.
        """
        ...


class Favoured:
    """The green mark: `delta` nats for every green candidate, before any sampler, but where the model is sure."""

    def __init__(self, mark: GreenMark) -> None:
        """Take the mark."""
        self._mark = mark

    def choose(self, said: Sequence[int], ids: Ids, scores: Floats, asked: Asked, rng: np.random.Generator) -> int:
        """Return the place of the token that is said."""
        if scores.max() - max(0.0, float(np.logaddexp.reduce(scores))) >= self._mark.sure:
            return drawn(*kept(scores, asked), rng)
        green = self._mark.bias_candidates(said, ids)
        return drawn(*kept(scores + self._mark.delta * green, asked), rng)


class Drawn:
    """The keyed draw: the samplers cut, the key draws. At temperature 0 there is nothing to draw, and no mark."""

    def __init__(self, mark: GumbelMark) -> None:
        """Take the mark, for one answer."""
        self._answer = mark.answer()

    def choose(self, said: Sequence[int], ids: Ids, scores: Floats, asked: Asked, rng: np.random.Generator) -> int:
        """Return the place of the token that is said."""
        places, logits = kept(scores, asked)
        vector = np.full(int(ids.max()) + 1, -np.inf, np.float32)
        vector[ids[places]] = logits
        token = self._answer.pick(vector, said, rng)
        return int(np.flatnonzero(ids == token)[0])


class Unmarked:
    """No mark: for measuring what marking costs."""

    def choose(self, said: Sequence[int], ids: Ids, scores: Floats, asked: Asked, rng: np.random.Generator) -> int:
        """Return the place of the token that is said."""
        return drawn(*kept(scores, asked), rng)


def chooser(mark: GreenMark | GumbelMark) -> Chooser:
    """Return what chooses the tokens of one answer under a mark."""
    return Drawn(mark) if isinstance(mark, GumbelMark) else Favoured(mark)
