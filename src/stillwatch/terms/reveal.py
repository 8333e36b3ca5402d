"""Secrets that were committed to before they mattered, and how they are opened to a stranger.

In: a secret with what is to be known of it. Out: digests, and whether an opening fits. An *item* names one secret by
digests alone; the ledger keeps the digest of each item, so that it shows how many there are and nothing else. A
*reveal* gives the item, the secret and the facts. A nonce of 32 bytes keeps facts from being guessed.
Cost: two SHA-256 each. Left to `ledger`: where and when the digest was logged.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from stillwatch.terms.canon import canonical, sha256

SECRETS: Final = ("mark-epoch", "mark-context", "mark-key", "canary", "seed", "withheld", "code")
"""Kinds of secret that the ledger commits to."""
Facts = Mapping[str, str | int | tuple[str, ...]]
"""What is to be known of a secret besides itself; real numbers as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One secret, named; shown only when it is revealed."""

    kind: str
    """One of `SECRETS`."""
    id: str
    """Unique within its kind, such as `epoch 2 account 9f0c...`."""
    group: str
    """What is counted together: `provider`, `campaign` or `account` for a key of marks; for a canary, whom it is for
    under a pseudonym."""
    sha256: str
    """Of the secret's bytes, 64 hex digits."""
    about: str
    """`about_digest` of the facts, 64 hex digits."""

    @property
    def digest(self) -> str:
        """What the ledger keeps; 64 hex digits."""
        return sha256(canonical(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """An opened secret; a material with the role `reveal` is the canonical JSON of a list of these."""

    item: Item
    secret: str = field(repr=False)
    """The secret's bytes in hex."""
    facts: Facts = field(default_factory=dict, repr=False)
    nonce: str = field(repr=False)
    """What the facts were hidden with, hex."""


def about_digest(facts: Facts, nonce: str) -> str:
    """Return the digest that binds facts to an item."""
    return sha256(canonical({"facts": facts, "nonce": nonce}))


def committed(name: tuple[str, str, str], secret: bytes, facts: Facts, nonce: str) -> Reveal:
    """Return a secret with its item, ready to be committed to and, one day, revealed.

    Args:
        name: Kind, id and group.
        secret: At least 16 random bytes.
        facts: What an exam needs of it, such as the settings of a mark's epoch or the name behind a tag.
        nonce: 32 random bytes in hex, or as good as random and secret.
    """
    kind, ident, group = name
    item = Item(kind=kind, id=ident, group=group, sha256=sha256(secret), about=about_digest(facts, nonce))
    return Reveal(item=item, secret=secret.hex(), facts=facts, nonce=nonce)


def fits(reveal: Reveal) -> bool:
    """Return whether secret and facts are those that the item binds."""
    try:
        raw = bytes.fromhex(reveal.secret)
        if raw.hex() != reveal.secret:  # one spelling alone
            return False
        own = sha256(raw)
        about = about_digest(reveal.facts, reveal.nonce)
    except ValueError:
        return False
    return hmac.compare_digest(own, reveal.item.sha256) and hmac.compare_digest(about, reveal.item.about)


def seed_reveal(seed: bytes, purpose: str, nonce: str) -> Reveal:
    """Return the seed of an examination, 32 random bytes, ready to be committed to.

    >>> fits(seed_reveal(bytes(32), "examination", "00" * 32))
    True
    """
    return committed(("seed", purpose, "seed"), seed, {}, nonce)


def seed_stream(seed: bytes, purpose: str) -> bytes:
    """Return 32 bytes for one choice, such as which probes a test uses; they seed a generator as one whole number.

    Args:
        seed: The committed seed, 32 bytes.
        purpose: Such as `t1 probes`; two purposes give unrelated bytes.
    """
    return hmac.digest(seed, b"stillwatch seed\0" + purpose.encode(), hashlib.sha256)
