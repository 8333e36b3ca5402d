"""The reckoning: the thief's costs for a share of the lead, with and without the defence, and the provider's.

In: constants and a scorecard. Out: figures, each with its unit, its formula in words and what it assumes.
What is taken from the lab: how many answers a share needs, relative to the largest harvest of the curve, and how many a
campaign gets before it is stopped. Scale is taken from what was disclosed: that a small classifier's curve holds for a
language model is an assumption, and is written beside every figure that rests on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stillwatch.lab.cell import Row
from stillwatch.lab.economics.constants import Constants
from stillwatch.lab.economics.curve import Curve, curves_of
from stillwatch.lab.scorecard.card import Line, lines_of

SHARES: Final = (0.5, 0.7, 0.8, 0.85, 0.9)
"""Shares of the lead that costs are given for."""
SCALED: Final = "a curve measured on a small classifier holds, in shares, at the disclosed scale"
LIST_PRICE: Final = "the thief pays list price, without discounts, caches or free tiers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of the reckoning."""

    name: str
    value: float
    unit: str
    how: str
    """The formula in words."""
    assumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPoint:
    """What a share of the lead costs the thief, in dollars."""

    task: str
    retained: float
    answers: float
    """Answers needed on the lab's task."""
    undefended: float
    """At the disclosed scale, accounts that share what they have."""
    contained: float | None
    """The same thief under the full defence: new accounts for every campaign that is stopped. None where nothing was
    stopped."""
    campaigns: float
    """Campaigns that this takes, each stopped at the harvest that the lab measured."""
    hidden: float
    """A thief that is not found: every account with an address, a payment and a client of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """Everything that `stillwatch economics` says."""

    figures: tuple[Figure, ...]
    costs: tuple[CostPoint, ...]
    assumptions: tuple[str, ...]


def reckon(rows: Sequence[Row], constants: Constants) -> Reckoning:
    """Return the reckoning over a scorecard's rows."""
    lines = lines_of(rows)  # a task that was run at one size only has no curve
    curves = [curve for curve in curves_of(rows) if len(curve.points) > 1]
    costs = tuple(point for curve in curves for point in _costs(curve, lines, constants))
    return Reckoning(figures=(*_scale(constants), *_provider(lines, constants)), costs=costs, assumptions=(
        LIST_PRICE, SCALED, "a stopped campaign's answers are kept and the next one asks for others",
        "accounts scale with exchanges as in the disclosure",
    ))  # fmt: skip


def exchange_dollars(constants: Constants) -> float:
    """Return what one exchange costs at list price, dollars."""
    c = {name: constant.value for name, constant in constants.items()}
    return (c["tokens_in"] * c["price_input"] + c["tokens_out"] * c["price_output"]) / 1e6


def _scale(constants: Constants) -> list[Figure]:
    c = {name: constant.value for name, constant in constants.items()}
    each = exchange_dollars(constants)
    return [
        Figure(name="exchange", value=each, unit="dollars", how="tokens of a mean exchange at list price",
               assumes=(LIST_PRICE, "an exchange of the campaign is as long as one of the public trace")),
        Figure(name="campaign", value=c["exchanges"] * each + c["accounts"] * c["account_shared"] + c["training"],
               unit="dollars", how="disclosed exchanges at list price, accounts, one training",
               assumes=(LIST_PRICE, "what accounts and training cost")),
        Figure(name="exchanges_for_87000", value=(87_000.0) / each, unit="exchanges",
               how="the hearsay of 87,000 dollars, in exchanges at list price",
               assumes=("the hearsay counts nothing but list price",)),
    ]  # fmt: skip


def _costs(curve: Curve, lines: Sequence[Line], constants: Constants) -> list[CostPoint]:
    c = {name: constant.value for name, constant in constants.items()}
    whole, per_campaign = curve.points[-1].answers, harvest_of(lines, curve.task, "passive")
    found = []
    for share in SHARES:
        needed = curve.needed(share)
        if needed is None:
            continue
        scale = needed / whole
        asked, accounts = scale * c["exchanges"] * exchange_dollars(constants), scale * c["accounts"]
        campaigns = max(1.0, needed / per_campaign) if per_campaign else 1.0
        # each campaign needs the accounts of a whole one, however early it is stopped
        contained = asked + campaigns * c["accounts"] * c["account_shared"] + c["training"] if per_campaign else None
        found.append(CostPoint(
            task=curve.task, retained=share, answers=needed,
            undefended=asked + accounts * c["account_shared"] + c["training"], contained=contained,
            campaigns=campaigns, hidden=asked + accounts * c["account_clean"] + c["training"],
        ))  # fmt: skip
    return found


def harvest_of(lines: Sequence[Line], task: str, thief: str) -> float:
    """Return the answers that a campaign had when it was stopped, mean over seeds; 0 where none was."""
    for line in lines:
        if (line.cell.task, line.cell.defence, line.cell.thief, line.cell.evasion) == (task, "full", thief, "E0"):
            stopped = [row.contained.harvest_before for row in line.rows
                       if row.contained is not None and row.contained.confirmed_days >= 0.0]  # fmt: skip
            return sum(stopped) / len(stopped) if stopped else 0.0
    return 0.0


def _provider(lines: Sequence[Line], constants: Constants) -> list[Figure]:
    c = {name: constant.value for name, constant in constants.items()}
    watched = [row for line in lines for row in line.rows if row.contained is not None]
    honest = sum(row.contained.honest_accounts for row in watched if row.contained)
    accused = sum(row.contained.honest_held for row in watched if row.contained)
    share = accused / honest if honest else 0.0
    decided = c["analyst_hour"] * c["analyst_minutes"] / 60.0
    return [
        Figure(name="answering", value=c["exchanges"] * exchange_dollars(constants) * (1.0 - c["margin"]),
               unit="dollars", how="what answering the disclosed exchanges costs the provider",
               assumes=("the provider's margin",)),
        Figure(name="deciding", value=decided, unit="dollars a campaign", how="an analyst's minutes",
               assumes=("minutes a campaign", "an analyst's wage")),
        Figure(name="mistakes", value=share * 1e5 * c["leaves"] * c["customer_year"],
               unit="dollars a year and 100,000 honest accounts",
               how=f"honest accounts accused in the lab ({accused} of {honest}), those that leave, a year's margin",
               assumes=("every accusation is confirmed by mistake", "who leaves, and what an account is worth",
                        "few accounts were watched: bench/RESULTS.md has the rate on 90,000")),
    ]  # fmt: skip
