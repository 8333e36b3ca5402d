"""Hold: from what a judgement says of accounts to the verdicts that workers act on.

In: the newest judgement, the verdicts held so far, a key, `now`. Out: the verdicts to publish.
An account enters when it is accused and leaves when its evidence falls below a share of what an accusation
needs, or when it lapses. Both take effect late: on a grid of the clock, put off by a keyed delay that members
of a campaign share in part and have in part to themselves. What is promised, and to whom: `pace`.
Cost: two short HMACs for each account that enters, leaves or is read again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.pace import later, turn_of
from stillwatch.terms.action import Held

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one judgement says of one account. Active accounts that it found nothing on are said with 0 nats."""

    account: str
    log_e: float
    """Nats."""
    accused: bool
    campaign: str | None = None
    families: tuple[str, ...] = ()
    threshold: float
    """Nats that an accusation needed in this judgement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """When a judgement was made, when the one before it was, and the key of delays."""

    now: float
    """Seconds since 1970, wall clock."""
    last: float
    """When the verdicts held so far were published; 0 when never."""
    key: bytes


def hold(previous: Mapping[str, Held], judged: Iterable[Judged], config: PolicyConfig, this: Round) -> dict[str, Held]:
    """Return the verdicts to publish, by account.

    Accounts that the judgement does not mention keep their verdict until it lapses.

    Args:
        previous: What was published last.
        judged: What the newest judgement says, each account once.
        config: Pace, hysteresis and expiry.
        this: The moment and the key.
    """
    held = {account: one for account, one in previous.items() if this.now < one.expires}
    for one in judged:
        before = held.get(one.account)
        if one.accused or (before is not None and one.log_e >= config.release_share * one.threshold):
            held[one.account] = _enter(one, config, this) if before is None else _stay(before, one, config, this)
        elif before is not None:
            held[one.account] = _leave(before, config, this)
    return held


def _enter(one: Judged, config: PolicyConfig, this: Round) -> Held:
    effective = later(this.now, one.campaign, one.account, config, this.key)
    return Held(
        account=one.account, log_e=one.log_e, accused=True, campaign=one.campaign, families=one.families,
        since=this.now, effective=effective, expires=effective + config.hold_days * DAY,
    )  # fmt: skip


def _stay(before: Held, one: Judged, config: PolicyConfig, this: Round) -> Held:
    """Prolong a verdict; its strength and families are read again only on the account's own turn."""
    expires = max(before.effective, this.now) + config.hold_days * DAY
    turns = [turn_of(at, one.account, config, this.key) for at in (this.last, this.now)]
    if turns[0] == turns[1]:
        return replace(before, expires=expires)
    return replace(
        before, log_e=one.log_e, campaign=one.campaign or before.campaign,
        families=one.families or before.families, expires=expires,
    )  # fmt: skip


def _leave(before: Held, config: PolicyConfig, this: Round) -> Held:
    """Let a verdict end late; it stays told as it was until then. One that never took effect ends unseen."""
    ends = later(this.now, before.campaign, before.account, config, this.key)
    return replace(before, expires=min(before.expires, ends))
