"""Standing: what an account is told of itself: reason class, start, effect, end, remedy and appeal id.

In: a `Subject` and the action for its request. Out: a `Standing`, and sentences for a refusal.
Never told: scenario, evidence, campaign, and anything that moves when a new judgement is made. The start is
when the measure took effect, the end is the latest one; neither says when the account was noticed.
"""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Final

from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import severest
from stillwatch.terms.action import Action, Standing, Subject

_STATE: Final = {"refuse": "refused", "challenge": "challenged"}
_QUIET: Final = frozenset(["allow", "mark"])
"""Actions that change nothing that the account can do; it stays in good standing. So it does where a perturb rule only
plants canaries: who is told of them alone is told how to be rid of them."""
_EFFECT: Final = {
    "slow": "Requests are answered more slowly, and the rate limits are lower.",
    "challenge": "Requests are not answered until the account has been verified.",
    "refuse": "Requests are not answered.",
}
"""What an action by itself changes."""
_TREATED: Final = {
    "withhold": "Answers carry no token probabilities and no reasoning text, and one choice only.",
    "round": "Token probabilities in answers are rounded, with the first alternative only.",
    "perturb": "Token probabilities in answers are approximate.",
    "logprobs": "Answers carry few token probabilities or none, and a limited number a day.",
    "reasoning_strip": "Answers carry no reasoning text.",
    "reasoning_summary": "Reasoning in answers is cut down to a summary.",
    "reasoning_conclusion": "Reasoning in answers is shortened and put in another order.",
    "dose": "Token probabilities, embeddings and scores in answers may be approximate.",
    "privacy": "Token probabilities, embeddings and scores in answers carry random noise, and are limited in number.",
    "experts": "Answers are made in part by a smaller model, and may be worse for it.",
}
"""What a treatment changes. Marks are not here: what is told to one account alone would tell it how to go unmarked;
they are disclosed to all customers."""
_REASON: Final = {
    "none": "",
    "unusual_use": "The use of this account does not look like that of a single customer.",
    "report": "Reports of other providers match this account. Nothing was concluded from them.",
    "quota": "The quota of the declared workload is used up, and the use beyond it is unusual.",
    "terms": "The terms of service limit what this account may use.",
}
_CLEARS: Final = {
    "contact": "Verify a contact: a person whom we can reach by e-mail or telephone.",
    "payment": "Verify the payment: show that the means of payment belongs to the holder of the account.",
    "workload": "Declare the workload (evaluation, research or synthetic data) and what it is for.",
    "organisation": "Verify the organisation that holds the account, and name a person responsible for it.",
}
_APPEAL_ONLY: Final = "A person reviews this on appeal; name the appeal id."


def standing_of(subject: Subject, config: PolicyConfig, now: float, key: bytes) -> Standing:
    """Return what the account is told: the severest measure that bites on any model or endpoint.

    Args:
        subject: The account; its model and endpoint are not looked at.
        config: Rules in order.
        now: Seconds since 1970.
        key: Secret of appeal ids.
    """
    _, worst = severest(subject, config, now)
    if not worst.bites or worst.kind in _QUIET or (worst.kind == "perturb" and not effect_of(worst)):
        return Standing(state="good", reason="none")
    return told(subject.account, worst, key)


def told(account: str, action: Action, key: bytes) -> Standing:
    """Return what is told of one action that bites."""
    return Standing(
        state=_STATE.get(action.kind, "restricted"),
        reason=action.reason,
        since=action.since or None,
        effect=effect_of(action),
        expires=action.expires or None,
        clears=_CLEARS.get(action.ask, _APPEAL_ONLY),
        appeal=appeal_id(account, action.since, key),
    )


def effect_of(action: Action) -> str:
    """Return what changes for the account, in sentences; marks in the text are not among them."""
    said = [_EFFECT.get(action.kind, ""), *(_TREATED.get(name, "") for name in action.treatments)]
    return " ".join(one for one in said if one)


def sentence(standing: Standing) -> str:
    """Return a standing as one paragraph for a person, without the account's name."""
    since = f" since {_day(standing.since)}" if standing.since else ""
    ends = f" It ends by {_day(standing.expires)} at the latest." if standing.expires else ""
    return (
        f"This account is {standing.state}{since}. {_REASON[standing.reason]} {standing.effect}{ends} "
        f"What you can do: {standing.clears} Appeal id: {standing.appeal}. Details: GET /v1/account/standing."
    ).replace("  ", " ")


def appeal_key(secret: bytes) -> bytes:
    """Return the secret of appeal ids, derived from the key secret."""
    return hmac.digest(secret, b"stillwatch appeals", hashlib.sha256)


def appeal_id(account: str, since: float, key: bytes) -> str:
    """Return the id to name in an appeal: the same for one measure, and no hint of the account without the key."""
    text = f"stillwatch appeal|{account}|{since:.0f}".encode("utf-8", "surrogatepass")
    return "ap_" + hmac.digest(key, text, hashlib.sha256).hex()[:20]


def _day(moment: float) -> str:
    return datetime.fromtimestamp(min(moment, 253_402_300_000.0), UTC).strftime("%Y-%m-%d %H:%M UTC")
