"""Torch's CPU generator again, in NumPy: which tokens lead a seeded permutation, and seeded coin tosses.

In: seeds. Out: the very draws of `torch.Generator().manual_seed(seed)` with `torch.randperm` and `torch.randint(0, 2)`.
Cost: 0.4 ms for the first quarter of a permutation of 49,152; half a second for a whole one of a million.
Left to `kgw` and `synthid`: what the draws mean. The generator is the Mersenne Twister of 32 bits; a permutation is
Fisher and Yates's, forwards, and uses the remainder of each draw.
Source: Matsumoto and Nishimura 1998; tests/golden/transformers_*.json hold torch's own answers.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Draws = NDArray[np.uint32]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

_N, _M = 624, 397
_MATRIX: Final = np.uint32(0x9908B0DF)
_HIGH, _LOW = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
_INIT: Final = np.uint32(1812433253)
SEEDS_AT_ONCE: Final = 64
"""Seeds worked on together, so that memory stays at a few megabytes."""


def draws(seeds: NDArray[np.uint64], count: int) -> Draws:
    """Return the first draws after each seed, shape (seeds, count); torch uses a seed's lower 32 bits."""
    state = np.empty((_N, len(seeds)), np.uint32)
    state[0] = seeds & np.uint64(0xFFFFFFFF)
    for i in range(1, _N):
        state[i] = _INIT * (state[i - 1] ^ (state[i - 1] >> np.uint32(30))) + np.uint32(i)
    out = np.empty((count, len(seeds)), np.uint32)
    for start in range(0, count, _N):
        _twist(state)
        out[start : start + _N] = _tempered(state[: count - start])
    return np.ascontiguousarray(out.T)


def _twist(state: Draws) -> None:
    # Each stretch reads only what is final: entries 397 ahead, then those made by the stretch before.
    for start, stop in ((0, _N - _M), (_N - _M, 2 * (_N - _M)), (2 * (_N - _M), _N - 1)):
        ahead = slice((start + _M) % _N, (start + _M) % _N + stop - start)
        state[start:stop] = state[ahead] ^ _mixed(state[start:stop], state[start + 1 : stop + 1])
    state[-1:] = state[_M - 1 : _M] ^ _mixed(state[-1:], state[:1])


def _mixed(upper: Draws, lower: Draws) -> Draws:
    both = (upper & _HIGH) | (lower & _LOW)
    return (both >> np.uint32(1)) ^ (-(both & np.uint32(1)) & _MATRIX)


def _tempered(state: Draws) -> Draws:
    y = state ^ (state >> np.uint32(11))
    y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
    y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
    y ^= y >> np.uint32(18)
    return y


def swaps(seeds: NDArray[np.uint64], size: int, steps: int) -> IntArray:
    """Return the place that each step of a permutation of `size` swaps with, shape (seeds, steps)."""
    step = np.arange(steps, dtype=np.uint32)
    return (draws(seeds, steps) % (np.uint32(size) - step) + step).astype(np.int64)


def leads(seeds: NDArray[np.uint64], tokens: IntArray, size: int, head: int) -> BoolArray:
    """Return whether each token is among the first `head` of its seed's permutation of `size`, shape (n,).

    Args:
        seeds: One a token, repeats welcome; shape (n,).
        tokens: From 0 to `size` - 1, shape (n,).
        size: Length of the permutation, below 2^32 / 20.
        head: How many lead.
    """
    out = np.empty(len(tokens), np.bool_)
    for rows, own in _shared(seeds):
        which, inverse = np.unique(own, return_inverse=True)
        out[rows] = _traced(swaps(which, size, min(head, size - 1)), inverse, tokens[rows], head)
    return out


def _shared(seeds: NDArray[np.uint64]) -> Iterator[tuple[IntArray, NDArray[np.uint64]]]:
    """Yield rows so that each lot has few different seeds."""
    order = np.argsort(seeds, kind="stable")
    new = np.concatenate([[True], seeds[order][1:] != seeds[order][:-1]]) if len(seeds) else np.zeros(0, np.bool_)
    lot = (np.cumsum(new) - 1) // SEEDS_AT_ONCE
    for i in range(int(lot[-1]) + 1 if len(lot) else 0):
        rows = order[lot == i]
        yield rows, seeds[rows]


def _traced(swap: IntArray, row: NDArray[np.intp], tokens: IntArray, head: int) -> BoolArray:
    """Follow each token through its permutation's swaps instead of making the permutation."""
    out = np.zeros(len(tokens), np.bool_)
    place, start = tokens.copy(), np.zeros(len(tokens), np.int64)
    active = np.arange(len(tokens))
    columns = np.arange(swap.shape[1])
    while active.size:
        own = swap[row[active]]
        hit = (own == place[active, None]) & (columns >= start[active, None])
        found, first = hit.any(axis=1), hit.argmax(axis=1)
        # Swapped into the head by an earlier step, or left where it is by its own.
        out[active[found & (first <= place[active])]] = True
        moved = ~found & (place[active] < head) & (place[active] < swap.shape[1])
        active = active[moved]
        start[active] = place[active] + 1
        place[active] = swap[row[active], place[active]]
    return np.asarray(out | ((place < head) & (place >= swap.shape[1])))


def heads(seeds: NDArray[np.uint64], size: int, head: int) -> BoolArray:
    """Return which tokens lead each permutation, shape (seeds, size); for few seeds: 5 ms each at 49,152."""
    out = np.zeros((len(seeds), size), np.bool_)
    rows = np.arange(len(seeds))
    order = np.tile(np.arange(size, dtype=np.int32), (len(seeds), 1))
    swap = swaps(seeds, size, min(head, size - 1))
    for step in range(swap.shape[1]):
        other = swap[:, step]
        taken = order[rows, other]
        order[rows, other] = order[:, step]
        order[:, step] = taken
    out[rows[:, None], order[:, :head]] = True
    return out


def permutation(seed: int, size: int) -> IntArray:
    """Return `torch.randperm(size)` after one seed, shape (size,)."""
    order = list(range(size))
    other = swaps(np.array([seed], np.uint64), size, size - 1)[0].tolist()
    for step, place in enumerate(other):
        order[step], order[place] = order[place], order[step]
    return np.array(order, np.int64)


def coins(seed: int, count: int) -> NDArray[np.uint8]:
    """Return `torch.randint(0, 2, (count,))` after one seed, shape (count,)."""
    return np.asarray(draws(np.array([seed], np.uint64), count)[0] & np.uint32(1), dtype=np.uint8)
