"""Cut a request into steps: what the caller says, and the answer that it carries back for it.

In: an `Exchange`. Out: `Cut`, its steps in order and what stands beside them; and `Newest`, what sketches are made
from. Cost: 2 microseconds a request. Left to `told`: which steps were counted with earlier requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stillwatch.terms.exchange import Exchange, Message


@dataclass(frozen=True, slots=True)
class Newest:
    """The parts of one request that sketches are made from; text, in memory only."""

    text: str = field(repr=False)
    """User and tool turns after the last answer, joined by a line feed; where an answer stands last, the turns before
    it, and that answer unless it was given."""
    images: tuple[bytes, ...] = field(repr=False)
    system: str = field(repr=False)
    answers: tuple[str, ...] = field(repr=False)
    """Assistant turns that the request carries, oldest first, empty ones left out."""
    turns: int
    """Messages that are not system messages."""
    before: str = field(default="", repr=False)
    """Text that stands before or beside the new turns and was not counted with an earlier request."""

    @property
    def whole(self) -> str:
        """All text that is asked, in order."""
        return f"{self.before}\n{self.text}" if self.before and self.text else self.before or self.text


@dataclass(frozen=True, slots=True)
class Step:
    """Turns of the caller, and the assistant turns that follow them."""

    text: str = field(repr=False)
    """User and tool turns in a row, joined by a line feed; empty where an assistant turn opens the request."""
    images: tuple[bytes, ...] = field(repr=False)
    said: str = field(repr=False)
    """Assistant turns after them, joined by a line feed; empty after the newest turns."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One request in steps."""

    steps: tuple[Step, ...]
    """At least one; the last holds the new turns."""
    system: str = field(repr=False)
    answers: tuple[str, ...] = field(repr=False)
    turns: int


def request_steps(exchange: Exchange) -> Cut:
    """Return the steps of `exchange`."""
    messages = exchange.messages
    if len(messages) == 1 and messages[0].role == "user":
        only = messages[0]
        return Cut((Step(only.text, only.images, ""),), "", (), 1)
    system: list[str] = []
    answers: list[str] = []
    steps: list[Step] = []
    asked: list[Message] = []
    said: list[str] = []
    turns = 0
    for message in messages:
        role = message.role
        if role in ("system", "developer"):
            system.append(message.text)
            continue
        turns += 1
        if role == "assistant":
            said.append(message.text)
            if message.text:
                answers.append(message.text)
            continue
        if said:
            steps.append(_step(asked, said))
            asked, said = [], []
        asked.append(message)
    steps.append(_step(asked, said))
    return Cut(tuple(steps), "\n".join(system), tuple(answers), turns)


def newest(exchange: Exchange) -> Newest:
    """Return the new turns of `exchange`, as if its whole history had been counted."""
    cut = request_steps(exchange)
    last = cut.steps[-1]
    return Newest(last.text, last.images, cut.system, cut.answers, cut.turns)


def _step(asked: Sequence[Message], said: Sequence[str]) -> Step:
    text = asked[0].text if len(asked) == 1 else "\n".join(message.text for message in asked)
    images = tuple(image for message in asked for image in message.images)
    return Step(text, images, "\n".join(text for text in said if text))
