"""Which tier a context belongs to, and whose key marks it.

In: context digests, and the account and campaign that text was served to. Out: tier numbers and keys.
Engines and readers call the same functions, so that a reader who knows whom a text was served to scores each context
under the very key that marked it.
A tier without an owner falls to the next: campaign contexts of an account without a campaign carry the account's key,
and everything without an account carries the provider's.
Cost: one mix a context.
"""

from typing import Final, NamedTuple

import numpy as np

from stillwatch.treatments.marks.prf import U64, mix64, mix64_int
from stillwatch.treatments.marks.ring import Epoch, TierKey

PROVIDER, CAMPAIGN, ACCOUNT = 0, 1, 2
"""Tiers by number, in the order of `ring.TIERS` and `Epoch.shares`."""
TIER: Final = 0x746965726F66636F
"""Sets the hash that chooses a tier apart from those that choose seeds ("tierofco")."""
_UNIT: Final = 2**32


class TierKeys(NamedTuple):
    """The key of each tier's contexts."""

    provider: TierKey
    campaign: TierKey
    account: TierKey

    @property
    def halves(self) -> tuple[U64, U64]:
        """The keys as two arrays of shape (3,), to be indexed by tier."""
        return np.array([key.a for key in self], np.uint64), np.array([key.b for key in self], np.uint64)


def keys_for(epoch: Epoch, account: bytes = b"", campaign: bytes = b"") -> TierKeys:
    """Return the keys that mark text for an account in a campaign; empty tags: nobody.

    >>> epoch = Epoch(number=1, secret=bytes(32), made=0.0)
    >>> keys = keys_for(epoch, epoch.tag("account", "acme"))
    >>> keys.campaign == keys.account != keys.provider
    True
    """
    provider = epoch.provider_key()
    own = epoch.account_key(account) if account else provider
    return TierKeys(provider, epoch.campaign_key(campaign) if campaign else own, own)


def bounds(epoch: Epoch) -> tuple[int, int]:
    """Return where provider and campaign contexts end among 32-bit tier hashes; the rest are the account's."""
    provider, campaign, account = epoch.shares
    first = round(provider * _UNIT)
    return first, _UNIT if account == 0.0 else max(first, round((provider + campaign) * _UNIT))


def tiers_of(digests: U64, epoch: Epoch) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    """Return each context's tier, 0 to 2, in the shape of `digests`."""
    drawn = mix64(digests ^ np.uint64(TIER)) >> np.uint64(32)
    first, second = bounds(epoch)
    out: np.ndarray[tuple[int, ...], np.dtype[np.int8]] = (drawn >= np.uint64(first)).astype(np.int8)
    out += drawn >= np.uint64(second)
    return out


def tier_int(digest: int, limits: tuple[int, int]) -> int:
    """Return the tier of one context; `limits` from `bounds`."""
    drawn = mix64_int(digest ^ TIER) >> 32
    return (drawn >= limits[0]) + (drawn >= limits[1])
