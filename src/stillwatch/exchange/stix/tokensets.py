"""A set of tokens as one file: sorted, without repeats, 16 bytes each, named by its SHA-256.

In: tokens. Out: bytes and their digest, and back. Cost: 16 bytes a token, against some 900 for an indicator of its own:
24,000 accounts with four tokens each are 1.5 MB instead of 88, and nothing in them has to be parsed.
Sorting takes away the order in which accounts were flagged.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

from stillwatch.terms.coalition import TOKEN_BYTES
from stillwatch.terms.errors import StillwatchError


def pack(tokens: Iterable[bytes]) -> bytes:
    """Return the tokens as one file.

    Raises:
        StillwatchError: one has another length than 16 bytes, or there is none.

    >>> pack([b"b" * 16, b"a" * 16, b"b" * 16])
    b'aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb'
    """
    unique = sorted(set(tokens))
    if not unique or any(len(token) != TOKEN_BYTES for token in unique):
        raise StillwatchError(f"token set: must hold tokens of {TOKEN_BYTES} bytes, at least one.")
    return b"".join(unique)


def token_pattern(kind: str, epoch: str, digest: str) -> str:
    """Return the one pattern that an indicator of a token set may have.

    >>> token_pattern("device", "684-ab", "0f")
    "[oprf-token:kind = 'device' AND oprf-token:epoch = '684-ab' AND oprf-token:set = '0f']"
    """
    return f"[oprf-token:kind = '{kind}' AND oprf-token:epoch = '{epoch}' AND oprf-token:set = '{digest}']"


def digest_of(packed: bytes) -> str:
    """Return the name of a set: SHA-256 of its bytes, 64 hex digits."""
    return hashlib.sha256(packed).hexdigest()


def is_packed(packed: bytes) -> bool:
    """Return whether bytes are a set as `pack` writes it: whole tokens, strictly ascending.

    >>> is_packed(b"a" * 16 + b"b" * 16), is_packed(b"b" * 16 + b"a" * 16), is_packed(b"a" * 17)
    (True, False, False)
    """
    if not packed or len(packed) % TOKEN_BYTES:
        return False
    rows = np.frombuffer(packed, dtype=">u8").reshape(-1, 2)
    high, low = rows[:, 0], rows[:, 1]
    return bool(((high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] > low[:-1]))).all())


def unpack(packed: bytes, digest: str) -> frozenset[bytes]:
    """Return the tokens of a set.

    Raises:
        StillwatchError: its digest is another, or it is no set.
    """
    if digest_of(packed) != digest or not is_packed(packed):
        raise StillwatchError(f"token set {digest[:12]}: is not what its indicator names; pull it again.")
    return frozenset(packed[i : i + TOKEN_BYTES] for i in range(0, len(packed), TOKEN_BYTES))
