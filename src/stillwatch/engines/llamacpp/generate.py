"""Generate one marked answer, token by token.

In: a model, the tokens of a request, how to draw, and a mark. Out: text as it comes, then why it ended and how much.
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
from stillwatch.engines.llamacpp.model import Model
from stillwatch.engines.llamacpp.pick import weighed
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
            scores = weighed(found.ids, found.log_p, self.asked, counts)
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
