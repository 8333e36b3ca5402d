"""The protocol file: what will be asked of a suspect and how it will be judged, fixed before the first query.

In: nothing. Out: frozen records, and their canonical JSON through `terms.canon`. Whoever judges later needs no more
than this file, the findings and the ledger to say whether the rules were changed on the way.
Left to `ledger`: signing and logging. Left to `forensics`: holding findings against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PROTOCOL_VERSION: Final = 1
AUTHORITIES: Final = ("owner", "contract", "court")
"""On whose authority a suspect is examined."""
MULTIPLICITY: Final = "holm"
"""Holm over every hypothesis of every test, those that were planned and not tested included (their p is 1)."""
Value = str | int | bool | None | tuple[str | int, ...]
"""What a parameter may be. Real numbers are text, see `terms.canon`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """What is doubted and what is claimed, in words."""

    id: str
    """Short, such as `h1`."""
    null: str
    """What holds of an innocent suspect; every p-value is the chance of as much or more under it."""
    claim: str
    """What is claimed when the null is rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTest:
    """One test as it will be run."""

    id: str
    """Unique within the protocol, such as `t1`."""
    exam: str
    """Name in the catalogue of exams."""
    hypothesis: str
    """Id of the hypothesis."""
    statistic: str
    """In words: what is computed."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    """All that the exam needs beside its materials."""
    samples: int
    """How many samples will be asked for or scored; `unit` says of what."""
    unit: str
    family: int = 1
    """Hypotheses tested under it: keys, accounts, campaigns. Never less than what the ledger has of `secrets`."""
    secrets: str = ""
    """Kind of commitment that it opens (`mark-key`, `canary`, `withheld`); empty for none."""
    groups: tuple[str, ...] = ()
    """Groups of that kind, such as `account`; empty for all. It answers for every committed secret in them."""
    bet: str = ""
    """The bet in words where the test answers in nats; empty where it answers with a p-value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denominator:
    """How many secrets of one kind the ledger had committed to when the protocol was made."""

    kind: str
    """`mark-key`, `canary`, `withheld`, ..."""
    count: int
    """Of all tiers, epochs and accounts; tested or not."""
    size: int
    """Entries that the ledger had when they were counted."""
    groups: Mapping[str, int] = field(default_factory=dict)
    """The same by group, such as `account`, or a subject of canaries under its pseudonym."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Who allows the examination."""

    kind: str
    """One of `AUTHORITIES`."""
    reference: str
    """The contract, the order, or the owner's name; what a lawyer can look up."""
    by: str
    """Person who answers for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectSaid:
    """Which model is examined, as far as it is known before the first query."""

    name: str
    """As reports call it."""
    access: str
    """`texts`, `text` (closed endpoint), `logprobs` or `weights`."""
    where: str = ""
    """Address, path or source; never a key."""
    available: str = ""
    """When it was first to be had, ISO 8601 UTC such as `2026-03-01T00:00:00Z`; empty where that is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsSaid:
    """What the provider's customers had agreed to, and what was circumvented; for whoever pleads the case."""

    version: str = ""
    """Version or date of the terms in force."""
    sha256: str = ""
    """Digest of their text."""
    circumvented: tuple[str, ...] = ()
    """Controls that were got round, one in a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamProtocol:
    """All that is fixed before the first query."""

    version: int = PROTOCOL_VERSION
    question: str
    suspect: SuspectSaid
    authority: Authority
    hypotheses: tuple[Hypothesis, ...]
    tests: tuple[PlannedTest, ...]
    alpha: str
    """Family-wise error rate, a decimal such as `1e-6`."""
    multiplicity: str = MULTIPLICITY
    combination: str = "Holm over p; a bet in nats enters as p = exp(-nats)"
    denominators: tuple[Denominator, ...] = ()
    seed: str
    """Digest of the item of the seed that every choice is drawn from (`terms.reveal`); 64 hex digits."""
    code: Mapping[str, str]
    """Version of Stillwatch and of what it computes with, by name."""
    terms: TermsSaid = TermsSaid()
    by: str
    """Person who planned it."""
    made: str
    """ISO 8601 UTC, whole seconds."""


def hypotheses(denominator: Denominator, groups: tuple[str, ...]) -> int:
    """Return how many hypotheses the committed secrets of some groups stand for; all groups where none is named.

    Each key of a mark is one; canaries and other secrets of one group are tested together and are one.

    >>> held = Denominator(kind="mark-key", count=7, size=3, groups={"provider": 2, "account": 5})
    >>> hypotheses(held, ("account",)), hypotheses(held, ())
    (5, 7)
    """
    chosen = {name: count for name, count in denominator.groups.items() if not groups or name in groups}
    return sum(chosen.values()) if denominator.kind == "mark-key" else len(chosen)
