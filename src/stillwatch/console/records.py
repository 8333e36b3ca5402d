"""What the pages and the JSON API show: one frozen record for each, free of text, keys and secrets.

In: what `app` gathered. Out: plain values; the API's schema is made from these classes. Times are seconds since 1970,
evidence is in nats, accounts go by the names that the provider gave them. Hashes are short, keyed, and never whole.
"""

from dataclasses import dataclass, field
from typing import Any

from stillwatch.console.report import CoverageLine, Edge, MeasuredRate, Prices
from stillwatch.terms.verdict import AccountVerdict, Campaign, Evidence


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
class AccountBody:
    """What the index keeps of an account; evidence that is its campaign's is not repeated."""

    verdict: AccountVerdict | None
    campaign: str


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
    proposals: list[ProposalLine]
    ending: list[DecisionLine]
    """Decisions that end within 14 days."""


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
    promised: float
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """One rule of policy."""

    name: str
    action: str
    needs: str
    shadow: bool
    note: str
    expires_days: float
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedLine:
    """What one rule would have done in the last week."""

    rule: str
    action: str
    shadow: bool
    accounts: int
    requests: int
    unconfirmed: int
    accounts_if_confirmed: int
    requests_if_confirmed: int
    sample: list[str]
    """A few of the accounts that it would reach once every waiting verdict is confirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Who would have been affected last week."""

    touched: list[TouchedLine]
    accounts: int
    requests: int
    days: float
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPage:
    """The rules in force, and whom they would touch."""

    rules: list[RuleLine]
    shadow: bool
    disclosures: list[str]
    simulation: Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochLine:
    """One epoch of the marks' keys."""

    epoch: int
    since: float
    in_use: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryLine:
    """One canary: for whom and in which carrier, never its value."""

    id: str
    subject: str
    accounts: int
    template: str
    alternatives: int
    commitment: str
    """First 16 hex digits of the commitment."""
    made: float
    expires: float
    by: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseLine:
    """One treatment that a rule orders, and what it does."""

    rule: str
    treatment: str
    shadow: bool
    dose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage:
    """Keys and canaries: epochs, doses, states; never a secret."""

    api_keys_good: int
    api_keys_ended: int
    api_keys_ending_soon: int
    sketch_epoch: int | None
    sketch_epoch_ends: float | None
    mark_epochs: list[EpochLine]
    canaries: list[CanaryLine]
    doses: list[DoseLine]
    vault: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """One file or folder of a list."""

    name: str
    made: float
    bytes: int
    kind: str
    title: str
    figures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileList:
    """Dossiers, or scorecards, newest first."""

    folder: str
    """Name of the settings that say where they lie."""
    set: bool
    items: list[FileLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailLine:
    """One change."""

    number: int
    at: float
    by: str
    how: str
    what: str
    subject: str
    detail: dict[str, Any]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailList:
    """Changes, newest first."""

    items: list[TrailLine]
    next: int | None
    head: int
    ledger: str
    """Where the chain's head stands outside of the control file; empty for nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """One person who may sign in."""

    name: str
    role: str
    has_password: bool
    sso: bool
    created: float
    disabled: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLine:
    """One token of the API, never its secret."""

    id: str
    person: str
    role: str
    label: str
    made: float
    expires: float
    revoked: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleList:
    """People and tokens."""

    people: list[PersonLine]
    tokens: list[TokenLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who is asking."""

    name: str
    role: str
    may: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a change came to."""

    message: str
    state: str
    """`done`, or `proposed` where a second person has to agree."""
    decision: int | None = None
    proposal: int | None = None
    appeal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why something was not done."""

    code: str
    message: str
