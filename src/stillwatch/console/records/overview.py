"""The newest judgement, how verdicts fared with people, and what the processes say."""

from dataclasses import dataclass

from stillwatch.console.records.campaigns import CampaignLine
from stillwatch.console.report import CoverageLine, MeasuredRate, Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One judgement, as the list of judgements keeps it."""

    generation: int
    judged_until: float
    made_at: float
    campaigns: int
    accounts: int
    looked_at: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What all pages say of the newest judgement."""

    generation: int
    made_at: float
    judged_until: float
    q: float
    alpha: float
    looked_at: int
    calibrated: bool
    notes: tuple[str, ...]
    events: int
    accounts: int
    campaigns: int
    candidates: int
    accused: int
    epoch: int
    week_requests: int
    traffic: tuple[int, ...]
    timeline_start: float
    timeline_step: float
    account_bar: float
    tokens_out: int
    """Answer tokens that the accused campaigns received."""
    dollars: float | None
    prices: Prices | None
    measured: tuple[MeasuredRate, ...]
    coverage: tuple[CoverageLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """How verdicts fared with people: what was promised, and what people found."""

    what: str
    promised: float | None
    """None where nothing was promised of it."""
    wrong: int
    """Dismissed by a person, or cleared on appeal."""
    decided: int
    rate: float | None
    low: float
    high: float
    """95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What the gateway's processes say of themselves."""

    watcher: bool
    """Whether the watcher was heard of within a minute."""
    exchanges: int
    events: int
    lost: int
    backlog: int
    verdict_age_seconds: float | None
    judging: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The first page."""

    running: Running
    judged: bool
    """Whether anything was judged yet; without it the figures below are zero."""
    made_at: float | None
    judged_until: float | None
    campaigns: int
    candidates: int
    accused: int
    requests: int
    accounts: int
    accounts_known: int
    tokens_out: int
    dollars: float | None
    waiting: int
    proposals: int
    appeals: int
    confirmed: int
    cleared: int
    shadow: bool
    q: float | None
    alpha: float | None
    realised: list[Realised]
    measured: list[MeasuredRate]
    notes: list[str]
    judgements: list[Judgement]
    top: list[CampaignLine]
    traffic: list[int]
    timeline_start: float
    timeline_step: float
