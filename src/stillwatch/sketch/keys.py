"""Derive every hashing key from one master secret, one set for each 90-day epoch.

In: the master secret. Out: `EpochKeys`, one 256-bit sub-key for each epoch and purpose.
A hash of one epoch says nothing about another without the master, so old events stop being linkable
to new ones when an epoch ends, save in the overlap, in which events carry both hashes.
Left to the caller: keeping the master, and keeping it away from whoever reads the store.
Source: RFC 7693 (BLAKE2b, keyed); NIST SP 800-108 for the shape of the derivation.
"""

import hashlib
import math
from dataclasses import dataclass, field
from typing import Final

from stillwatch.terms.errors import StillwatchError

EPOCH_SECONDS: Final = 90 * 86_400.0
"""Length of a key epoch, seconds."""
LAST_EPOCH: Final = 65_535
_MASTER_BYTES: Final = 16


def epoch_of(time: float) -> int:
    """Return the epoch that `time` (seconds since 1970 UTC) falls in, from 0 to 65535.

    Times before 1970, beyond the last epoch or not a number are held at the nearest bound (NaN: 0),
    so that a skewed clock cannot stop an import.

    >>> epoch_of(0.0), epoch_of(EPOCH_SECONDS), epoch_of(float("nan"))
    (0, 1, 0)
    """
    if math.isnan(time):
        return 0
    return int(min(max(time / EPOCH_SECONDS, 0.0), float(LAST_EPOCH)))


def _derive(key: bytes, label: str) -> bytes:
    return hashlib.blake2b(label.encode(), key=key, digest_size=32).digest()


@dataclass(frozen=True, slots=True)
class EpochKeys:
    """The sub-keys of one epoch; the secret never shows in `repr`."""

    epoch: int
    secret: bytes = field(repr=False)

    def subkey(self, purpose: str) -> bytes:
        """Return the 32-byte sub-key for `purpose`; the same purpose gives the same key."""
        return _derive(self.secret, purpose)

    def stream(self, purpose: str, size: int) -> bytes:
        """Return `size` secret bytes for `purpose`, for keyed tables (SHAKE-256 of the sub-key)."""
        return hashlib.shake_256(self.subkey(purpose)).digest(size)

    def hash(self, purpose: str, value: str) -> int:
        """Return the keyed 64-bit hash of `value`; 0 for the empty string and for nothing else.

        Lone surrogates are kept as they are. Cost: two BLAKE2b calls; `Reducer` remembers sub-keys.
        """
        return hash_bytes(self.subkey(purpose), value.encode("utf-8", "surrogatepass"))


def hash_bytes(subkey: bytes, value: bytes) -> int:
    """Return the keyed BLAKE2b hash of `value` as a nonzero 64-bit number; 0 for empty bytes."""
    if not value:
        return 0
    digest = hashlib.blake2b(value, key=subkey, digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All epochs' keys from one master secret of at least 16 random bytes.

    Raises:
        StillwatchError: the master is too short, or the overlap is not between 0 and one epoch.

    >>> ring = KeyRing(bytes(range(32)))
    >>> ring
    KeyRing(overlap=2592000.0)
    >>> ring.for_epoch(3).hash("account", "") == 0
    True
    """

    master: bytes = field(repr=False)
    overlap: float = 30 * 86_400.0
    """Seconds after an epoch begins in which events are hashed under the previous one as well."""

    def __post_init__(self) -> None:
        if len(self.master) < _MASTER_BYTES:
            raise StillwatchError(
                f"master key: has {len(self.master)} bytes; must have at least {_MASTER_BYTES} random bytes.\n"
                "Make one with `python -c 'import secrets; print(secrets.token_hex(32))'`."
            )
        if not 0.0 <= self.overlap <= EPOCH_SECONDS:
            raise StillwatchError(f"key overlap = {self.overlap}: must lie from 0 to {EPOCH_SECONDS} seconds.")

    def _root(self) -> bytes:
        return hashlib.blake2b(self.master, digest_size=32, person=b"stillwatch").digest()

    def epochs_for(self, time: float) -> tuple[int, ...]:
        """Return the epochs an event at `time` is hashed under: its own, then the previous in the overlap."""
        own = epoch_of(time)
        if own > 0 and time - own * EPOCH_SECONDS < self.overlap:
            return own, own - 1
        return (own,)

    def for_epoch(self, n: int) -> EpochKeys:
        """Return the keys of epoch `n`."""
        return EpochKeys(n, _derive(self._root(), f"epoch {n}"))

    def lasting(self, purpose: str) -> bytes:
        """Return a 32-byte sub-key that every epoch shares; only for ids that must outlive an epoch."""
        return _derive(self._root(), f"lasting {purpose}")
