"""Settings of policy, section `[policy]` of the settings file: rules, limits and the pace of verdicts.

In: the parsed TOML table. Out: a frozen `PolicyConfig`; one that breaks a promise cannot be built.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any, Final

from stillwatch.policy.check import rule_faults
from stillwatch.policy.ladder import RULES
from stillwatch.policy.rule import RULE_FIELDS, Rule
from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError

MOST_DAYS_WORSE: Final = 90.0
"""Longest time, in days from the verdict, for which a rule without an end of its own may make answers worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimit:
    """Section `[policy.limit]`: one entry of the list `[[policy.limit]]`; the first whose plan fits holds."""

    plan: str = "*"
    """Plan it is for, as a pattern; `*` for all."""
    requests_per_minute: float = math.inf
    """Requests a minute, above 0; left out, requests are not limited."""
    tokens_per_minute: float = math.inf
    """Tokens a minute, prompt and answer together, above 0; left out, tokens are not limited."""

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute"):
            value = getattr(self, name)
            if not value > 0.0:
                raise StillwatchError(f"policy limit for plan {self.plan!r}: {name} = {value}: must be above 0.")


@dataclass(frozen=True, kw_only=True)
class PolicyConfig:
    """Section `[policy]` of the settings file."""

    shadow: bool = True
    """Rules that do not say otherwise only record what they would have ordered."""
    rules: tuple[Rule, ...] = tuple(RULES)
    """The list `[[policy.rule]]`, first match first; giving any replaces the shipped ladder."""
    approved_by: str = ""
    """Who approved that rules which bite may make answers worse, for rules that do not name somebody themselves."""
    limits: tuple[PlanLimit, ...] = ()
    """The list `[[policy.limit]]`, first match first; none by default."""
    burst_seconds: float = 10.0
    """Seconds of its rate that an account may use at once; above 0."""
    slowed_requests_per_minute: float = 600.0
    """Where no limit holds: requests a minute that a `slow` rule takes its share of; above 0."""
    slowed_tokens_per_minute: float = 400_000.0
    """Where no limit holds: tokens a minute that a `slow` rule takes its share of; above 0."""
    batch_seconds: float = 3_600.0
    """Verdicts begin and end on this grid of the clock, in seconds; above 0."""
    jitter_seconds: float = 14_400.0
    """Most that a verdict is put off beyond the grid, keyed by campaign and account; 0 or more. At four batches
    the moment of an effect names the batch of its cause with a chance of one in three at most."""
    hold_days: float = 7.0
    """Days for which a verdict stands when no new judgement mentions the account; above 0."""
    release_share: float = 0.5
    """Share of the nats needed for an accusation below which a verdict ends; between 0 and 1."""
    key_max_age_seconds: float = 600.0
    """Longest time for which keys are trusted while the control file cannot be read; above 0."""

    def __post_init__(self) -> None:
        for name in ("burst_seconds", "slowed_requests_per_minute", "slowed_tokens_per_minute", "batch_seconds",
                     "hold_days", "key_max_age_seconds"):  # fmt: skip
            check_range(f"policy.{name}", getattr(self, name), low=0.0, high=math.inf)
        check_range("policy.jitter_seconds", self.jitter_seconds, low=-1e-9, high=math.inf)
        check_range("policy.release_share", self.release_share, low=0.0, high=1.0)
        faults = (*rule_faults(self.rules), *self._unapproved())
        if faults:
            raise StillwatchError("\n".join((*faults, "See docs/reference/policy.md for what rules may say.")))

    def _unapproved(self) -> tuple[str, ...]:
        """Return what is missing where answers may be worse: somebody who approved it, and an end in sight."""
        worse = [rule for rule in self.rules if rule.lowers_quality and not self.in_shadow(rule)]
        endless = tuple(
            f"policy rule {rule.name!r}: bites and lowers quality ({', '.join(rule.applied)}) for "
            f"{rule.expires_days:g} days; must end within {MOST_DAYS_WORSE:g}: give expires_days, or until."
            for rule in worse
            if rule.until is None and rule.expires_days > MOST_DAYS_WORSE
        )
        return endless + tuple(
            f"policy rule {rule.name!r}: bites and lowers quality ({', '.join(rule.applied)}), and nobody approved it; "
            "name the person under approved_by, in the rule or under [policy]."
            for rule in worse
            if not (rule.approved_by.strip() or self.approved_by.strip())
        )

    def in_shadow(self, rule: Rule) -> bool:
        """Return whether a rule only records what it would order."""
        return self.shadow if rule.shadow is None else rule.shadow

    @cached_property
    def needs_verdict(self) -> bool:
        """Whether an account without verdict and decision is always allowed."""
        return all(rule.needs != "none" for rule in self.rules)


_NUMBERS: Final = tuple(f.name for f in fields(PolicyConfig) if f.type is float)
_LISTS: Final = ("plans", "models", "endpoints", "workloads", "countries", "treatments")


def read_policy(table: Mapping[str, Any]) -> PolicyConfig:
    """Return the settings that the parsed table `[policy]` states.

    Args:
        table: As `tomllib` returns it: `rule` and `limit` are lists of tables.

    Raises:
        StillwatchError: a name is unknown, a value is of the wrong kind or out of range, or rules break a promise.

    >>> read_policy({"rule": [{"name": "a", "action": "mark", "expires_days": 7}]}).rules[0].needs
    'verdict'
    """
    given: dict[str, Any] = {}
    for key, value in table.items():
        if key == "rule":
            given["rules"] = tuple(_rule(at, entry) for at, entry in enumerate(_tables("policy.rule", value), start=1))
        elif key == "limit":
            given["limits"] = tuple(
                _limit(at, entry) for at, entry in enumerate(_tables("policy.limit", value), start=1)
            )
        elif key == "shadow":
            given[key] = _flag("policy.shadow", value)
        elif key == "approved_by":
            given[key] = _word("policy.approved_by", value)
        elif key in _NUMBERS:
            given[key] = _number(f"policy.{key}", value)
        else:
            known = ", ".join(("shadow", "approved_by", *_NUMBERS, "[[policy.rule]]", "[[policy.limit]]"))
            raise StillwatchError(f"policy.{key}: unknown setting; must be one of {known}.")
    return PolicyConfig(**given)


def _tables(name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise StillwatchError(f"{name}: must be a list of tables; write each one under [[{name}]].")
    return value


def _rule(at: int, entry: dict[str, Any]) -> Rule:
    said = f"policy rule {entry.get('name', f'number {at}')!r}"
    for key in ("name", "action"):
        if key not in entry:
            raise StillwatchError(f"{said}: has no {key}; give one.")
    return Rule(**{key: _rule_value(said, key, value) for key, value in entry.items()})


def _rule_value(said: str, key: str, value: Any) -> Any:
    name = f"{said}: {key}"
    if key not in RULE_FIELDS:
        raise StillwatchError(f"{name} is unknown; must be one of {', '.join(RULE_FIELDS)}.")
    if key in _LISTS:
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise StillwatchError(f'{name} = {value!r}: must be a list of words, such as ["free"].')
        return tuple(value)
    if key == "until":
        return _moment(name, value)
    if key == "shadow":
        return _flag(name, value)
    if key == "min_organisations":
        return _whole(name, value)
    if key in ("min_log_e", "expires_days", "delay_seconds", "rate_share"):
        return _number(name, value)
    return _word(name, value)


def _limit(at: int, entry: dict[str, Any]) -> PlanLimit:
    said = f"policy limit number {at}"
    known = tuple(f.name for f in fields(PlanLimit))
    for key in entry:
        if key not in known:
            raise StillwatchError(f"{said}: {key} is unknown; must be one of {', '.join(known)}.")
    rates = {key: _number(f"{said}: {key}", value) for key, value in entry.items() if key != "plan"}
    return PlanLimit(plan=_word(f"{said}: plan", entry.get("plan", "*")), **rates)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StillwatchError(f"{name} = {value!r}: must be a number.")
    return float(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise StillwatchError(f"{name} = {value!r}: must be a whole number.")
    return value


def _word(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise StillwatchError(f"{name} = {value!r}: must be text in quotes.")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise StillwatchError(f"{name} = {value!r}: must be true or false.")
    return value


def _moment(name: str, value: Any) -> float:
    """Return a TOML date, or one in quotes, as seconds since 1970; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime.combine(found, time())
    if not isinstance(found, datetime):
        raise StillwatchError(f"{name} = {value!r}: must be a date such as 2027-01-31.")
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
