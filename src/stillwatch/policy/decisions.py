"""Decisions: what people said, and what of it is in force.

In: every decision ever made. Out: the one in force for each account. A later decision replaces an earlier
one for good: when it lapses, the earlier one does not come back. Cost: one pass.
"""

from collections.abc import Iterable

from stillwatch.terms.account import Decision


def latest(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Return by account the last decision that names it, in force or not.

    A decision on a campaign holds for the accounts that it lists, as they stood when it was made.

    Args:
        decisions: In any order; of two made at one moment the one with the higher id is the later.
    """
    found: dict[str, Decision] = {}
    for decision in sorted(decisions, key=lambda d: (d.at, d.id)):
        named = decision.accounts or ((decision.subject,) if decision.kind == "account" else ())
        found.update(dict.fromkeys(named, decision))
    return found


def in_force(decisions: Iterable[Decision], now: float) -> dict[str, Decision]:
    """Return by account the decision in force at `now`, in seconds since 1970."""
    return {account: decision for account, decision in latest(decisions).items() if now < decision.expires}
