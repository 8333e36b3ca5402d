"""What is tried on a text whose owner is suspected: tiers alone and together, each under the keys that would mark it.

In: an epoch, tags of an account and a campaign. Out: names, keys and tiers, fixed before anything is counted.
With an account there are two ways in which campaign contexts may have been served, and each is tried.
Left to `reading.holm`: the price of trying several.
"""

from typing import Final, NamedTuple

from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import ACCOUNT, CAMPAIGN, PROVIDER, TierKeys, keys_for

EVERY: Final = (PROVIDER, CAMPAIGN, ACCOUNT)


class Hypothesis(NamedTuple):
    """One set of contexts under one set of keys."""

    name: str
    keys: TierKeys
    tiers: tuple[int, ...]


def hypotheses(epoch: Epoch, account: bytes, campaign: bytes, *, nobody: bool) -> tuple[Hypothesis, ...]:
    """Return what to try, `provider` first.

    Args:
        epoch: The epoch read under.
        account: Tag of the account; empty: none is suspected.
        campaign: Tag of the campaign; empty: none.
        nobody: With neither, try also text that was served to nobody named, all of it under the provider's key.

    >>> [one.name for one in hypotheses(Epoch(number=1, secret=bytes(32), made=0.0), b"", b"", nobody=True)]
    ['provider', 'provider, every context']
    """
    provider, own = keys_for(epoch), keys_for(epoch, account)
    out = [Hypothesis("provider", provider, (PROVIDER,))]
    if nobody and not account and not campaign:
        out.append(Hypothesis("provider, every context", provider, EVERY))
    if campaign:
        both = keys_for(epoch, account, campaign)
        out.append(Hypothesis("campaign", both, (CAMPAIGN,)))
        out.append(Hypothesis("all tiers", both, EVERY if account else (PROVIDER, CAMPAIGN)))
    if account:
        out.append(Hypothesis("account", own, (ACCOUNT,)))
        out.append(Hypothesis("account, campaign contexts too", own, (CAMPAIGN, ACCOUNT)))
        out.append(Hypothesis("all tiers, no campaign", own, EVERY))
    return tuple(out)
