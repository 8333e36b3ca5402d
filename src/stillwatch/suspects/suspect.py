"""What may be asked of a suspect, and what comes back; every kind of suspect answers the same way.

In: nothing. Out: `Probe`, `Reply`, and the port `Suspect`. Left to `ask`: budgets and going on after a break.
Left to the kinds: `endpoint`, `local`, `texts`, and `memory`, which tests hold the others against.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from stillwatch.terms.errors import StillwatchError

Told = tuple[tuple[str, float], ...]
"""Alternatives at one place, likeliest first, with natural logs of their probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question; shows its id only."""

    id: str
    """Unique within a test; what a break is survived by."""
    prompt: str = field(default="", repr=False)
    tokens: tuple[int, ...] = field(default=(), repr=False)
    """Token ids instead of a prompt, for suspects that take them."""
    max_tokens: int = 256
    temperature: float = 1.0
    top: int = 0
    """Alternatives to be told at each place; 0: none."""
    seed: int = 0
    """For suspects that draw by it."""

    def __post_init__(self) -> None:
        if not self.id or self.max_tokens < 1 or self.temperature < 0.0 or self.top < 0:
            raise StillwatchError(f"probe {self.id!r}: needs an id, max_tokens of 1 or more, and no negative number.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a suspect made of one probe; shows sizes only."""

    text: str = field(default="", repr=False)
    tokens: tuple[int, ...] = field(default=(), repr=False)
    """Token ids, where it gives them."""
    told: tuple[Told, ...] = field(default=(), repr=False)
    """Alternatives by place, where they were asked for; names of tokens, or ids as text where ids were asked."""
    spent: int = 0
    """Tokens of question and answer, as it counts them; 0 where it does not say."""
    ended: str = "stop"
    """`stop` or `length`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """How unlikely a suspect finds a text that goes on from a prompt."""

    nats: float
    """Negative natural log of the text's probability, all its tokens together."""
    tokens: int
    """Tokens of the text, as the suspect cuts it; at least 1."""
    spent: int = 0
    """Tokens of prompt and text, as it counts them."""

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.nats / self.tokens


class Refusal(Exception):
    """A suspect did not answer one probe; it is noted, and the next is asked."""

    def __init__(self, why: str) -> None:
        """Take why, without a word of prompt or answer."""
        super().__init__(why)
        self.why = why


class Suspect(Protocol):
    """A model under examination."""

    @property
    def name(self) -> str:
        """As reports call it."""
        ...

    @property
    def where(self) -> str:
        """Address or path; never a key."""
        ...

    @property
    def access(self) -> str:
        """`texts`, `text`, `logprobs` or `weights`."""
        ...

    def reply(self, probe: Probe) -> Reply:
        """Ask one thing.

        Raises:
            Refusal: it does not answer this one.
            StillwatchError: it cannot be asked at all, and asking on is of no use.
        """
        ...

    def close(self) -> None:
        """Let go of what is held; twice does no harm."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """A suspect that may tell how likely it finds a text that is given."""

    @property
    def scores(self) -> bool:
        """Whether it does, as it was opened."""
        ...

    def loss(self, prompt: str, text: str) -> Loss:
        """Return its loss on `text` after `prompt`.

        Raises:
            Refusal: it does not tell for this one.
            StillwatchError: it cannot be asked at all, and asking on is of no use.
        """
        ...


class Texts(Protocol):
    """A suspect of which there are only texts: nothing can be asked."""

    @property
    def name(self) -> str:
        """As reports call it."""
        ...

    def texts(self) -> Iterable[Reply]:
        """Return the texts in a fixed order."""
        ...
