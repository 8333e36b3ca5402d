"""The keyed draws of the Gumbel mark: Philox4x32-10 laid out as in vLLM's watermark, bit for bit.

In: a 64-bit key, the tokens before a position, token ids. Out: 32-bit words and uniforms in (0, 1).
Cost: 0.1 microseconds a (context, token) pair; 0.35 ms for all of 49,152 tokens after one context, since four
neighbouring tokens share one block.
Left to `gumbel`: which key a context carries. Philox is fast and even, but no cryptographic function: whoever
sees enough draws may learn to imitate a key, so keys are derived apart for each account and epoch.
Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; vLLM 0.33 `vllm/v1/watermarking`
(Apache-2.0), whose layout of counters and domains is kept; tests/golden/vllm_gumbel.json holds its own answers.
"""

import hashlib
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
_MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS: Final = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
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
    n, width = contexts.shape
    if not 1 <= width <= WIDEST:
        raise ValueError(f"contexts: have width {width}; must be 1 to {WIDEST}.")
    tokens = contexts.astype(np.uint64) & MASK
    low, high = _halves(key)
    words = [tokens[:, i] if i < width else np.full(n, MASK - np.uint64(i)) for i in range(WIDEST)]
    words[0] = words[0] ^ _CONTEXTS
    words[1] = words[1] ^ np.uint64(width)
    return _rounds((words[0], words[1], words[2], words[3]), low, high)


def pair_words(key: NDArray[np.uint64], contexts: NDArray[np.int64], tokens: NDArray[np.int64]) -> Words:
    """Return the word of each (context, token) pair.

    Args:
        key: 64-bit keys, shape (n,) or (1,).
        contexts: Shape (n, width).
        tokens: Token that followed each context, shape (n,).

    Returns:
        Words below 2^32, shape (n,).
    """
    out = np.empty(tokens.shape, dtype=np.uint64)
    for start in range(0, tokens.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        own = key[part] if key.size > 1 else key
        ids = tokens[part].astype(np.uint64) & MASK
        four = _token_block(own, context_block(own, contexts[part]), ids >> np.uint64(2))
        out[part] = np.choose((ids & np.uint64(3)).astype(np.intp), four)
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
    keys = np.array([key], dtype=np.uint64)
    block = context_block(keys, context.reshape(1, -1))
    return np.stack(_token_block(keys, block, np.arange((vocab + 3) // 4, dtype=np.uint64)))


def uniforms(words: Words) -> NDArray[np.float32]:
    """Return words as uniforms strictly between 0 and 1: the upper 24 bits, as vLLM rounds them.

    >>> uniforms(np.array([0, 2**32 - 1], dtype=np.uint64)).tolist() == [2**-24 - 2**-48, 1 - 2**-24]
    True
    """
    return (((words >> np.uint64(8)).astype(np.float64) + 1.0) / (2**24 + 1)).astype(np.float32)


def _token_block(key: NDArray[np.uint64], block: Block, counters: Words) -> Block:
    low, high = _halves(key)
    first = (counters, *(np.broadcast_to(word, counters.shape) for word in block[:3]))
    return _rounds(first, low ^ block[3], high ^ _TOKENS)


def _halves(key: NDArray[np.uint64]) -> tuple[Words, Words]:
    return key & MASK, key >> _SHIFT


def _rounds(counter: tuple[Words, ...], low: Words, high: Words) -> Block:
    shape = np.broadcast_shapes(*(word.shape for word in counter), low.shape)
    a, b, c, d = (np.array(np.broadcast_to(word, shape)) for word in counter)
    first, second = np.empty_like(a), np.empty_like(a)
    for step in range(_ROUNDS):
        np.multiply(a, _MULTIPLIERS[0], out=first)
        np.multiply(c, _MULTIPLIERS[1], out=second)
        np.right_shift(second, _SHIFT, out=a)
        a ^= b
        a ^= low
        np.right_shift(first, _SHIFT, out=c)
        c ^= d
        c ^= high
        np.bitwise_and(second, MASK, out=b)
        np.bitwise_and(first, MASK, out=d)
        if step < _ROUNDS - 1:
            low = (low + _KEY_STEPS[0]) & MASK
            high = (high + _KEY_STEPS[1]) & MASK
    return a, b, c, d
