"""Rules, and whom they would have touched."""

from dataclasses import dataclass


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
