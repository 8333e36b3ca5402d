"""Passwords: hashed with argon2id, compared in the same time whether or not there is such a person.

In: a password. Out: a hash in PHC form, or whether one fits. Cost: 64 MiB and about 50 ms, at most two at a time.
Source: RFC 9106 (Argon2), second recommended setting.
"""

import secrets
import threading
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from stillwatch.terms.errors import StillwatchError

SHORTEST: Final = 12
LONGEST: Final = 256
AT_ONCE: Final = threading.BoundedSemaphore(2)
"""Each takes 64 MiB: a flood of sign-ins must not take all memory."""
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)


def hashed(password: str) -> str:
    """Return the hash of a new password.

    Raises:
        StillwatchError: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise StillwatchError(f"password: {len(password)} characters; must have {SHORTEST} to {LONGEST}.")
    with AT_ONCE:
        return _HASHER.hash(password)


def fits(password: str, kept: str) -> bool:
    """Return whether a password fits a hash; without a hash as much is computed, and none fits."""
    if len(password) > LONGEST:
        return False
    with AT_ONCE:
        try:
            return _HASHER.verify(kept or _nobodys(), password) and bool(kept)
        except (VerificationError, InvalidHashError):
            return False


def outdated(kept: str) -> bool:
    """Return whether a hash was made with other costs than those of now."""
    return _HASHER.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_urlsafe(24))
