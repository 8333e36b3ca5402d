"""Whose turn it is: the accounts of a thief and of honest users, when each asks, and in which words.

In: a budget, an evasion, a pace, a seed. Out: slots in order of time, made by the traffic composer that the detector is
measured with: the same infrastructure, the same paces, the same wrappers and cover. What is asked is filled in later,
so that an attack may choose it when its turn comes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from stillwatch.lab.cell import Budget
from stillwatch.lab.traffic import CampaignPlan, Corpus, TrafficPlan
from stillwatch.lab.traffic.campaign import campaign
from stillwatch.lab.traffic.chance import dice
from stillwatch.lab.traffic.corpus import Task
from stillwatch.lab.traffic.identity import Caller
from stillwatch.lab.traffic.plan import DAY, DEMO_START
from stillwatch.lab.traffic.stage import Portrait, Stage
from stillwatch.lab.traffic.wording import Wording

PLACE: Final = "\N{SYMBOL FOR UNIT SEPARATOR}ITEM\N{SYMBOL FOR UNIT SEPARATOR}"
"""Stands in composed requests where the item belongs."""
WAVE_APART: Final = 15_485_863
"""Added to the seed for each further part of a thief's accounts, so that names and payments are others."""
SPARE: Final = 1.35
"""Slots composed for each of the budget, as accounts differ in how much they send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast and from where a thief asks."""

    a_day: float = 40.0
    """Requests an account and day, cover included; above 0."""
    infrastructure: str = "shared"
    """As `lab.traffic` has it: `shared`, `proxy` or `clean`."""
    warm_days: float = 3.0
    """Days of honest traffic before the first request of the thief."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One turn to ask."""

    time: float
    """Event time, seconds since 1970."""
    account: str
    headers: Mapping[str, str] = field(repr=False)
    words: str = field(default="", repr=False)
    """In front of the item; empty for the task's own instruction."""
    cover: str = field(default="", repr=False)
    """A request that has nothing to do with the harvest; empty where the item is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Slots of one side, and who asks."""

    slots: tuple[Slot, ...] = field(repr=False)
    callers: tuple[Caller, ...] = field(repr=False)


def thief_turns(budget: Budget, evasion: str, pace: Pace, cast: tuple[int, Corpus]) -> Turns:
    """Return the turns of a campaign, some more than the budget, in order of time.

    Args:
        budget: Queries and accounts.
        evasion: As `CampaignPlan.evasion`.
        pace: How fast and from where.
        cast: The seed and the corpus that cover is drawn from.
    """
    seed, corpus = cast
    each = math.ceil(SPARE * budget.queries / budget.accounts)
    days = each / pace.a_day
    plan = CampaignPlan(
        preset="answers", accounts=budget.accounts, requests=each, evasion=evasion, start_day=pace.warm_days,
        days=max(days, 1e-3), infrastructure=pace.infrastructure,
    )  # fmt: skip
    traffic = TrafficPlan(seed=seed, honest=0, campaigns=(plan,), start=DEMO_START, days=pace.warm_days + days + 0.1)
    work = {**corpus.tasks, "answers": (Task(PLACE),)}
    stage = Stage(traffic, replace(corpus, tasks=work))
    return _turns(stage, campaign(stage, plan, 0))


def thief_waves(budget: Budget, evasion: str, pace: Pace, cast: tuple[int, Corpus], waves: int) -> tuple[Turns, ...]:
    """Return the turns of a campaign whose accounts come in so many parts, each drawn by itself and able to spend all.

    Args:
        budget: Queries and accounts, the accounts shared out among the parts.
        evasion: As `CampaignPlan.evasion`.
        pace: How fast and from where.
        cast: The seed and the corpus that cover is drawn from.
        waves: Parts, 1 or more.
    """
    part = replace(budget, accounts=max(1, budget.accounts // waves))
    return tuple(thief_turns(part, evasion, pace, (cast[0] + WAVE_APART * wave, cast[1])) for wave in range(waves))


def honest_turns(asks: int, accounts: int, span: tuple[float, float], cast: tuple[int, Corpus]) -> Turns:
    """Return the turns of separate honest customers of the same task, each with words of its own, evenly in time.

    Args:
        asks: Requests in all.
        accounts: Customers.
        span: First and last event time, seconds since 1970.
        cast: Seed and corpus.
    """
    seed, corpus = cast
    days = (span[1] - DEMO_START) / DAY + 0.1
    stage = Stage(TrafficPlan(seed=seed + 7_919, honest=0, start=DEMO_START, days=days), corpus)
    rng = dice(seed, "lab honest")
    callers = tuple(stage.machine(rng) for _ in range(accounts))
    words = [Wording("classify").paragraph(rng, 2) for _ in callers]
    times = sorted(rng.uniform(*span) for _ in range(asks))
    slots = tuple(
        Slot(time=at, account=callers[i % accounts].name, headers=_headers(callers[i % accounts], i),
             words=words[i % accounts])
        for i, at in enumerate(times)
    )  # fmt: skip
    return Turns(slots=slots, callers=callers)


def _turns(stage: Stage, portraits: Sequence[Portrait]) -> Turns:
    slots = [
        _slot(portrait.caller, number, ask.time, "\n".join(message.text for message in ask.messages))
        for portrait in portraits
        for number, unit in enumerate(portrait.units)
        for ask in unit
        if ask.time < stage.plan.end
    ]
    slots.sort(key=lambda slot: (slot.time, slot.account))
    return Turns(slots=tuple(slots), callers=tuple(portrait.caller for portrait in portraits))


def _slot(caller: Caller, number: int, at: float, text: str) -> Slot:
    """Return one turn; words that stood behind the item stand before it as well: what counts is that they are there."""
    headers = _headers(caller, number)
    if PLACE not in text:
        return Slot(time=at, account=caller.name, headers=headers, cover=text)
    return Slot(time=at, account=caller.name, headers=headers, words=text.replace(PLACE, "").strip())


def _headers(caller: Caller, number: int) -> dict[str, str]:
    headers = {
        "content-type": "application/json",
        "user-agent": caller.agent,
        "x-forwarded-for": caller.addresses[number % len(caller.addresses)],
    }
    return headers | ({"x-ja4": caller.tls} if caller.tls else {})
