"""Refusals in words: why a request is turned away before it goes upstream, and what its sender can do.

In: an action or a rate. Out: a `Refusal`. Never said: scenario, evidence, campaign.
"""

import math

from stillwatch.gateway.ports import Refusal
from stillwatch.policy.buckets import Rate
from stillwatch.policy.standing import sentence, told
from stillwatch.terms.action import Action


def turned_away(account: str, action: Action, key: bytes) -> Refusal:
    """Return how a challenge (401) or a refusal (403) is said; official clients retry neither.

    Args:
        account: Whose request it is.
        action: A `challenge` or `refuse` that bites.
        key: Secret of appeal ids.
    """
    standing = told(account, action, key)
    challenged = action.kind == "challenge"
    return Refusal(
        status=401 if challenged else 403,
        code="step_up_required" if challenged else "account_suspended",
        message=sentence(standing),
        appeal=standing.appeal,
    )


def over_the_limit(rate: Rate, wait: float, *, part: float, slowed: bool) -> Refusal:
    """Return how a full bucket is said (429).

    Args:
        rate: What this worker gives, a second.
        wait: Seconds after which the same request would go through.
        part: This worker's share of the whole limit.
        slowed: A rule has lowered the limits.
    """
    both = ((rate.requests, "requests"), (rate.tokens, "tokens"))
    limits = [f"{each * 60.0 / part:.0f} {what}" for each, what in both if math.isfinite(each)]
    lowered = " The limits are lowered for now; see GET /v1/account/standing." if slowed else ""
    return Refusal(
        status=429,
        code="rate_limit_exceeded",
        message=f"Rate limit reached: {' and '.join(limits)} a minute. Try again in {math.ceil(wait)} s.{lowered}",
        retry_after=wait,
    )
