"""What a task of the lab offers, what an attack may ask, and what it brings home.

In: nothing; these are the records and ports that tasks, attacks and the runner share. A task trains a teacher for a
seed and offers a `Bench`: the teacher served on loopback behind the gateway, the base that the thief owns, what the
thief may ask about, what is tested and what honest users ask. An attack sees the `Bench` only through `pool`, `seeds`,
`forms` and `train`; right answers of `test` and the teacher's parameters are the runner's.
Left to `app.labrun`: gateway, accounts, clock, budget and scores.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from stillwatch.treatments.marks.ring import Ring

Body = dict[str, Any]
"""A chat request or answer as the OpenAI wire has it."""
Respond = Callable[[Body], Body]
"""A teacher: from a chat request to a chat completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to ask."""

    id: str
    """Unique within its task."""
    text: str = field(repr=False)
    answer: str = field(default="", repr=False)
    """What is right; empty where the thief does not know it, as everywhere in `Bench.pool`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """How an item is asked."""

    logprobs: int = 0
    """Alternatives a position to ask for; 0 for no probabilities at all."""
    samples: int = 1
    """Answers to draw (`n`)."""
    temperature: float = 0.0
    reasoning: bool = False
    """Ask for the reasoning as well."""
    bias: Mapping[str, float] = field(default_factory=dict)
    """Token -> what to add to its logit."""
    image: bool = False
    """Render the item and send a picture."""
    judge: str = ""
    """A proposed answer: ask whether it is right instead of what is."""
    before: str = ""
    """Words in front of the item, instead of the task's own instruction; filled in by the runner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back over the wire."""

    status: int
    texts: tuple[str, ...] = field(default=(), repr=False)
    """One a choice."""
    reasoning: str = field(default="", repr=False)
    logprobs: tuple[Mapping[str, float], ...] = field(default=(), repr=False)
    """Of the first choice: by position, token -> natural log of its probability, the drawn token's among them."""
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def text(self) -> str:
        """The first choice; empty where there is none."""
        return self.texts[0] if self.texts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestRow:
    """One example that a student is trained on."""

    item: Item
    answer: str
    reasoning: str = field(default="", repr=False)
    logprobs: tuple[Mapping[str, float], ...] = field(default=(), repr=False)
    """As in `Answer`; empty where the thief goes by `answer` alone."""
    weight: float = 1.0


Harvest = Sequence[HarvestRow]


class Student(Protocol):
    """A trained model; the base is one too."""

    def answers(self, items: Sequence[Item]) -> list[str]:
        """Return one answer an item, in the form in which `Bench.right` judges them."""
        ...

    def probabilities(self, items: Sequence[Item]) -> list[Mapping[str, float]]:
        """Return answer -> probability for each item; empty mappings where the model gives none."""
        ...


class Client(Protocol):
    """The thief's way in: one request at a time, over the wire, from the next account whose turn it is."""

    @property
    def left(self) -> int:
        """Requests that the budget still allows; an attack stops at 0."""
        ...

    async def ask(self, item: Item, how: Ask) -> Answer | None:
        """Ask, and return what came back, refusals (status other than 200) included; None when the budget is spent.

        Cover that the evasion sends and requests turned away are paid from the same budget.
        """
        ...


class Bench(Protocol):
    """One task under one seed, its teacher trained."""

    @property
    def pool(self) -> Sequence[Item]:
        """What the thief may ask about, right answers unknown."""
        ...

    @property
    def seeds(self) -> Sequence[Item]:
        """The few items of which the thief knows the answers; the base was made from these or less."""
        ...

    @property
    def test(self) -> Sequence[Item]:
        """What teacher, base and student are scored on; shares no item with the others."""
        ...

    @property
    def honest(self) -> Sequence[Item]:
        """What honest users ask, with right answers."""
        ...

    @property
    def forbidden(self) -> Sequence[Item]:
        """The harmless forbidden topic: the teacher answers these with `refusal`."""
        ...

    @property
    def refusal(self) -> str:
        """The answer that refuses."""
        ...

    @property
    def forms(self) -> frozenset[str]:
        """What can be asked: of `answers`, `logprobs`, `samples`, `bias`, `images`, `judge`, `reasoning`."""
        ...

    def request(self, item: Item, how: Ask) -> Body:
        """Return the chat request that asks the item this way."""
        ...

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Serve the teacher on loopback and give its address; `/v1` lies below. `loopback.listening` does it."""
        ...

    def teacher(self) -> Student:
        """Return the teacher as a model to score, asked past the gateway."""
        ...

    def rival(self) -> Student | None:
        """Return another provider's model of the same task, which the thief asks without a defence; None for none."""
        ...

    def base(self, start: str) -> Student:
        """Return what the thief has before the harvest; `start` is one of `cell.STARTS`."""
        ...

    def train(self, harvest: Harvest, start: str, rng: np.random.Generator) -> Student:
        """Return a student trained on the harvest alone, beginning with `start`; an empty one gives the base."""
        ...

    def read(self, answer: Answer) -> str:
        """Return the answer that the first choice gives, without reasoning; in the form that `right` judges."""
        ...

    def right(self, item: Item, answer: str) -> bool:
        """Return whether the answer is right."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A bench whose models take long to train."""

    def keep_in(self, folder: Path) -> None:
        """Keep weights in a folder, and take them from there when they are there already."""
        ...


@runtime_checkable
class Marking(Protocol):
    """A bench whose teacher follows the gateway's signed orders, as an engine does."""

    def follow(self, ring: Ring) -> None:
        """Take the ring that orders are signed with."""
        ...


@runtime_checkable
class Controlled(Protocol):
    """A bench on which an examiner can train models that never saw the teacher, to hold a suspect against."""

    def labelled(self, harvest: Harvest) -> Sequence[Item]:
        """Return items with right answers that neither the student of this harvest nor a control was trained on."""
        ...

    def controls(self, rows: int, start: str, count: int) -> Sequence[Student]:
        """Return models like a student of so many rows, trained on right answers instead of the teacher's.

        Args:
            rows: Rows of the harvest.
            start: As `train`.
            count: Models, each with a draw of its own; asked for more often they are the same.
        """
        ...


@runtime_checkable
class Writing(Protocol):
    """A bench whose students write tokens, so that a mark has places to stand in."""

    def transcript(self, student: Student, rows: int, rng: np.random.Generator) -> Mapping[str, bytes]:
        """Return what exams of marks need of a suspect, by the exams' names of materials.

        Args:
            student: The suspect.
            rows: Rows of the harvest, for the reference that is trained beside it.
            rng: Draws the suspect's answers.
        """
        ...

    def innocent(self, rows: int) -> Student:
        """Return a student of unmarked answers, as many."""
        ...


@runtime_checkable
class Gauging(Protocol):
    """A bench with a measure of its own beside right and wrong."""

    def gauged(self, student: Student, rng: np.random.Generator) -> Mapping[str, float]:
        """Return figures of a student by name, for `Row.figures`; `rng` is of bootstraps."""
        ...


class Task(Protocol):
    """A catalogue entry."""

    @property
    def name(self) -> str:
        """Short name, such as `banking`."""
        ...

    def missing(self, data: Path | None) -> str:
        """Return why the task cannot run here, in words; empty when it can. `data` is STILLWATCH_DATA."""
        ...

    def bench(self, seed: int, data: Path | None, size: float) -> Bench:
        """Train the teacher and return what the task offers.

        Args:
            seed: Of splits and training.
            data: Data folder; None where there is none.
            size: Share of the task's usual items to use, in (0, 1]; tests use little.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an attack knows of its cell."""

    thief: str
    start: str
    rng: np.random.Generator = field(repr=False)
    found: dict[str, Any] = field(default_factory=dict, repr=False)
    """What an attack found out beside its rows; numbers in it end up in `Row.figures`."""


@runtime_checkable
class Inverting(Protocol):
    """A bench whose students reason, so that a thief can tell reasoning anew from questions and answers."""

    def invert(self, harvest: Harvest, job: Job) -> list[HarvestRow]:
        """Return the rows with reasoning that leads to their answers, as far as it can be found."""
        ...

    def in_order(self, harvest: Harvest, job: Job) -> list[HarvestRow]:
        """Return the rows with what is told of their reasoning in the order in which the thief would tell it."""
        ...


@runtime_checkable
class Neutralising(Protocol):
    """A bench whose students speak token by token, so that a mark can be taken from what they say."""

    def neutralised(self, student: Student, harvest: Harvest, job: Job) -> Student:
        """Return the student with the inverse of a mark of width 1 taken from its logits; the thief has no key."""
        ...


class Attack(Protocol):
    """A catalogue entry."""

    @property
    def name(self) -> str:
        """Short name, such as `soft`."""
        ...

    @property
    def needs(self) -> frozenset[str]:
        """Forms that the bench must offer."""
        ...

    def collect(self, client: Client, bench: Bench, job: Job) -> Awaitable[list[HarvestRow]]:
        """Ask until the budget is spent or there is enough, and return what a student is to be trained on."""
        ...
