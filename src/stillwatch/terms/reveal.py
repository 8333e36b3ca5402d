"""Secrets that were committed to before they mattered, and how they are opened to a stranger.

In: a secret's item and the secret. Out: digests, and whether an opening fits. An *item* is a small public record that
names one secret and its digest; the ledger keeps the digests of items, so that it shows how many there are and nothing
else. A *reveal* gives item and secret. Secrets have at least 128 random bits, or carry a nonce that has.
Cost: one SHA-256 each. Left to `ledger`: where and when the digest was logged.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from stillwatch.terms.canon import canonical, sha256

SECRETS: Final = ("mark-key", "canary", "seed", "withheld", "code")
"""Kinds of secret that the ledger commits to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One secret, named; shown only when it is revealed."""

    kind: str
    """One of `SECRETS`."""
    id: str
    """Unique within its kind, such as `epoch 2 account 9f0c...`."""
    group: str
    """What it is counted under, such as `epoch 2 account`."""
    sha256: str
    """Digest of the secret, or the commitment that another room made of it; 64 hex digits."""

    @property
    def digest(self) -> str:
        """What the ledger keeps; 64 hex digits."""
        return sha256(canonical(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """An opened secret."""

    item: Item
    secret: str = field(repr=False)
    """Hex of the bytes whose SHA-256 the item has; for a canary, the canonical JSON of its opening."""
    facts: Mapping[str, str | int | tuple[str, ...]] = field(default_factory=dict, repr=False)
    """What else an exam needs of it, such as the settings of a mark's epoch or the name behind a tag."""


def fits(reveal: Reveal) -> bool:
    """Return whether the secret is the one that the item names; for kinds whose item has its SHA-256."""
    try:
        return hmac.compare_digest(sha256(bytes.fromhex(reveal.secret)), reveal.item.sha256)
    except ValueError:
        return False


def seed_item(seed: bytes, purpose: str) -> Item:
    """Return the item of a seed of 32 random bytes."""
    return Item(kind="seed", id=purpose, group="seed", sha256=sha256(seed))


def seed_stream(seed: bytes, purpose: str) -> bytes:
    """Return 32 bytes for one choice, such as which probes a test uses; seeds NumPy's generator as one whole number.

    Args:
        seed: The committed seed, 32 bytes.
        purpose: Such as `t1 probes`; two purposes give unrelated bytes.
    """
    return hmac.digest(seed, b"stillwatch seed\0" + purpose.encode(), hashlib.sha256)
