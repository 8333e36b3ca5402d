"""Campaigns as pages and API show them: lines, accounts, keyed skeletons, evidence over time."""

from dataclasses import dataclass

from stillwatch.console.records.decisions import DecisionLine, ProposalLine
from stillwatch.console.report import Edge
from stillwatch.terms.verdict import Campaign, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignLine:
    """One campaign, or one group that was looked at and not accused."""

    id: str
    accused: bool
    accounts: int
    requests: int
    harvest: int
    """Requests that carried the campaign's content."""
    tokens_in: int
    tokens_out: int
    dollars: float | None
    """Its tokens at list price."""
    log_e: float
    threshold: float
    """Nats that it had to reach."""
    first_seen: float
    last_seen: float
    families: list[str]
    receipt: str
    why_not: str
    """Why it is not accused; empty where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignList:
    """A part of the list of campaigns, by rank."""

    items: list[CampaignLine]
    total: int
    next: int | None
    """Where the next part starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """A template as its keyed skeleton: what stays of a request when its variable words are taken out, hashed."""

    key: str
    accounts: int
    """At least k of them; what fewer share is not listed."""
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """Evidence at one judgement."""

    at: float
    log_e: float
    threshold: float
    accused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignBody:
    """What the index keeps of a campaign, for its page."""

    campaign: Campaign
    threshold: float
    timeline: tuple[int, ...]
    edges: tuple[Edge, ...]
    skeletons: tuple[Skeleton, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """One account of a campaign."""

    account: str
    log_e: float
    """Evidence that it took part."""
    requests: int | None
    surface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberList:
    """A part of a campaign's accounts, strongest first."""

    items: list[MemberLine]
    total: int
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPage:
    """One campaign."""

    line: CampaignLine
    evidence: list[Evidence]
    clears: list[str]
    skeletons: list[Skeleton]
    k: int
    """Least number of accounts that share a listed skeleton."""
    timeline: list[int]
    timeline_start: float
    timeline_step: float
    history: list[HistoryPoint]
    decisions: list[DecisionLine]
    organisations: list[str]
    undecided: int
    waits: bool
    proposal: ProposalLine | None
