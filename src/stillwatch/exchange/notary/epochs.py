"""Key epochs: when one begins and ends, what a notary says of its key, and what the two keys are called together.

In: the clock as an argument, public keys. Out: `EpochKey`, signed by the notary's lasting identity; the name of a
series. All notaries turn at the same moments, every 30 days since 1970 (UTC), so that no two have to agree.
A name holds a digest of both public keys: a notary that shows two members two keys gives them two names, which
both see, and never tokens that quietly fail to match.
"""

import hashlib
import struct
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stillwatch.exchange.notary.blind import check_public
from stillwatch.terms.errors import StillwatchError

EPOCH_SECONDS: Final = 30 * 86_400
_STATEMENT: Final = b"stillwatch notary epoch key 1\x00"


def epoch_at(now: float) -> int:
    """Return the number of the epoch in force at a moment, seconds since 1970.

    >>> epoch_at(0.0), epoch_at(30 * 86_400.0)
    (0, 1)
    """
    return int(now // EPOCH_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochKey:
    """What a notary says of its key of one epoch."""

    number: int
    public: bytes
    """Public key of the oblivious function, 32 bytes."""
    signature: bytes = field(repr=False)
    """Ed25519 by the notary's identity over number and key, 64 bytes."""

    @property
    def begins(self) -> float:
        """Seconds since 1970."""
        return float(self.number * EPOCH_SECONDS)

    @property
    def ends(self) -> float:
        """Seconds since 1970, excluded."""
        return float((self.number + 1) * EPOCH_SECONDS)


def statement(number: int, public: bytes) -> bytes:
    """Return the bytes that an identity signs: this key is mine in this epoch."""
    return _STATEMENT + struct.pack("<Q", number) + public


def check_statement(key: EpochKey, identity: bytes) -> None:
    """Raise unless the identity signed this key.

    Args:
        key: As it came from a notary.
        identity: Ed25519 public key that this member pinned, 32 bytes.

    Raises:
        StillwatchError: the signature or the key is none.
    """
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(key.signature, statement(key.number, key.public))
    except (InvalidSignature, ValueError):
        raise StillwatchError(
            f"notary: its key of epoch {key.number} is not signed by the identity pinned in [notaries]. Nothing was "
            "sent; ask its operator, by another way, whether the identity changed."
        ) from None
    check_public(key.public)


def series_name(number: int, first: bytes, second: bytes) -> str:
    """Return what tokens of this epoch under these two public keys are called.

    >>> series_name(687, bytes(32), bytes(32))
    'e687-532fe82fc5db1ef54fd5be9ba44b69b4'
    """
    return f"e{number}-{hashlib.blake2b(first + second, digest_size=16).hexdigest()}"


def number_of(name: str) -> int:
    """Return the number in a series' name; -1 where it is none.

    >>> number_of("e687-2ea9"), number_of("x")
    (687, -1)
    """
    number = name[1:].partition("-")[0]
    return int(number) if name[:1] == "e" and number.isascii() and number.isdigit() and len(number) < 10 else -1
