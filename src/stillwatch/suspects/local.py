"""A suspect whose weights are at hand: it takes token ids, or text by a tokeniser, and tells every probability.

In: a model as a port, and a tokeniser where there is one. Out: a `Suspect` with access `weights`.
Cost: that of the model. Left to `app`: loading; torch never is imported here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stillwatch.suspects.suspect import Loss, Probe, Refusal, Reply, Told

WINDOW = 128
"""Tokens before a place that losses look at."""
Tokenise = Callable[[str], Sequence[int]]
Spell = Callable[[Sequence[int]], str]


class TokenModel(Protocol):
    """A language model over token ids."""

    def sample(
        self, n: int, length: int, seed: int, *, temperature: float = 1.0, prompts: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.int64]:  # fmt: skip
        """Return texts that go on from prompts, shape (n, length)."""
        ...

    def logits(self, contexts: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return logits of the token after each context, shape (n, vocab)."""
        ...


@dataclass(frozen=True, slots=True)
class MeanModel:
    """Several references as one: the mean of their probabilities, in which each one's own errors are averaged away."""

    models: tuple[TokenModel, ...]
    """At least one, of one vocabulary."""

    def sample(
        self, n: int, length: int, seed: int, *, temperature: float = 1.0, prompts: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.int64]:  # fmt: skip
        """Return texts of the first."""
        return self.models[0].sample(n, length, seed, temperature=temperature, prompts=prompts)

    def logits(self, contexts: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return logs of the mean probability of the token after each context, shape (n, vocab)."""
        logs = [np.asarray(model.logits(contexts), np.float64) for model in self.models]
        logs = [one - np.logaddexp.reduce(one, axis=1, keepdims=True) for one in logs]
        return np.asarray(np.logaddexp.reduce(logs, axis=0) - np.log(len(logs)))


@dataclass(slots=True, kw_only=True)
class LocalSuspect:
    """One model in this process."""

    model: TokenModel = field(repr=False)
    name: str
    where: str
    tokenise: Tokenise | None = field(default=None, repr=False)
    spell: Spell | None = field(default=None, repr=False)
    access: str = "weights"

    def reply(self, probe: Probe) -> Reply:
        """Ask one thing; see `Suspect`. Without a tokeniser the text is the token ids, spelt in decimal."""
        given = list(probe.tokens)
        if not given and probe.prompt:
            if self.tokenise is None:
                raise Refusal("it takes token ids only")
            given = list(self.tokenise(probe.prompt))
        prompts = np.array([given], np.int64) if given else None
        said = self.model.sample(1, probe.max_tokens, probe.seed, temperature=probe.temperature, prompts=prompts)[0]
        told: tuple[Told, ...] = ()
        if probe.top:
            whole = np.concatenate([np.array(given, np.int64), said])
            places = range(len(given), len(whole)) if given else range(1, len(whole))
            told = tuple(self._alternatives(whole[:place], probe.top) for place in places)
        tokens = tuple(int(one) for one in said)
        text = self.spell(tokens) if self.spell else " ".join(map(str, tokens))
        return Reply(text=text, tokens=tokens, told=told, spent=len(given) + len(tokens), ended="length")

    @property
    def scores(self) -> bool:
        """Whether it tells losses on given texts; see `Scorer`."""
        return self.tokenise is not None

    def loss(self, prompt: str, text: str) -> Loss:
        """Return its loss on a text after a prompt; see `Scorer`. Tokens are counted of the two put together."""
        if self.tokenise is None:
            raise Refusal("it takes token ids only")
        before, whole = len(self.tokenise(prompt)), np.array(self.tokenise(prompt + text), np.int64)
        return self.loss_of(whole, max(1, before))

    def loss_of(self, tokens: npt.NDArray[np.int64], first: int) -> Loss:
        """Return its loss on tokens from place `first` on, at least 1, after those before it.

        Raises:
            Refusal: there is none.
        """
        if len(tokens) <= first:
            raise Refusal("no token to be told of")
        total = 0.0
        for place in range(first, len(tokens)):
            logits = np.asarray(self.model.logits(tokens[None, max(0, place - WINDOW) : place]), np.float64)[0]
            total += float(np.logaddexp.reduce(logits) - logits[tokens[place]])
        return Loss(nats=total, tokens=len(tokens) - first, spent=len(tokens))

    def close(self) -> None:
        """Hold nothing."""

    def _alternatives(self, before: npt.NDArray[np.int64], top: int) -> Told:
        logits = np.asarray(self.model.logits(before[None]), np.float64)[0]
        log_p = logits - np.logaddexp.reduce(logits)
        chosen = np.argsort(-log_p, kind="stable")[:top]
        return tuple((str(int(token)), float(log_p[token])) for token in chosen)
