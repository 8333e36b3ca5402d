"""The finished scan as the pages need it: verdicts, names, and what the reader must know beside them.

In: what `app` gathered from `detect`, `logs` and the store. Out: one frozen `Report` that every page reads.
No record here holds text of a prompt or an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.verdict import Verdicts

ALL_TRAFFIC = "all"
"""Key of `Report.timeline` under which the whole traffic is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One file that was read, and how well it read."""

    path: str
    """As the user named it."""
    importer: str
    rows: int
    good: int
    bad: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Reason in words -> bad rows."""
    quarantine: str = ""
    """Where the bad rows went; empty when there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageLine:
    """Whether the input holds what one scenario needs."""

    scenario: str
    can_run: bool
    missing: tuple[str, ...] = ()
    """Event fields that the source does not carry."""
    share: float = 1.0
    """Share of events that carry every field needed, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What tokens cost, so that a harvest can be named in dollars."""

    dollars_in: float
    """Dollars per million prompt tokens."""
    dollars_out: float
    """Dollars per million answer tokens."""
    source: str
    as_of: str
    """Date of the price list, ISO 8601; empty where the source gives none."""

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """Return the list price in dollars; a negative count means unknown and costs nothing.

        >>> Prices(dollars_in=3, dollars_out=15, source="list", as_of="2026-01-01").cost(1_000_000, 2_000_000)
        33.0
        """
        return max(tokens_in, 0) / 1e6 * self.dollars_in + max(tokens_out, 0) / 1e6 * self.dollars_out


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRate:
    """One error rate as it came out when the detector was tried on traffic with known truth."""

    what: str
    """In words, such as `honest accounts flagged, chat`."""
    promised: float
    measured: float
    upper: float
    """Upper end of the 95 % interval."""
    n: int
    """Trials behind it: accounts or campaigns."""
    source: str
    """Where a reader can check it, such as `bench/RESULTS.md`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRates:
    """What the run promises about its errors, and what was measured."""

    q: float
    """False discovery rate over campaigns."""
    alpha: float
    """Chance that one honest account is accused on its own evidence."""
    measured: tuple[MeasuredRate, ...] = ()
    """Empty when nothing was measured; the pages then say so."""


class Edge(NamedTuple):
    """One line of a campaign's graph."""

    account: int
    """Index into `Campaign.accounts`."""
    other: int | str
    """Index of a second account, or a hub: its kind, a colon and a short keyed id, such as `payment:3f9a`."""
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a page may show of one scan."""

    verdicts: Verdicts
    names: Mapping[int, str]
    """Account hash -> name in the input."""
    title: str
    made_at: float
    """Seconds since 1970-01-01 UTC."""
    version: str
    command: str
    """The command line that made it, free of secrets."""
    inputs: tuple[InputFile, ...]
    coverage: tuple[CoverageLine, ...]
    timeline: Mapping[str, tuple[int, ...]]
    """Campaign id -> requests per time bin; `all` -> the whole traffic in the same bins."""
    timeline_start: float
    """Start of the first bin, seconds since 1970-01-01 UTC."""
    timeline_step: float
    """Width of a bin, seconds; above 0."""
    edges: Mapping[str, tuple[Edge, ...]]
    """Campaign id -> links between its accounts and what they share."""
    prices: Prices | None
    """None when no price is known; the pages then name tokens alone."""
    error: ErrorRates
    live: bool = False
    """Whether live traffic was judged: then policy and people may act on it, which this page cannot know."""

    def __post_init__(self) -> None:
        if not self.timeline_step > 0:
            raise StillwatchError(f"report.timeline_step = {self.timeline_step}: must be above 0 seconds.")
        lengths = {len(counts) for counts in self.timeline.values()}
        if len(lengths) > 1:
            raise StillwatchError(f"report.timeline: lengths {sorted(lengths)}; every entry must have the same bins.")

    def name(self, account: int) -> str:
        """Return the account's name in the input, or its hash in hex where the input's name is not at hand."""
        return self.names.get(account) or f"#{account:016x}"
