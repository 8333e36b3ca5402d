"""The keyed draws of the Gumbel mark: Philox4x32-10 laid out as in vLLM's watermark, bit for bit.

In: a 64-bit key, the tokens before a position, token ids. Out: 32-bit words and uniforms in (0, 1).
Cost: 0.1 microseconds a (context, token) pair; 0.25 ms for all of 49,152 tokens after one context, since four
neighbouring tokens share one block; a single pair in plain numbers 10 microseconds.
Left to `gumbel`: which key a context carries. Philox is fast and even, but no cryptographic function: whoever
sees enough draws may learn to imitate a key, so keys are derived apart for each account and epoch.
Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; vLLM 0.33 `vllm/v1/watermarking`
(Apache-2.0), whose layout of counters and domains is kept; tests/golden/vllm_gumbel.json holds its own answers.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
"""32-bit words, one in each 64-bit place."""
Block = tuple[Words, Words, Words, Words]

PAD: Final = -1
"""Stands for tokens before the start of an answer; the prompt is no part of a context."""
WIDEST: Final = 4
"""Tokens in the widest context."""
MASK: Final = np.uint64(0xFFFFFFFF)
_SHIFT: Final = np.uint64(32)
_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_K0, _K1 = 0x9E3779B9, 0xBB67AE85
_LOW: Final = 0xFFFFFFFF
_CONTEXTS: Final = np.uint64(0x574D4358)
_TOKENS: Final = np.uint64(0x574D544B)
_ROUNDS: Final = 10
_AT_ONCE: Final = 8192
"""Pairs worked on together, so that they stay in the processor's cache."""


def derive_key(key: int, domain: bytes) -> int:
    """Return one of the two keys of vLLM's dual-key mark; `domain` is `b"key_a"` or `b"key_b"`.

    >>> derive_key(1, b"key_a") == derive_key(1, b"key_b")
    False
    """
    return int.from_bytes(hashlib.sha256(domain + key.to_bytes(8, "big")).digest()[:8], "big")


def context_block(key: NDArray[np.uint64], contexts: NDArray[np.int64]) -> Block:
    """Return what a context makes of its key, to be used for every token that may follow.

    Args:
        key: 64-bit keys, shape (n,) or (1,).
        contexts: Tokens before each position, oldest first, `PAD` before the start; shape (n, width), width 1 to 4.

    Raises:
        ValueError: the width is out of range.
    """
    a, b, c, d = _rounds(_contexts(contexts), key & MASK, key >> _SHIFT, Scratch())
    return a.copy(), b.copy(), c.copy(), d.copy()


def pair_words(key: NDArray[np.uint64], contexts: NDArray[np.int64], tokens: NDArray[np.int64]) -> Words:
    """Return the word of each (context, token) pair.

    Args:
        key: 64-bit keys, shape (n,) or (1,).
        contexts: Shape (n, width).
        tokens: Token that followed each context, shape (n,).

    Returns:
        Words below 2^32, shape (n,).
    """
    out, scratch = np.empty(tokens.shape, dtype=np.uint64), Scratch()
    for start in range(0, tokens.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        own = key[part] if key.size > 1 else key
        ids = tokens[part].astype(np.uint64)
        ids &= MASK
        low, high = own & MASK, own >> _SHIFT
        *counter, last = _rounds(_contexts(contexts[part]), low, high, scratch)
        four = _rounds((ids >> np.uint64(2), *counter), low ^ last, high ^ _TOKENS, scratch)
        ids &= np.uint64(3)
        out[part] = four[ids.view(np.int64), np.arange(ids.size)]
    return out


def candidate_words(key: int, context: NDArray[np.int64], tokens: NDArray[np.int64]) -> Words:
    """Return the word of each of some tokens after one context; shape (n,)."""
    return pair_words(np.array([key], dtype=np.uint64), np.broadcast_to(context, (tokens.size, context.size)), tokens)


def vocabulary_words(key: int, context: NDArray[np.int64], vocab: int) -> Words:
    """Return the words of every token after one context; row r, column c is token 4 c + r; shape (4, ceil(vocab / 4)).

    >>> words = vocabulary_words(7, np.array([1, 2]), 8)
    >>> bool(words.T.ravel()[6] == candidate_words(7, np.array([1, 2]), np.array([6]))[0])
    True
    """
    return Drawn(key, context.tolist()).words(np.arange((vocab + 3) // 4, dtype=np.uint64)).copy()


class Scratch:
    """Working memory of one thread: at a whole vocabulary fresh pages would cost more than the work in them."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._held: Words = np.empty(0, np.uint64)

    def rows(self, count: int, n: int) -> Words:
        """Return memory of shape (count, n), valid until it is asked for again."""
        if self._held.size < count * n:
            self._held = np.empty(count * n, np.uint64)
        return self._held[: count * n].reshape(count, n)


class Drawn:
    """The words of one context: its own block is made once, in plain numbers. Never shown."""

    def __init__(self, key: int, context: Sequence[int], scratch: Scratch | None = None) -> None:
        """Take a 64-bit key, the 1 to 4 tokens before, oldest first, `PAD` before the start, and memory to work in."""
        self._scratch = scratch if scratch is not None else Scratch()
        width = len(context)
        words = [int(context[i]) & _LOW if i < width else _LOW - i for i in range(WIDEST)]
        own = (words[0] ^ int(_CONTEXTS), words[1] ^ width, words[2], words[3])
        self._block = _single(own, key & _LOW, key >> 32)
        self._low, self._high = (key & _LOW) ^ self._block[3], (key >> 32) ^ int(_TOKENS)

    def word(self, token: int) -> int:
        """Return the word of one token."""
        return _single((token >> 2, *self._block[:3]), self._low, self._high)[token & 3]

    def words(self, columns: Words) -> Words:
        """Return the words of tokens 4 c + r for each column c, row r; shape (4, columns), valid until the next call.

        The first two rounds know three of four numbers beforehand, so that only half of their work is left.
        """
        b, c, d = self._block[:3]
        held = self._scratch.rows(10, columns.size)
        state, carried = held[4:6], held[6:8]
        first, second = carried[1], carried[0]
        np.multiply(columns, np.uint64(_M0), out=first)
        np.right_shift(first, _SHIFT, out=state[1])
        state[1] ^= np.uint64(d ^ self._high)
        known = _M1 * c
        a, b = known >> 32 ^ b ^ self._low, known & _LOW
        known = _M0 * a
        np.multiply(state[1], np.uint64(_M1), out=second)
        np.right_shift(second, _SHIFT, out=state[0])
        state[0] ^= np.uint64(b ^ self._low + _K0 & _LOW)
        np.bitwise_xor(first, np.uint64(known >> 32 ^ self._high + _K1 & _LOW), out=state[1])
        state[1] &= MASK
        first[:] = np.uint64(known & _LOW)
        key = np.array([[self._low + 2 * _K0], [self._high + 2 * _K1]], np.uint64)
        carried = _rest(state, carried, held[8:], key, _ROUNDS - 2)
        held[:4:2] = state
        np.bitwise_and(carried, MASK, out=held[1:4:2])
        return held[:4]


def uniforms(words: Words) -> NDArray[np.float32]:
    """Return words as uniforms strictly between 0 and 1: the upper 24 bits, as vLLM rounds them.

    >>> uniforms(np.array([0, 2**32 - 1], dtype=np.uint64)).tolist() == [2**-24 - 2**-48, 1 - 2**-24]
    True
    """
    return (((words >> np.uint64(8)).astype(np.float64) + 1.0) / (2**24 + 1)).astype(np.float32)


def _contexts(contexts: NDArray[np.int64]) -> tuple[Words, ...]:
    n, width = contexts.shape
    if not 1 <= width <= WIDEST:
        raise ValueError(f"contexts: have width {width}; must be 1 to {WIDEST}.")
    tokens = contexts.astype(np.uint64) & MASK
    words = [tokens[:, i] if i < width else np.full(1, MASK - np.uint64(i)) for i in range(WIDEST)]
    words[0] = words[0] ^ _CONTEXTS
    words[1] = words[1] ^ np.uint64(width)
    return tuple(words)


def _rounds(counter: tuple[Words, ...], low: Words, high: Words, scratch: Scratch) -> Words:
    """Return all rounds of blocks, shape (4, n), valid until the next but one call with the same memory."""
    n = max(*(word.size for word in counter), low.size)
    held = scratch.rows(10, n)
    state, carried = held[4:6], held[6:8]
    state[0], carried[0], state[1], carried[1] = counter
    carried = _rest(state, carried, held[8:], np.stack(np.broadcast_arrays(low, high)), _ROUNDS)
    held[:4:2] = state
    np.bitwise_and(carried, MASK, out=held[1:4:2])
    return held[:4]


def _rest(state: Words, carried: Words, spare: Words, key: Words, rounds: int) -> Words:
    """Do so many rounds; `state` is changed in place, and what is carried is returned.

    Args:
        state: First and third word of each block, shape (2, n).
        carried: Second and fourth; upper halves may hold anything, and do in what is returned.
        spare: Overwritten; shape (2, n).
        key: Its two halves, shape (2, n) or (2, 1); upper halves may hold anything. Overwritten.
        rounds: How many.
    """
    factors, steps = np.array([[_M0], [_M1]], np.uint64), np.array([[_K0], [_K1]], np.uint64)
    for left in range(rounds, 0, -1):
        np.multiply(state, factors, out=spare)
        np.right_shift(spare[::-1], _SHIFT, out=state)
        state ^= carried
        state ^= key
        state &= MASK
        if left > 1:
            key += steps
        carried, spare = spare[::-1], carried
    return carried


def _single(counter: tuple[int, ...], low: int, high: int) -> tuple[int, int, int, int]:
    """Return what `_rounds` does for one block in plain numbers."""
    a, b, c, d = counter
    for _ in range(_ROUNDS):
        first, second = a * _M0, c * _M1
        a, b, c, d = second >> 32 ^ b ^ low, second & _LOW, first >> 32 ^ d ^ high, first & _LOW
        low, high = low + _K0 & _LOW, high + _K1 & _LOW
    return a, b, c, d
