"""Generate one marked answer, token by token.

In: a model, the tokens of a request, how to draw, a mark, and a proxy to mix in where it is ordered. Out: text as it
comes, then why it ended and how much.
Cost: one step of the model and 3 ms a token. Left to `favoured`: choosing. Left to `server`: the wire.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stillwatch.engines.llamacpp.asked import Asked
from stillwatch.engines.llamacpp.favoured import Chooser
from stillwatch.engines.llamacpp.joined import Joined
from stillwatch.engines.llamacpp.model import Candidates, Model
from stillwatch.engines.llamacpp.pick import Floats, weighed
from stillwatch.engines.llamacpp.proxy import Mixture
from stillwatch.engines.llamacpp.wire import Sizes


@dataclass(slots=True)
class Answer:
    """One answer in the making."""

    model: Model
    asked: Asked
    mark: Chooser
    prompt: Sequence[int] = field(repr=False)
    head: dict[str, str] = field(repr=False)
    """Headers with the caller's key."""
    mixture: Mixture | None = None
    """A proxy that is mixed in before anything else; None for the model alone."""
    said: list[int] = field(default_factory=list, repr=False)
    """Tokens of the answer."""
    log_p: float = 0.0
    """Nats of what was said under the unmarked model, at temperature 1."""
    cached: int = 0
    """Tokens of the prompt that the model had in its memory."""
    reason: str = ""
    """Why it ended: `stop` or `length`; known at the end."""

    @property
    def sizes(self) -> Sizes:
        """How many tokens were read and written."""
        return Sizes(len(self.prompt), self.cached, len(self.said))

    async def pieces(self, slot: int) -> AsyncIterator[str]:
        """Yield the text as it comes; never an empty one."""
        joined = Joined(self.asked.stops)
        rng: Any = np.random.default_rng(self.asked.seed)
        room = max(self.model.context - len(self.prompt), 1)  # where none is left, the model says so itself
        most = room if self.asked.most is None else min(self.asked.most, room)
        counts: Counter[int] = Counter()
        tokens = [*self.prompt]
        self.reason = "length"
        while len(self.said) < most and not joined.stopped:
            found = await self.model.after(tokens, slot, self.head)
            self.cached = self.cached if self.said else found.cached
            scores = weighed(found.ids, self._mixed(found, tokens), self.asked, counts)
            place = self.mark.choose(self.said, found.ids, scores, self.asked, rng)
            token = int(found.ids[place])
            if token in self.model.ends:
                self.reason = "stop"
                break
            tokens.append(token)
            self.said.append(token)
            counts[token] += 1
            self.log_p += float(found.log_p[place])
            if text := joined.add(found.pieces[place]):
                yield text
        if joined.stopped:
            self.reason = "stop"
        elif text := joined.end():
            yield text

    def _mixed(self, found: Candidates, tokens: Sequence[int]) -> Floats:
        if self.mixture is None:
            return found.log_p
        return self.mixture.scores(found.ids, found.log_p, np.array(tokens, np.int64), self.model.ends)
