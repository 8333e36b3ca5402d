"""Actions: what policy orders for one request of an account, and what the account is told of it.

Frozen records without text. `Held` is what a watcher publishes of an account's verdict, `Subject`
all that policy may look at, `Action` what it orders, `Standing` what the account is told.
Left to `policy`: choosing. Left to `gateway` and `treatments`: doing.
"""

from dataclasses import dataclass
from typing import Final

ACTIONS: Final = ("allow", "mark", "slow", "challenge", "coarsen", "perturb", "refuse")
"""Every action, mildest first."""
NEEDS_CONFIRMATION: Final = frozenset({"perturb", "refuse"})
"""Actions that no rule may order before a person confirmed the verdict."""
ON_A_MATCH: Final = ("allow", "mark", "slow", "challenge")
"""All that a rule may order which rests on other providers' word."""
REASONS: Final = ("none", "unusual_use", "quota", "report", "terms")
"""Reason classes that an account is told; never the scenario."""
VERBS: Final = ("confirm", "dismiss", "release", "step_up")
"""What a person can decide of a verdict; `step_up` asks the account to prove itself, and says no more."""
CLEARING: Final = frozenset({"dismiss", "release"})
"""Decisions under which no rule acts on the account."""
STEP_UP_RULE: Final = "step_up"
"""What stands for a rule where a person asked the account to prove itself."""
DECLARED: Final = ("evaluation", "research", "synthetic_data")
"""Workloads that an account may declare."""
DISTILLATION: Final = "distillation"
"""Workload of a request under a grant; nobody can declare it."""
WORKLOADS: Final = (*DECLARED, DISTILLATION)
"""All workloads; each is a stratum of its own, bounded by a quota."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One account's verdict as published to the workers: strength and dates, never the scenario."""

    account: str
    """Account id, as the gateway knows it."""
    log_e: float
    """Nats."""
    accused: bool
    campaign: str | None
    families: tuple[str, ...] = ()
    """Edge families that tie the account to others; they choose what would clear it."""
    since: float
    """When it was first accused, seconds since 1970 of the wall clock."""
    effective: float
    """When workers may first act on it: later than `since`, by batch and jitter."""
    expires: float
    """When it lapses unless it is published again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """What other providers' word on one account comes to, as published to the workers; no evidence of its own."""

    account: str
    organisations: int
    """Verified organisations whose warnings match it; never counted by their accounts."""
    families: tuple[str, ...] = ()
    """Edge families of what matched; they choose what would clear it."""
    since: float
    """When it was first matched, seconds since 1970."""
    effective: float
    """When workers may first act on it."""
    expires: float
    """When the last of the warnings lapses; taken back at once when they are revoked or disputed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Everything policy may look at for one request. Country is here for legal rules only."""

    account: str
    organisation: str = ""
    plan: str = ""
    model: str = ""
    endpoint: str = ""
    country: str = ""
    """ISO 3166 code from the account's contract, never from its address; empty when unknown."""
    unmodified: bool = False
    """The account is promised unchanged answers; beats every rule."""
    workload: str = ""
    """Declared workload, one of `WORKLOADS`; empty when none is declared."""
    quota_left: bool = True
    """Whether the declared workload's quota still has room."""
    verified: tuple[str, ...] = ()
    """What the account proved of itself; a challenge never asks for it again."""
    held: Held | None = None
    warned: Warned | None = None
    """What other providers said of it; such a match alone never refuses anybody."""
    decided: str = ""
    """The decision in force: one of `VERBS`, or empty."""
    decided_at: float = 0.0
    decision_expires: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What policy orders for one request."""

    kind: str
    """One of `ACTIONS`."""
    rule: str
    """Name of the rule that ordered it; empty for `allow` by default."""
    shadow: bool = False
    """Only recorded: the request is treated as `allow`."""
    reason: str = "none"
    """One of `REASONS`."""
    since: float = 0.0
    expires: float = 0.0
    delay_seconds: float = 0.0
    """For `slow`: how long the request waits before it goes upstream."""
    rate_share: float = 1.0
    """Share of its token buckets that the account keeps; in (0, 1]."""
    ask: str = ""
    """For `challenge`: the least that clears the evidence: `contact`, `payment`, `organisation` or `workload`."""
    treatments: tuple[str, ...] = ()
    """What becomes of request and answer: names of treatments, in the order in which they are applied."""
    campaign: str = ""
    """Campaign of the verdict that it rests on; empty when it rests on none. Never told to the caller."""
    log_e: float = 0.0
    """Nats of that verdict."""

    @property
    def bites(self) -> bool:
        """Whether the request is treated otherwise than allowed."""
        return not self.shadow and self.kind != "allow"


ALLOW: Final = Action(kind="allow", rule="")
"""What happens where no rule speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an account is told of itself."""

    state: str
    """`good`, `restricted`, `challenged` or `refused`."""
    reason: str
    """One of `REASONS`."""
    since: float | None = None
    effect: str = ""
    """What changes for the account, in words."""
    expires: float | None = None
    clears: str = ""
    """What the account can do, in words."""
    appeal: str = ""
    """Id to name in an appeal; empty in good standing."""
