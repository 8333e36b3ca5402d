"""Decide: from what is known of an account to the one action for its request.

In: a `Subject`, the settings, `now`. Out: exactly one `Action`, for every subject and every settings that
can be built. Cost: a few microseconds; constant in traffic. Left to the caller: what happens when this fails
(the request is allowed, and that is counted).
"""

import re
import string
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from stillwatch.policy.check import reaches_workloads
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.rule import Rule
from stillwatch.policy.step_up import least_ask
from stillwatch.terms.action import ACTIONS, ALLOW, CLEARING, DISTILLATION, STEP_UP_RULE, Action, Held, Subject

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What an action against an account can rest on at one moment."""

    kind: str
    """`none`, `verdict`, `confirmed` or `coalition`."""
    since: float = 0.0
    expires: float = float("inf")


_ONE_OF: Final = re.compile(r"\*|\?|\[(!?\]?[^\]]*)\]")
_TRIED: Final = "_-" + string.printable + "\u0100"
_NO_GROUND: Final = Ground("none")
_SUFFICES: Final = {
    "coalition": frozenset(["coalition"]),
    "none": frozenset(["none", "verdict", "confirmed"]),
    "verdict": frozenset(["verdict", "confirmed"]),
    "confirmed": frozenset(["confirmed"]),
}
"""What a rule needs -> grounds that give it."""


def decide(subject: Subject, config: PolicyConfig, now: float) -> Action:
    """Return what is ordered for one request.

    The order is: an account promised unmodified answers is allowed; so is one that a person dismissed or
    released; one that a person asked to prove itself is challenged until it has; then the first rule that fits, given
    the verdict or confirmation in force at `now`. A request under a grant is refused by no rule.

    Args:
        subject: The account and its request.
        config: Rules in order.
        now: Seconds since 1970.
    """
    if subject.unmodified:
        return ALLOW
    decided = subject.decided if now < subject.decision_expires else ""
    if decided in CLEARING:
        return ALLOW
    if decided == "step_up" and (asked := _step_up(subject, config)) is not None:
        return asked
    own = ground_of(subject, decided, now)
    apart = bool(subject.workload) and subject.quota_left
    licensed = subject.workload == DISTILLATION and subject.quota_left
    for rule in config.rules:
        ground = _others_word(subject, rule, now) if rule.needs == "coalition" else own
        if ground.kind not in _SUFFICES[rule.needs] or (apart and not reaches_workloads(rule)):
            continue
        if licensed and rule.action == "refuse":
            continue  # a grant frees from refusal, and from nothing else
        if rule.is_for(subject) and _strong_enough(rule, subject) and now < _ends(rule, ground, subject.held):
            ask = _ask(rule, subject)
            if rule.action != "challenge" or ask:
                return _order(rule, subject, ground, config.in_shadow(rule), ask)
    return ALLOW


def severest(
    subject: Subject, config: PolicyConfig, now: float, *, endpoint: str | None = None
) -> tuple[Subject, Action]:
    """Return the severest order over every model that a rule names, and every endpoint; orders that bite come first.

    Args:
        subject: The account; its own model and endpoint are not looked at.
        config: Rules in order.
        now: Seconds since 1970.
        endpoint: The only endpoint that is looked at; None for all.

    Returns:
        The subject with that model and endpoint, and what is ordered for it.
    """
    models = dict.fromkeys(["", *(example_of(pattern) for rule in config.rules for pattern in rule.models)])
    named = dict.fromkeys(["", *(name for rule in config.rules for name in rule.endpoints)])
    endpoints = list(named) if endpoint is None else [endpoint]
    tried = [replace(subject, model=model, endpoint=one) for model in models for one in endpoints]
    orders = [(one, decide(one, config, now)) for one in tried]
    return max(orders, key=lambda pair: (pair[1].bites, ACTIONS.index(pair[1].kind)))


def example_of(pattern: str) -> str:
    """Return a name that `pattern` takes, as `fnmatch` reads it; the shortest there is, near enough.

    >>> example_of("large-*"), example_of("gpt-[45]?"), example_of("[!a]x"), example_of("a[b")
    ('large-', 'gpt-4_', '_x', 'a[b')
    """
    return _ONE_OF.sub(_one_of, pattern)


def _one_of(found: re.Match[str]) -> str:
    mark, inside = found[0], found[1]
    if inside is None:
        return "" if mark == "*" else "_"
    return inside[0] if inside[0] != "!" else next(c for c in _TRIED if fnmatchcase(c, mark))


def ground_of(subject: Subject, decided: str, now: float) -> Ground:
    """Return what an action can rest on: a confirmation in force, else an accusation in force, else nothing."""
    if decided == "confirm":
        return Ground("confirmed", subject.decided_at, subject.decision_expires)
    held = subject.held
    if held is not None and held.accused and held.effective <= now < held.expires:
        return Ground("verdict", held.effective)
    return _NO_GROUND


def _others_word(subject: Subject, rule: Rule, now: float) -> Ground:
    """Return what other providers' warnings are a ground for: a rule that waits for them, and no other."""
    warned = subject.warned
    if warned is None or warned.organisations < rule.min_organisations or not warned.effective <= now < warned.expires:
        return _NO_GROUND
    return Ground("coalition", warned.effective, warned.expires)


def _step_up(subject: Subject, config: PolicyConfig) -> Action | None:
    """Return the challenge that a person ordered; None once all of it is proved, and the verdict is left to rules.

    It bites where the settings let any rule bite that waits for a person; a gateway all in shadow only records it.
    """
    ask = least_ask(subject.held.families if subject.held is not None else (), subject.verified)
    if not ask:
        return None
    bites = any(rule.needs == "confirmed" and not config.in_shadow(rule) for rule in config.rules)
    held = subject.held
    return Action(
        kind="challenge", rule=STEP_UP_RULE, shadow=not bites, reason="unusual_use", since=subject.decided_at,
        expires=subject.decision_expires, ask=ask, campaign=(held.campaign or "") if held is not None else "",
        log_e=held.log_e if held is not None else 0.0,
    )  # fmt: skip


def _strong_enough(rule: Rule, subject: Subject) -> bool:
    return rule.min_log_e <= 0.0 or (subject.held is not None and subject.held.log_e >= rule.min_log_e)


def _ends(rule: Rule, ground: Ground, held: Held | None) -> float:
    """Return when the rule stops at the latest. A verdict's own lapse is no part: it would tell of new evidence.

    A rule that a verdict is enough for can outlast a person's confirmation, so the later of both ends counts:
    what an account is told is then never too early.
    """
    until = float("inf") if rule.until is None else rule.until
    if rule.needs == "none":
        return until
    lasts = rule.expires_days * DAY
    ends = min(ground.since + lasts, ground.expires)
    if rule.needs == "verdict" and held is not None and held.accused:
        ends = max(ends, held.effective + lasts)
    return min(until, ends)


def _ask(rule: Rule, subject: Subject) -> str:
    if rule.action != "challenge":
        return ""
    against = subject.warned if rule.needs == "coalition" else subject.held
    families = against.families if against is not None and rule.needs != "none" else ()
    return least_ask(families, subject.verified)


def _order(rule: Rule, subject: Subject, ground: Ground, shadow: bool, ask: str) -> Action:
    if rule.action == "allow":
        return Action(kind="allow", rule=rule.name)
    held = subject.held if rule.needs in ("verdict", "confirmed") else None
    return Action(
        kind=rule.action,
        rule=rule.name,
        shadow=shadow,
        reason=_reason(rule, subject),
        since=0.0 if rule.needs == "none" else ground.since,
        expires=_ends(rule, ground, subject.held),
        delay_seconds=rule.delay_seconds,
        rate_share=rule.rate_share,
        ask=ask,
        treatments=rule.applied,
        campaign=(held.campaign or "") if held is not None else "",
        log_e=held.log_e if held is not None else 0.0,
    )


def _reason(rule: Rule, subject: Subject) -> str:
    """Return the reason class that the account is told."""
    if rule.needs == "none":
        return "terms"
    if rule.needs == "coalition":
        return "report"
    return "quota" if subject.workload and not subject.quota_left else "unusual_use"
