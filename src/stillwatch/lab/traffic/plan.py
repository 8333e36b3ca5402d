"""What to compose: the traffic plan, its campaigns, and the truth that comes back with the traffic.

In: numbers and names, checked when built. Out: frozen records. Left to `compose`: drawing it.
"""

import math
from dataclasses import dataclass
from random import Random
from typing import Final

from stillwatch.lab.traffic.chance import dice
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.exchange import Exchange

DAY: Final = 86_400.0
PRESETS: Final = ("bootstrap", "answers", "reasoning", "grading", "tools", "roleplay", "sweep", "replay")
EVASIONS: Final = ("E0", "E1", "E2", "E3-50", "E3-75", "E3-90", "E4-turn", "E4-answer", "E4-system")
INFRASTRUCTURES: Final = ("shared", "proxy", "clean")
DEMO_START: Final = 1_767_571_200.0
"""2026-01-05 00:00 UTC, a Monday."""


def _check_member(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise StillwatchError(f"{name} = {value!r}: must be one of {', '.join(known)}.\nSee docs/reference/traffic.md.")


def _check_between(name: str, value: float, low: float, high: float) -> None:
    if math.isnan(value) or not low <= value <= high:
        raise StillwatchError(f"{name} = {value}: must lie in {low}..{high}.\nSee docs/reference/traffic.md.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlan:
    """One campaign: what it collects, with how many accounts, how well it hides."""

    preset: str
    """What is collected; one of `PRESETS`."""
    accounts: int
    """Accounts that share the queue of work, 1 to 100,000."""
    requests: int
    """Most requests one account sends, cover included, 1 to 100,000; drawn between 60 % and all of it."""
    evasion: str = "E0"
    """Wording: `E0` one wrapper, `E1` twelve or more in turn, `E2` none alike, `E3-x` E1 plus x % cover, `E4-x` E1
    written where only the model looks: `turn` before a made-up answer, `answer` in one, `system` in the system text."""
    start_day: float = 0.0
    """Day of the window on which it starts, 0 or more."""
    days: float = 7.0
    """Length in days, above 0; what would fall after the window's end is left out."""
    infrastructure: str = "shared"
    """`shared` few payments, data centres; `proxy` homes, 5-10 accounts a payment; `clean` nothing shared."""

    def __post_init__(self) -> None:
        """Check every field."""
        _check_member("campaign.preset", self.preset, PRESETS)
        _check_member("campaign.evasion", self.evasion, EVASIONS)
        _check_member("campaign.infrastructure", self.infrastructure, INFRASTRUCTURES)
        _check_between("campaign.accounts", self.accounts, 1, 100_000)
        _check_between("campaign.requests", self.requests, 1, 100_000)
        _check_between("campaign.start_day", self.start_day, 0.0, 3_650.0)
        _check_between("campaign.days", self.days, 1e-3, 3_650.0)

    @property
    def cover(self) -> float:
        """Share of requests that are cover, 0 to 0.9."""
        return float(self.evasion[3:]) / 100 if self.evasion.startswith("E3-") else 0.0

    @property
    def hides(self) -> str:
        """Where what is asked is hidden: `turn`, `answer`, `system`; empty for the newest turn, where it belongs."""
        return self.evasion[3:] if self.evasion.startswith("E4-") else ""

    @property
    def label(self) -> str:
        """Name by habit, such as `reasoning E1 proxy`."""
        return f"{self.preset} {self.evasion} {self.infrastructure}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """Everything that decides the traffic, apart from the corpus."""

    seed: int
    honest: int
    """Honest accounts, 0 to 1,000,000."""
    campaigns: tuple[CampaignPlan, ...] = ()
    start: float = DEMO_START
    """Start of the window, seconds since 1970-01-01 UTC."""
    days: float = 14.0
    """Length of the window in days, 0.1 to 3,650."""
    hard_share: float = 1 / 3
    """Share of the honest accounts that look like machines or crowds, 0 to 1."""
    persistent: bool = True
    """False: what honest accounts of one stratum ask is dealt anew among them, unit by unit."""
    chat_requests: int = 60
    """Most requests one chat account sends, 3 or more."""
    job_requests: int = 300
    """Most requests one machine account sends, 20 or more."""

    def __post_init__(self) -> None:
        """Check every field."""
        _check_between("traffic.honest", self.honest, 0, 1_000_000)
        _check_between("traffic.hard_share", self.hard_share, 0.0, 1.0)
        _check_between("traffic.days", self.days, 0.1, 3_650.0)
        _check_between("traffic.chat_requests", self.chat_requests, 3, 100_000)
        _check_between("traffic.job_requests", self.job_requests, 20, 1_000_000)

    @property
    def end(self) -> float:
        """End of the window, excluded."""
        return self.start + self.days * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What one account is; never written into a log."""

    kind: str
    """`honest` or `hostile`."""
    stratum: str
    """The surface it has or imitates: `chat`, `batch`, `agent` or `evaluation`."""
    habit: str
    """Kind of honest use, such as `class`; for hostile accounts the campaign's label."""
    campaign: str | None = None
    """Name of the campaign, unique in the plan; None for honest accounts."""
    group: str = ""
    """Honest accounts that belong together (a class, a company) share a name; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Composed traffic and its truth."""

    exchanges: list[Exchange]
    """Sorted by time."""
    truth: dict[str, Truth]
    """Account name -> what it is; every account in `exchanges` has an entry."""


def low_and_slow(preset: str, *, accounts: int, days: float, evasion: str = "E1", a_day: int = 6) -> CampaignPlan:
    """Return a campaign that sends `a_day` requests an account and day, from homes, over `days` days."""
    return CampaignPlan(
        preset=preset,
        accounts=accounts,
        requests=max(1, round(a_day * days)),
        evasion=evasion,
        days=days,
        infrastructure="proxy",
    )


def default_campaigns(rng: Random, n: int, *, days: float = 14.0) -> tuple[CampaignPlan, ...]:
    """Return `n` campaigns of 50 to 1,000 accounts and at most 20 requests each.

    Args:
        rng: Where presets, evasions, sizes and spans are drawn; presets repeat only after all had a turn.
        n: How many, 0 or more.
        days: Length of the window they must fit into, in days.
    """
    plans = []
    presets: list[str] = []
    for _ in range(n):
        if not presets:
            presets = list(PRESETS)
            rng.shuffle(presets)
        span = min(days, rng.uniform(2.0, 10.0))
        plans.append(
            CampaignPlan(
                preset=presets.pop(),
                accounts=round(50 * 20 ** (rng.random() ** 2)),
                requests=rng.randint(10, 20),
                evasion=rng.choices(EVASIONS[:6], (30, 30, 15, 10, 10, 5))[0],  # as before those of made-up turns
                start_day=rng.uniform(0.0, days - span),
                days=span,
                infrastructure=rng.choices(INFRASTRUCTURES, (40, 40, 20))[0],
            )
        )
    return tuple(plans)


def demo_plan(seed: int) -> TrafficPlan:
    """Return a week of some 210 honest accounts and three campaigns: what `make run` shows.

    Two presets are left to the bench, which reports them: `answers` has no wrapper, so that only the
    infrastructure drawn decides whether it can be found; `replay` needs more sessions held with
    other models than the sample has, and would repeat what the honest fleets say.
    """
    rng = dice(seed, "demo")
    presets = rng.sample([preset for preset in PRESETS if preset not in ("answers", "replay")], 3)
    walls = rng.sample(INFRASTRUCTURES[:2] * 2, 3)
    campaigns = tuple(
        CampaignPlan(
            preset=preset,
            accounts=rng.randint(30, 60),
            requests=rng.randint(15, 20),
            evasion=evasion,
            start_day=rng.uniform(0.0, 2.5),
            days=rng.uniform(3.0, 4.5),
            infrastructure=wall,
        )
        for preset, evasion, wall in zip(presets, ("E0", "E1", "E3-50"), walls, strict=True)
    )
    return TrafficPlan(seed=seed, honest=210, campaigns=campaigns, days=7.0, chat_requests=40, job_requests=200)
