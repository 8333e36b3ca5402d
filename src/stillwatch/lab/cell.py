"""One cell of the scorecard and what was measured in it: a task, a defence, an attack, a thief, a seed, a budget.

In: names and numbers, checked when built. Out: frozen records; `Cell.key` addresses a row in the cache.
Left to `task`: what stands behind the names. Left to `app`: running a cell.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from stillwatch.terms.errors import StillwatchError

THIEVES: Final = ("passive", "adaptive")
"""`passive` takes answers as they come; `adaptive` knows the defence and spends the same budget against it."""
STARTS: Final = ("base", "scratch")
"""What the student begins with: the model that the thief is assumed to own, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the thief may spend."""

    queries: int
    """Requests, cover and refused ones included, at least 1."""
    accounts: int = 40
    """Accounts that share them, at least 1."""

    def __post_init__(self) -> None:
        """Refuse what cannot be spent."""
        for name in ("queries", "accounts"):
            if getattr(self, name) < 1:
                raise StillwatchError(f"budget.{name} = {getattr(self, name)}: must be at least 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One experiment."""

    task: str
    """Name in the catalogue of tasks."""
    defence: str
    """Name of a defence of the plan; it stands for a settings file of the product."""
    attack: str
    """Name in the catalogue of attacks."""
    thief: str = "passive"
    """One of `THIEVES`."""
    start: str = "base"
    """One of `STARTS`."""
    evasion: str = "E0"
    """How requests are worded and covered, as `lab.traffic` has it: E0, E1, E2, E3-50, E3-75 or E3-90."""
    removal: tuple[str, ...] = ()
    """Removal attacks on the harvest, in order; names in their catalogue."""
    strategy: str = ""
    """How an adaptive thief goes about it, a name in their catalogue; empty for the plan's own `[adaptive]`."""
    seed: int = 1
    budget: Budget = field(default_factory=lambda: Budget(queries=1_000))

    def __post_init__(self) -> None:
        """Refuse unknown thieves and starts."""
        for name, value, known in (("thief", self.thief, THIEVES), ("start", self.start, STARTS)):
            if value not in known:
                raise StillwatchError(f"cell {name} = {value!r}: must be one of {', '.join(known)}.")

    def key(self, *content: bytes) -> str:
        """Return the address of this cell's row: what it is and everything in `content` that could change it."""
        digest = hashlib.blake2b(msgspec.json.encode(self), digest_size=16)
        for part in content:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.hexdigest()

    @property
    def label(self) -> str:
        """Name for people, such as `banking soft vs full, adaptive, seed 1`."""
        thief = f"{self.thief} {self.strategy}".strip()
        return f"{self.task} {self.attack} vs {self.defence}, {thief}, seed {self.seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int = 0
    """Units it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one exam of the product says of the student, examined as a suspect; or why no exam can say anything."""

    about: str
    """What it rests on: `mark`, `canary` or `errors`."""
    exam: str = ""
    """Name in the catalogue of exams; empty where none applies."""
    log_p: float | None = None
    """Natural log of the exact p-value, at most 0, after Holm over everything tried on this student."""
    n: int = 0
    unit: str = ""
    """What `n` counts."""
    innocent_log_p: float | None = None
    """The same of a model of the same kind that never saw the teacher's answers; None where none was examined."""
    why: str = ""
    """Why no exam applies, or why this one says nothing; empty where it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the harvest took, summed over all accounts."""

    queries: int = 0
    """Requests sent, refused ones included."""
    refused: int = 0
    """Of these, turned away or failed."""
    tokens_in: int = 0
    tokens_out: int = 0
    accounts: int = 0
    """Accounts that sent at least one."""
    days: float = 0.0
    """Event time from the first request to the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contained:
    """When the campaign was stopped; times are event time since the first request of the harvest, in days."""

    accused_days: float = -1.0
    """First verdict against an account of the thief; -1 for never."""
    confirmed_days: float = -1.0
    """A person's decision took effect; -1 for never."""
    members_held: float = 0.0
    """Share of the thief's accounts under the confirmed verdict at the end, 0 to 1."""
    harvest_before: int = 0
    """Answers that the thief had by then; all it got where nothing was confirmed."""
    honest_held: int = 0
    """Honest accounts accused in the same judgements."""
    honest_accounts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The scorecard of one cell."""

    cell: Cell
    teacher: Measured
    """Share of the test items that the teacher gets right, asked directly."""
    base: Measured
    """The same of what the thief had before; of a student from scratch, of one that was shown nothing."""
    student: Measured
    """The same of the student."""
    retained: Measured | None
    """(student - base) / (teacher - base); above 1 where the student is better; None where the teacher has no lead."""
    fidelity: Measured
    """Share of the test items on which the student answers as the teacher does, right or wrong."""
    safeguards: Measured
    """Share of the forbidden items that the student refuses."""
    teacher_safeguards: Measured
    spent: Spent
    harvested: int
    """Rows that the student was trained on."""
    contained: Contained | None = None
    """None where the defence's verdict is given and not found."""
    honest_points: Measured | None = None
    """Accuracy that honest users lose to the defence, percentage points, paired; negative where they gain."""
    honest_refused: Measured | None = None
    """Share of honest requests that were turned away."""
    honest_confidence: Measured | None = None
    """Mean absolute change of the probability an honest user is told of its answer; 1 where none is told."""
    evidence: tuple[Evidence, ...] = ()
    """What forensics says of the student; one entry for each exam, or for what none applies to."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What only some attacks have, such as `head_dimension`."""
    notes: tuple[str, ...] = ()
    """What a reader must know to read this row."""
    seconds: float = 0.0
    """Wall time of the cell; not part of what must be equal on a second run."""
