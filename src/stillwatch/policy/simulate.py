"""Dry run: whom rules would have touched, had they been in force over a history.

In: subjects as they stood, each with its number of requests. Out: by rule, the accounts and requests touched.
Cost: one decision an entry, a few microseconds. Left to `store`: the history; left to `cli`: printing it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import decide
from stillwatch.terms.action import STEP_UP_RULE, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One account's requests of one kind, at about one moment."""

    subject: Subject
    requests: int
    at: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What one rule would have done."""

    rule: str
    """Empty for what no rule touched."""
    kind: str
    shadow: bool
    accounts: tuple[str, ...]
    """Each once, in order of their ids."""
    requests: int
    unconfirmed: int
    """Accounts among them whose verdict nobody had confirmed."""


def dry_run(history: Iterable[Past], config: PolicyConfig, *, bite: bool = False) -> tuple[Touched, ...]:
    """Return what each rule would have done, in the order of the rules; rules that touched nobody are there too.

    Args:
        history: What happened, in any order.
        config: The rules to try.
        bite: Count as if no rule were in shadow.
    """
    rules = tuple(replace(rule, shadow=False) for rule in config.rules) if bite else config.rules
    tried = replace(config, rules=rules)
    accounts: dict[str, dict[str, bool]] = {name: {} for name in (*(rule.name for rule in rules), STEP_UP_RULE, "")}
    requests = dict.fromkeys(accounts, 0)
    for past in history:
        action = decide(past.subject, tried, past.at)
        confirmed = past.subject.decided == "confirm" and past.at < past.subject.decision_expires
        accounts[action.rule][past.subject.account] = confirmed
        requests[action.rule] += past.requests
    asked = [(STEP_UP_RULE, "challenge", all(tried.in_shadow(r) for r in rules if r.needs == "confirmed"))]
    asked = asked if accounts[STEP_UP_RULE] else []
    found = [(rule.name, rule.action, tried.in_shadow(rule) and rule.action != "allow") for rule in rules]
    return tuple(
        Touched(
            rule=name, kind=kind, shadow=shadow, accounts=tuple(sorted(accounts[name])), requests=requests[name],
            unconfirmed=sum(not confirmed for confirmed in accounts[name].values()),
        )
        for name, kind, shadow in (*asked, *found, ("", "allow", False))
    )  # fmt: skip


def dry_run_lines(touched: Iterable[Touched]) -> tuple[str, ...]:
    """Return one line a rule for people; account ids are not in it."""
    return tuple(_line(one) for one in touched)


def _line(one: Touched) -> str:
    who = f"{len(one.accounts)} accounts, {one.requests} requests"
    if not one.rule:
        return f"no rule: allow: {who}"
    return f"{one.rule}: {one.kind}{' in shadow' if one.shadow else ''}: {who} ({one.unconfirmed} unconfirmed)"
