"""Bottom-k shingle anchors: a mergeable sample of what a text says.

In: `Tokens`. Out: the 16 least distinct keyed hashes of its 5-token shingles, ascending, 0-padded;
and keyed hashes of its first six tokens, its last six, and all of them.
Two texts that share shingles share anchors; the union's anchors come from the two parts' anchors
alone, so they merge in any order. An anchor is a multilinear form in token hashes that are
themselves pseudo-random under the key, mixed to order them evenly.
Cost: about 4 microseconds a text of 85 tokens. Left to `similar`: what equal anchors mean.
Source: Broder 1997; Thorup 2013, "Bottom-k and priority sampling".
"""

from typing import Final

import numpy as np

from stillwatch.sketch.siphash import I64, U64, hash_words
from stillwatch.sketch.text import Tokens
from stillwatch.sketch.textkeys import EDGE, SHINGLE, TextKeys
from stillwatch.terms.event import N_ANCHORS

NONE: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
"""Stands for "no anchor" while sorting; on the outside it is 0."""
EDGE_NEEDS: Final = 8
"""Tokens a text must have for `head` and `tail`."""
_EXPECTED: Final = 40
_WIDEST: Final = 96


def mix(values: U64) -> U64:
    """Scatter 64-bit values evenly and reversibly, in place; returns `values`.

    Source: the finaliser of MurmurHash3 (Appleby, public domain); it adds no secrecy.
    """
    spare = values >> np.uint64(33)
    values ^= spare
    values *= np.uint64(0xFF51AFD7ED558CCD)
    np.right_shift(values, np.uint64(33), out=spare)
    values ^= spare
    values *= np.uint64(0xC4CEB9FE1A85EC53)
    np.right_shift(values, np.uint64(33), out=spare)
    values ^= spare
    return values


def run_forms(hashes: U64, first: I64, multipliers: U64) -> U64:
    """Return the multilinear form of the run of tokens that starts at each `first`, shape (n,)."""
    total: U64 = hashes[first] * multipliers[0]
    for step in range(1, len(multipliers)):
        total += hashes[first + step] * multipliers[step]
    return total


def shingles(tokens: Tokens, keys: TextKeys) -> tuple[U64, I64]:
    """Return the keyed hash of every shingle of every text, and each text's first one.

    A text of 1 to 4 tokens has one shingle of all of them; an empty one has none.

    Returns:
        Hashes never 0, shape (n_shingles,); offsets, shape (n_texts + 1,).
    """
    counts = tokens.counts
    n = np.where(counts >= SHINGLE, counts - (SHINGLE - 1), np.minimum(counts, 1))
    offsets = np.concatenate(([0], np.cumsum(n)))
    padded = np.concatenate((tokens.hashes, np.zeros(SHINGLE, np.uint64)))
    total = np.multiply(padded[: len(tokens.hashes)], keys.shingle[0])
    for step in range(1, SHINGLE):
        total += padded[step : step + len(tokens.hashes)] * keys.shingle[step]
    whole = tokens.place < np.repeat(n, counts)
    forms = total[whole]
    short = np.flatnonzero((counts > 0) & (counts < SHINGLE))
    if len(short):  # their run would reach into the next text
        first, present = tokens.offsets[short], counts[short]
        own = np.zeros(len(short), np.uint64)
        for step in range(SHINGLE - 1):
            own += np.where(present > step, padded[first + step] * keys.shingle[step], np.uint64(0))
        forms[offsets[short]] = own
    mix(forms)
    forms[forms == 0] = 1
    return forms, offsets


def bottom_k(hashes: U64, offsets: I64) -> U64:
    """Return the 16 least distinct hashes of each text, ascending, 0-padded; shape (n_texts, 16).

    Args:
        hashes: None of them 0, shape (n_hashes,).
        offsets: First hash of each text and the number of hashes; shape (n_texts + 1,).
    """
    counts = np.diff(offsets)
    texts = len(counts)
    # Only hashes below a bound can be among the 16 least; about 40 a text are, so that sorting stays short.
    few = counts <= _EXPECTED
    bound = np.where(few, NONE, (2.0**64 * (_EXPECTED / np.maximum(counts, _EXPECTED + 1))).astype(np.uint64))
    kept = np.flatnonzero(hashes <= np.repeat(bound, counts))
    kept_offsets = np.searchsorted(kept, offsets)
    kept_counts = np.diff(kept_offsets)
    width = int(min(max(int(kept_counts.max(initial=0)), N_ANCHORS), _WIDEST))
    place = np.arange(len(kept)) - np.repeat(kept_offsets[:-1], kept_counts)
    row = np.repeat(np.arange(texts), kept_counts)
    fits = place < width
    table = np.full((texts, width), NONE)
    table[row[fits], place[fits]] = hashes[kept[fits]]
    out = distinct_least(table)
    enough = (out[:, -1] != 0) | few
    for text in np.flatnonzero(~enough | (kept_counts > width)):
        least = np.unique(hashes[offsets[text] : offsets[text + 1]])[:N_ANCHORS]
        out[text] = 0
        out[text, : len(least)] = least
    return out


def distinct_least(table: U64) -> U64:
    """Return each row's 16 least distinct values, ascending, 0-padded; `NONE` in `table` means nothing."""
    table = np.sort(table, axis=1)
    again = table[:, 1:] == table[:, :-1]
    again &= table[:, 1:] != NONE
    rows = np.flatnonzero(again.any(axis=1))
    if len(rows):
        part = table[rows]
        part[:, 1:][again[rows]] = NONE
        table[rows] = np.sort(part, axis=1)
    least = table[:, :N_ANCHORS].copy()
    least[least == NONE] = 0
    return least


def merge_anchors(a: U64, b: U64) -> U64:
    """Return the anchors of the union of two texts' shingles, from their anchors alone.

    Args:
        a: Anchors, ascending and 0-padded, shape (..., 16).
        b: Likewise, of a shape that broadcasts with `a`.

    Returns:
        Anchors, shape (..., 16). The operation commutes, associates and is idempotent; zeros are neutral.

    >>> a = np.array([3, 5] + [0] * 14, np.uint64); b = np.array([4, 5] + [0] * 14, np.uint64)
    >>> merge_anchors(a, b)[:4].tolist()
    [3, 4, 5, 0]
    """
    a, b = np.broadcast_arrays(a, b)
    table = np.concatenate((a, b), axis=-1).reshape(-1, 2 * N_ANCHORS)
    table[table == 0] = NONE
    return distinct_least(table).reshape(a.shape)


def halves(a: U64, b: U64) -> U64:
    """Return anchors of which each of two texts gives half: the least 8 of each, then the least of the rest.

    Args:
        a: Anchors of one text, ascending and 0-padded, shape (n, 16).
        b: Those of the other, likewise.

    Returns:
        Anchors, ascending, distinct and 0-padded, shape (n, 16).
    """
    half = N_ANCHORS // 2
    sides = np.concatenate((a[:, :half], b[:, :half]), axis=1)
    rest = np.concatenate((a[:, half:], b[:, half:]), axis=1)
    out = np.zeros(a.shape, np.uint64)
    for row in range(len(a)):
        chosen = np.unique(sides[row][sides[row] != 0])
        more = np.setdiff1d(rest[row][rest[row] != 0], chosen)[: N_ANCHORS - len(chosen)]
        both = np.sort(np.concatenate((chosen, more)))
        out[row, : len(both)] = both
    return out


def edges(tokens: Tokens, keys: TextKeys) -> tuple[U64, U64]:
    """Return the keyed hashes of each text's first and last six tokens; 0 below eight tokens.

    Returns:
        `head` and `tail`, each of shape (n_texts,). Equal runs of tokens give equal hashes in both.
    """
    texts = len(tokens.counts)
    head, tail = np.zeros(texts, np.uint64), np.zeros(texts, np.uint64)
    long = np.flatnonzero(tokens.counts >= EDGE_NEEDS)
    first = np.concatenate((tokens.offsets[:-1][long], tokens.offsets[1:][long] - EDGE))
    hashes = hash_words(keys.final, run_forms(tokens.hashes, first, keys.edge), np.full(len(first), EDGE, np.uint64))
    hashes[hashes == 0] = 1
    head[long], tail[long] = hashes[: len(long)], hashes[len(long) :]
    return head, tail


def content(tokens: Tokens, keys: TextKeys) -> U64:
    """Return the keyed hash of each text's whole sequence of tokens; 0 for none. Shape (n_texts,)."""
    terms = tokens.hashes * keys.place[tokens.place]
    running = np.concatenate((np.zeros(1, np.uint64), np.cumsum(terms)))  # wraps, and the differences are exact
    total = running[tokens.offsets[1:]] - running[tokens.offsets[:-1]]
    hashes = hash_words(keys.final, total, tokens.words.astype(np.uint64), np.zeros(len(total), np.uint64))
    hashes[hashes == 0] = 1
    hashes[tokens.counts == 0] = 0
    return hashes
