"""Accounts as pages and API show them: verdict, action in force, what was agreed."""

from dataclasses import dataclass

from stillwatch.console.records.campaigns import HistoryPoint
from stillwatch.console.records.decisions import AppealLine, DecisionLine, ProposalLine
from stillwatch.terms.verdict import AccountVerdict, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBody:
    """What the index keeps of an account; evidence that is its campaign's is not repeated."""

    verdict: AccountVerdict | None
    campaign: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """One account that was judged, or that there is a record of."""

    account: str
    accused: bool
    campaign: str
    log_e: float | None
    threshold: float | None
    requests: int | None
    surface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountList:
    """A part of the list of accounts."""

    items: list[AccountLine]
    total: int
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionLine:
    """What policy orders for an account now."""

    kind: str
    rule: str
    shadow: bool
    bites: bool
    since: float | None
    expires: float | None
    ask: str
    treatments: list[str]
    effect: str
    """What the account is told that changes; empty for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLine:
    """What was agreed with an account."""

    organisation: str
    plan: str
    country: str
    unmodified: bool
    workload: str
    workload_tokens: int
    verified: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """One API key, never the key."""

    key_id: str
    label: str
    created: float
    expires: float | None
    revoked: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """One account."""

    account: str
    accused: bool
    campaign: str
    log_e: float | None
    threshold: float | None
    needed_alone: float
    requests: int | None
    surface: str
    evidence: list[Evidence]
    clears: list[str]
    why_not: str
    history: list[HistoryPoint]
    history_of: str
    """What the history is of: the account, or the campaign that its verdict rests on."""
    action: ActionLine
    action_if_confirmed: ActionLine
    record: RecordLine
    keys: list[KeyLine]
    decisions: list[DecisionLine]
    appeals: list[AppealLine]
    waits: bool
    proposal: ProposalLine | None
    known: bool
    """Whether anything was published or agreed of it."""
