"""The keyed choice at a site: which wording the holder of the keys wants there.

In: an epoch, whom the text is for, and a site. Out: 0 or 1.
    D    = first 8 bytes of BLAKE2b(key = HMAC(secret, "surface"), data = row | word | word)
    tier = as for tokens: a secret hash of D against the epoch's shares (`marks.tiers`)
    bit  = top bit of mix64(seed(D, key of that tier))                     (`marks.prf`)
A fresh secret makes the bit fair and independent of anything a writer does: text that was written without it agrees
at half of its sites on average, whatever wordings its writer likes. Whole numbers only, since the gateway's workers do
without NumPy; a test holds the numbers equal to those of `marks`, which the reader uses. Cost: 4 microseconds a site.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from stillwatch.treatments.marks.ring import Epoch, TierKey
from stillwatch.treatments.surfaces.sites import Site

_MASK: Final = 0xFFFFFFFFFFFFFFFF
_TIER: Final = 0x746965726F66636F
_UNIT: Final = 2**32


def _mix(x: int) -> int:
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def site_digest(key: bytes, site: Site) -> int:
    """Return D of a site; `key` from `site_key`."""
    said = "\0".join((site.row.name, *site.context)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(said, digest_size=8, key=key).digest(), "little")


def site_key(epoch: Epoch) -> bytes:
    """Return the key of digests of sites."""
    return epoch.subkey("surface")


@dataclass(frozen=True, slots=True)
class Choice:
    """Chooses for one account under one epoch."""

    key: bytes = field(repr=False)
    limits: tuple[int, int]
    tiers: tuple[TierKey, TierKey, TierKey] = field(repr=False)

    @classmethod
    def of(cls, epoch: Epoch, account: bytes = b"", campaign: bytes = b"") -> "Choice":
        """Return the choice for an account in a campaign, given by their tags; empty: nobody's."""
        provider = epoch.provider_key()
        own = epoch.account_key(account) if account else provider
        first, share = round(epoch.shares[0] * _UNIT), epoch.shares[0] + epoch.shares[1]
        second = _UNIT if epoch.shares[2] == 0.0 else max(first, round(share * _UNIT))
        return cls(site_key(epoch), (first, second), (provider, epoch.campaign_key(campaign) if campaign else own, own))

    def wanted(self, site: Site) -> int:
        """Return which wording is wanted at a site."""
        digest = site_digest(self.key, site)
        drawn = _mix(digest ^ _TIER) >> 32
        key = self.tiers[(drawn >= self.limits[0]) + (drawn >= self.limits[1])]
        return _mix((_mix(digest ^ key.a) + key.b) & _MASK) >> 63
