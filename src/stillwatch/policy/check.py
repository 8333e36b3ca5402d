"""What rules may not say together, found before a single request is answered.

In: rules in order. Out: what forbids them, in words; notes for `stillwatch config check`.
A rule is hidden when an earlier one takes its requests at the moment at which it would begin to act. Reach is
judged from the rules alone; a rule obeyed by nobody in practice is found by the dry run instead.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from stillwatch.policy.rule import Rule
from stillwatch.terms.action import DISTILLATION, NEEDS_CONFIRMATION, ON_A_MATCH
from stillwatch.terms.treated import facts_of

_PATTERN_MARKS: Final = frozenset("*?[")
_REACHES: Final = {
    "none": ("none", "verdict", "confirmed", "coalition"),
    "verdict": ("verdict", "confirmed"),
    "confirmed": ("confirmed",),
    "coalition": ("coalition",),
}
"""A rule that needs less is obeyed for everyone for whom one that needs more would be. A match with the coalition is
neither more nor less than a verdict: either can be there without the other."""


def rule_faults(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return why these rules may not be in force together; empty when they may.

    Args:
        rules: In the order in which they are tried.
    """
    found: list[str] = []
    for at, rule in enumerate(rules):
        if any(rule.name == other.name for other in rules[:at]):
            found.append(f"policy rule {rule.name!r}: the name stands twice; give each rule its own.")
        found += [f"policy rule {rule.name!r}: {wrong}" for wrong in _alone(rule)]
        cover = next((other for other in rules[:at] if covers(other, rule)), None)
        if cover is not None:
            found.append(
                f"policy rule {rule.name!r}: is hidden, since rule {cover.name!r} before it takes the requests that it "
                "is for. Put the narrower rule, or the one that needs confirmation, first; or leave one out."
            )
    return tuple(found)


def rule_notes(rules: Sequence[Rule], *, shadow: bool, approved_by: str = "") -> tuple[str, ...]:
    """Return one line a rule: what it orders, with what, who approved it, whether it bites, and when it ends.

    Args:
        rules: In the order in which they are tried.
        shadow: Whether rules that do not say otherwise only record.
        approved_by: Who approved rules that name nobody themselves.
    """
    return tuple(_note(rule, shadow if rule.shadow is None else rule.shadow, approved_by) for rule in rules)


def disclosures(rules: Sequence[Rule], *, shadow: bool) -> tuple[str, ...]:
    """Return what the provider owes its customers in words, since these rules bite: each sentence once."""
    biting = [rule for rule in rules if not (shadow if rule.shadow is None else rule.shadow)]
    said = (facts_of(name).disclosure for rule in biting for name in rule.applied)
    return tuple(dict.fromkeys(sentence for sentence in said if sentence))


def covers(first: Rule, then: Rule) -> bool:
    """Return whether `first` takes the requests that `then`, after it, is for.

    A challenge is passed by those who have proved what it asks, so it covers nothing. A rule that lasts longer
    outlives a shorter one before it, unless it needs more: then it would sleep through the time that matters.
    A refusal passes over requests under a grant, so it does not cover a rule that names them.
    Only a rule that names workloads, or needs a confirmed verdict, reaches a declared workload within its quota.
    """
    if first.action == "challenge" or (then.workloads and not reaches_workloads(first)):
        return False
    if first.action == "refuse" and DISTILLATION in then.workloads:
        return False
    return (
        then.needs in _REACHES[first.needs]
        and first.min_log_e <= then.min_log_e
        and first.min_organisations <= then.min_organisations
        and _lasts(first, then)
        and _wider(first.workloads, then.workloads)
        and _wider(first.endpoints, then.endpoints)
        and _wider(first.countries, then.countries)
        and _wider(first.plans, then.plans)
        and _wider(first.models, then.models)
    )


def _alone(rule: Rule) -> Iterator[str]:
    if rule.action in NEEDS_CONFIRMATION and rule.needs != "confirmed":
        yield (
            f"orders {rule.action!r} with needs = {rule.needs!r}; nobody is refused or given false numbers "
            'before a person confirmed the verdict. Set needs = "confirmed".'
        )
    if rule.needs == "coalition":
        yield from _on_a_match(rule)
    if rule.needs == "none":
        if rule.until is None:
            yield 'has needs = "none" and no end; give `until`, the date on which the rule itself ends.'
        if rule.min_log_e > 0.0:
            yield f'has needs = "none" and min_log_e = {rule.min_log_e}; without a verdict there is no evidence.'
    elif rule.expires_days <= 0.0:
        yield "has no expires_days; every rule ends: give days above 0, such as 14."
    if rule.countries:
        yield from _by_country(rule)
    elif rule.legal_basis:
        yield "has a legal_basis and no countries; leave it out, or name the countries."


def _on_a_match(rule: Rule) -> Iterator[str]:
    if rule.action not in ON_A_MATCH:
        yield (
            f"orders {rule.action!r} because other providers' warnings match; their word may only "
            f"{', '.join(ON_A_MATCH)}. More needs own evidence, and a person who confirmed it."
        )
    if rule.min_log_e > 0.0:
        yield 'has needs = "coalition" and min_log_e; a match is no evidence of one\'s own and has no nats.'


def _by_country(rule: Rule) -> Iterator[str]:
    missing = [name for name in ("legal_basis", "reason") if not getattr(rule, name).strip()]
    missing += ["until"] if rule.until is None else []
    if missing:
        yield f"is by country and lacks {', '.join(missing)}; a rule by country needs legal_basis, reason and until."
    if rule.needs in ("verdict", "coalition") or rule.min_log_e > 0.0:
        yield (
            "is by country and looks at evidence; country is never evidence and never sharpens it. "
            'Set needs = "none" (or "confirmed", where the law demands a refusal) and min_log_e = 0.'
        )


def reaches_workloads(rule: Rule) -> bool:
    """Return whether a rule reaches accounts within the quota of a declared workload."""
    return bool(rule.workloads) or rule.needs == "confirmed"


def _lasts(first: Rule, then: Rule) -> bool:
    ends = first.until is None or (then.until is not None and first.until >= then.until)
    return ends and (first.needs != then.needs or first.expires_days >= then.expires_days)


def _wider(first: tuple[str, ...], then: tuple[str, ...]) -> bool:
    """Return whether patterns `first` take all that `then` take; False where that cannot be said."""
    return not first or (bool(then) and all(any(_takes(wide, narrow) for wide in first) for narrow in then))


def _takes(wide: str, narrow: str) -> bool:
    if wide in (narrow, "*"):
        return True
    return not _PATTERN_MARKS & set(narrow) and fnmatchcase(narrow, wide)


def _note(rule: Rule, shadow: bool, approved_by: str) -> str:
    when = {
        "none": "without a verdict", "verdict": "under a verdict", "confirmed": "once a person confirmed",
        "coalition": f"on warnings of {rule.min_organisations} or more other providers",
    }[rule.needs]  # fmt: skip
    least = f" of at least {rule.min_log_e:.1f} nats" if rule.min_log_e else ""
    ends = f", for {rule.expires_days:g} days" if rule.expires_days else ""
    effect = "shadow: recorded only" if shadow and rule.action != "allow" else "bites"
    uses = f" ({', '.join(rule.treatments)})" if rule.treatments else ""
    name = (rule.approved_by or approved_by).strip()
    approved = f", approved by {name}" if rule.lowers_quality and name else ""
    return f"{rule.name}: {rule.action}{uses} {when}{least}{ends}{approved} ({effect})"
