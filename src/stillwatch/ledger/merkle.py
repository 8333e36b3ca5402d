"""Merkle tree over the entries of a log: root, proof that an entry is in it, proof that it only grew.

In: entries as bytes, or their hashes. Out: SHA-256 hashes of 32 bytes and lists of them.
Cost: one pass of hashing for a root or a proof; a check takes as many hashes as the proof has.
Left to `logfile`: keeping entries. Left to `checkpoint`: signing roots.
Source: RFC 6962 section 2.1; RFC 9162 section 2.1 for checking without rebuilding the tree.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of a tree without entries."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry.

    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return hashlib.sha256(b"\x00" + entry).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over hashes of entries, in their order.

    >>> root_of([]) == EMPTY_ROOT, root_of([leaf_hash(b"a")]) == leaf_hash(b"a")
    (True, True)
    """
    level = list(leaves)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:  # the last one without a neighbour climbs unchanged, which is where RFC 6962 splits
        paired = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(level) & ~1 :]
    return level[0]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes by which the entry at `index` leads to the root over `leaves`.

    Raises:
        ValueError: there is no such entry.
    """
    if not 0 <= index < len(leaves):
        raise ValueError(f"index = {index}: must lie from 0 to {len(leaves) - 1}.")
    found: list[bytes] = []
    part, at = leaves, index
    while len(part) > 1:
        split = _split(len(part))
        if at < split:
            found.append(root_of(part[split:]))
            part = part[:split]
        else:
            found.append(root_of(part[:split]))
            part, at = part[split:], at - split
    return found[::-1]


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Return the hashes by which the first `size` entries are seen to be the beginning of `leaves`.

    Raises:
        ValueError: `size` is not between 1 and the number of leaves.
    """
    if not 1 <= size <= len(leaves):
        raise ValueError(f"size = {size}: must lie from 1 to {len(leaves)}.")
    found: list[bytes] = []
    part, rest, whole = leaves, size, True
    while rest != len(part):
        split = _split(len(part))
        if rest <= split:
            found.append(root_of(part[split:]))
            part = part[:split]
        else:
            found.append(root_of(part[:split]))
            part, rest, whole = part[split:], rest - split, False
    if not whole:
        found.append(root_of(part))
    return found[::-1]


def holds_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether the proof shows that `leaf` is the entry at `index` of the tree of `size` entries under `root`."""
    if not 0 <= index < size or not _hashes((leaf, root, *proof)):
        return False
    at, last, node = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = _node(step, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = _node(node, step)
        at, last = at >> 1, last >> 1
    return last == 0 and hmac.compare_digest(node, root)


def holds_consistency(sizes: tuple[int, int], roots: tuple[bytes, bytes], proof: Sequence[bytes]) -> bool:
    """Return whether the proof shows that the smaller tree is the beginning of the larger.

    Args:
        sizes: Entries of the smaller and of the larger tree. An empty tree is the beginning of nothing: refused.
        roots: Their roots.
        proof: As `consistency_proof` gives it; empty where both are one tree.
    """
    small, large = sizes
    if not 1 <= small <= large:
        return False
    if small == large:
        return not proof and hmac.compare_digest(*roots)
    if not _hashes((*roots, *proof)):
        return False
    # A power of two is a whole subtree of the larger tree: its root need not be told.
    steps = [roots[0], *proof] if not small & (small - 1) else list(proof)
    return bool(steps) and _climbs(small, large, roots, steps)


def _climbs(small: int, large: int, roots: tuple[bytes, bytes], steps: Sequence[bytes]) -> bool:
    at, last = small - 1, large - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = _node(step, old), _node(step, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = _node(new, step)
        at, last = at >> 1, last >> 1
    return last == 0 and hmac.compare_digest(old, roots[0]) and hmac.compare_digest(new, roots[1])


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """Return the largest power of two below `size`, which is 2 or more."""
    return 1 << ((size - 1).bit_length() - 1)


def _hashes(values: Sequence[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
