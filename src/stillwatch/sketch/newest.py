"""Pick from a request what is new in it: what the account says after the last answer.

In: an `Exchange`. Out: `Newest`: the new text and images, the system text, the answers it carries back.
A chat sends its whole past with every request; only the new turns are sketched, so that a long
conversation is not counted over and over. Cost: 2 microseconds a request.
"""

from dataclasses import dataclass, field

from stillwatch.terms.exchange import Exchange, Message


@dataclass(frozen=True, slots=True)
class Newest:
    """The parts of one request that sketches are made from; text, in memory only."""

    text: str = field(repr=False)
    """User and tool turns after the last answer, joined by a line feed.

    Where an answer stands last, the last user turn.
    """
    images: tuple[bytes, ...] = field(repr=False)
    system: str = field(repr=False)
    answers: tuple[str, ...] = field(repr=False)
    """Assistant turns that the request carries, oldest first, empty ones left out."""
    turns: int
    """Messages that are not system messages."""


def newest(exchange: Exchange) -> Newest:
    """Return the new parts of `exchange`."""
    messages = exchange.messages
    if len(messages) == 1 and messages[0].role == "user":
        only = messages[0]
        return Newest(only.text, only.images, "", (), 1)
    system: list[str] = []
    answers: list[str] = []
    fresh: list[Message] = []
    last_user: list[Message] = []
    turns = 0
    for message in messages:
        role = message.role
        if role in ("system", "developer"):
            system.append(message.text)
            continue
        turns += 1
        if role == "assistant":
            fresh = []
            if message.text:
                answers.append(message.text)
            continue
        fresh.append(message)
        if role == "user":
            last_user = [message]
    chosen = fresh or last_user
    text = chosen[0].text if len(chosen) == 1 else "\n".join(message.text for message in chosen)
    images = tuple(image for message in chosen for image in message.images)
    return Newest(text, images, "\n".join(system), tuple(answers), turns)
