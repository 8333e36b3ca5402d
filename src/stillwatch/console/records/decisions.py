"""What people decided, what they proposed, what was appealed, and what waits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionLine:
    """What a person said of a verdict."""

    id: int
    subject: str
    kind: str
    accounts: int
    verb: str
    by: str
    reason: str
    at: float
    expires: float
    receipt: str
    in_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionList:
    """Decisions, newest first."""

    items: list[DecisionLine]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealLine:
    """One appeal. Its statement is what the account's holder wrote to the provider, one line."""

    id: str
    account: str
    opened: float
    state: str
    statement: str
    answered: float | None
    by: str
    reason: str
    confirmed_by: list[str]
    """Who confirmed the verdict; none of them can hear the appeal alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppealList:
    """Appeals, open ones first."""

    items: list[AppealLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalLine:
    """What waits for a second person."""

    id: int
    kind: str
    subject: str
    verb: str
    by: str
    reason: str
    days: float
    why: str
    at: float
    state: str
    second: str
    closed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalList:
    """Proposals, open ones first."""

    items: list[ProposalLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """One verdict that waits for a person."""

    subject: str
    kind: str
    accounts: int
    undecided: int
    """Accounts of it without a decision in force."""
    log_e: float
    since: float
    lapses: float | None
    receipt: str
    organisations: list[str]
    """Organisations among its accounts; two people have to agree where there is one."""
    proposed: ProposalLine | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits for a person."""

    items: list[QueueItem]
    waiting: int
    """How many wait; the strongest are listed."""
    proposals: list[ProposalLine]
    ending: list[DecisionLine]
    """Decisions that end within 14 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a change came to."""

    message: str
    state: str
    """`done`, or `proposed` where a second person has to agree."""
    decision: int | None = None
    proposal: int | None = None
    appeal: str | None = None
