"""From tokens to key streams: a keyed hash of the context, then a counter mix for every token.

In: an epoch and tokens. Out: context digests D and seeds, unsigned 64-bit.
    table[j][t] = word t mod 8 of BLAKE2b-512(key = HMAC(secret, "context"), data = j | t div 8)   j = 0: token before
    D           = mix64(table[0][t-1] + table[1][t-2] + ...)                                       one term a width
    seed        = mix64(D ^ key.a) + key.b
    word(n)     = mix64(seed + n * PHI)                                                            the stream
all modulo 2^64. Without the secret D is unknown, so that neither the tier of a context nor its stream can be told.
`mix64` is the finaliser of SplitMix64 and, with the increment PHI, its stream; it is no cipher: whoever learns a whole
64-bit word of one context learns that context's stream, and nothing of another's (docs/adr/0013-marks.md).
Cost: a step one or two BLAKE2b (2 microseconds); a table 0.13 microseconds an entry; a digest 10 ns, vectorised.
Source: RFC 7693; Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"; Stafford's mix 13.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.treatments.marks.ring import Epoch, TierKey

U64 = npt.NDArray[np.uint64]
IntArray = npt.NDArray[np.int64]

PHI: Final = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio, odd."""
MASK: Final = 0xFFFFFFFFFFFFFFFF
PAD: Final = -1
"""Stands for a token before the first one."""
_M1, _M2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_N1, _N2 = np.uint64(_M1), np.uint64(_M2)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_PAD_BLOCK: Final = 0xFFFFFFFF


def mix64(x: U64) -> U64:
    """Return a bijective mix of each 64-bit number, same shape; about 3 ns a number.

    >>> [hex(int(v)) for v in mix64(np.array([0, PHI], np.uint64))]
    ['0x0', '0xe220a8397b1dcdaf']
    """
    out = np.array(x, np.uint64, ndmin=1)
    mix64_into(out, np.empty_like(out))
    return out.reshape(np.shape(x))


def mix64_into(x: U64, spare: U64) -> None:
    """Do what `mix64` does in place; `spare` has the shape of `x` and is overwritten."""
    np.right_shift(x, _S30, out=spare)
    np.bitwise_xor(x, spare, out=x)
    np.multiply(x, _N1, out=x)
    np.right_shift(x, _S27, out=spare)
    np.bitwise_xor(x, spare, out=x)
    np.multiply(x, _N2, out=x)
    np.right_shift(x, _S31, out=spare)
    np.bitwise_xor(x, spare, out=x)


def mix64_int(x: int) -> int:
    """Return `mix64` of one number in [0, 2^64)."""
    x = ((x ^ (x >> 30)) * _M1) & MASK
    x = ((x ^ (x >> 27)) * _M2) & MASK
    return x ^ (x >> 31)


def seed_int(digest: int, key: TierKey) -> int:
    """Return the seed of one context under one key."""
    return (mix64_int(digest ^ key.a) + key.b) & MASK


def seeds(digests: U64, a: U64, b: U64) -> U64:
    """Return the seeds of contexts, under key halves that broadcast against `digests`."""
    out: U64 = mix64(digests ^ a)
    out += b
    return out


@dataclass(frozen=True, slots=True)
class ContextHash:
    """Digests of single contexts, for text in the making: keeps no table."""

    key: bytes = field(repr=False)
    width: int

    @classmethod
    def of(cls, epoch: Epoch) -> "ContextHash":
        """Return the hash of an epoch."""
        return cls(epoch.subkey("context"), epoch.width)

    def digest(self, tokens: Sequence[int]) -> int:
        """Return D of the context that `tokens` end with; fewer than `width` of them are padded in front."""
        total, n = 0, len(tokens)
        for j in range(self.width):
            total += self._entry(j, int(tokens[n - 1 - j]) if j < n else PAD)
        return mix64_int(total & MASK)

    def _entry(self, j: int, token: int) -> int:
        block, word = (_PAD_BLOCK, 0) if token < 0 else divmod(token, 8)
        raw = _block(self.key, j, block)
        return int.from_bytes(raw[8 * word : 8 * word + 8], "little")


@dataclass(frozen=True, slots=True, eq=False)
class ContextTable:
    """Digests of many contexts at once; the same numbers as `ContextHash`, whatever the vocabulary's size."""

    words: U64 = field(repr=False)
    """Shape (width, vocab + 1); the last column stands for `PAD`."""

    @classmethod
    def of(cls, epoch: Epoch, vocab: int) -> "ContextTable":
        """Return the table of an epoch for tokens from 0 to `vocab` - 1; 8 bytes an entry.

        Raises:
            ValueError: `vocab` is below 1.
        """
        return cls.of_key(epoch.subkey("context"), epoch.width, vocab)

    @classmethod
    def of_key(cls, key: bytes, width: int, vocab: int) -> "ContextTable":
        """Return the same from the key of contexts alone, which shows no key that marks.

        Raises:
            ValueError: `vocab` is below 1.
        """
        if vocab < 1:
            raise ValueError(f"vocab = {vocab}: must be at least 1, the number of tokens.")
        blocks = -(-vocab // 8)
        words = np.empty((width, vocab + 1), np.uint64)
        for j in range(width):
            raw = b"".join(_block(key, j, block) for block in range(blocks))
            words[j, :vocab] = np.frombuffer(raw, "<u8")[:vocab]
            words[j, vocab] = int.from_bytes(_block(key, j, _PAD_BLOCK)[:8], "little")
        return cls(words)

    @property
    def width(self) -> int:
        """Tokens in a context."""
        return len(self.words)

    @property
    def vocab(self) -> int:
        """Tokens in the vocabulary."""
        return int(self.words.shape[1]) - 1

    def digests(self, *columns: IntArray) -> U64:
        """Return D of contexts given by column: first the token just before, then the one before that.

        Args:
            columns: `width` arrays of the same shape, entries from -1 (`PAD`) to `vocab` - 1.
        """
        out = np.take(self.words[0], columns[0], mode="wrap")
        for row, column in zip(self.words[1:], columns[1:], strict=True):
            out += np.take(row, column, mode="wrap")
        mix64_into(out, np.empty_like(out))
        return out

    def following(self, tokens: IntArray) -> U64:
        """Return D of the context before each place of one text, shape (n,); padded at the start."""
        padded = np.concatenate((np.full(self.width, PAD, np.int64), np.asarray(tokens, np.int64)))
        n = len(padded) - self.width
        return self.digests(*(padded[self.width - 1 - j : self.width - 1 - j + n] for j in range(self.width)))


def _block(key: bytes, j: int, block: int) -> bytes:
    """Return eight table entries as 64 bytes."""
    return hashlib.blake2b(bytes((j,)) + block.to_bytes(4, "little"), key=key).digest()
