"""Link holders into blocks over keys that they repeat.

In: which holder carried which shared key on one fold of time. Out: blocks, each a set of keys with
the holders that carried them. Two keys belong together when the holders of one are much likelier to
hold the other than everyone else is (odds ratio), so that rotating wrappers join and popular
phrases, which everyone may use, do not.
Cost: one sparse product over distinct carrier sets. Left to `explain`: whether a block means harm.
Source: inverse popularity after FRAUDAR (Hooi et al., KDD 2016); the odds ratio keeps large
campaigns linkable, where inverse popularity alone would call them popular.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from stillwatch.detect.slices import Places

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MIN_LOG_ODDS: Final = float(np.log(12.0))
"""Least smoothed log odds ratio between two keys' holders that links them."""
MIN_OVERLAP: Final = 4
"""Fewest holders two keys must share to be linked."""
PASSES: Final = 20
"""Passes of label spreading at most; it settles in a handful."""
MIN_JACCARD: Final = 0.05
"""Least Jaccard likeness of two keys' holders: a rare phrase must not bridge two large blocks."""
REJOIN_JACCARD: Final = 0.07
"""Least Jaccard likeness of the holders of two communities of keys that makes them one block."""


@dataclass(frozen=True, slots=True)
class Links:
    """Who carried which shared key; parallel arrays, one entry a (key, holder) pair."""

    key: IntArray
    """Index of the key, 0-based."""
    holder: IntArray
    """Index of the holder, 0-based."""
    contents: IntArray
    """Different requests (by content) of that holder with that key."""
    n_keys: int
    n_holders: int
    places: Places = field(init=False, repr=False)
    """Where the entries of each key stand."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", Places.of(self.key, self.n_keys))


def link_keys(links: Links) -> list[IntArray]:
    """Return groups of keys that the same holders carry; each an array of key indices.

    Every key is in exactly one group; a group may be a single key.
    """
    if links.n_keys == 0:
        return []
    carried = sparse.csr_matrix(
        (np.ones(len(links.key), np.float32), (links.key, links.holder)), shape=(links.n_keys, links.n_holders)
    )
    carried.data[:] = 1.0
    unique, inverse = _distinct_rows(carried)
    parts = _communities(_tied_keys(unique, links.n_holders, MIN_JACCARD), np.bincount(inverse))
    labels = _rejoined(unique, parts, links.n_holders)[inverse]
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    return [np.asarray(part, np.int64) for part in np.split(order, cuts)]


def _distinct_rows(carried: sparse.csr_matrix) -> tuple[sparse.csr_matrix, IntArray]:
    """Merge keys with the very same holders: the shingles of one wrapper mostly are."""
    rng = np.random.default_rng(0)
    tags = rng.integers(1, 2**62, carried.shape[1], dtype=np.int64)
    rows = np.repeat(np.arange(carried.shape[0]), np.diff(carried.indptr))
    signature = np.zeros(carried.shape[0], np.int64)
    np.bitwise_xor.at(signature, rows, tags[carried.indices])
    _, first, inverse = np.unique(signature, return_index=True, return_inverse=True)
    return carried[first], inverse


def _tied_keys(rows: sparse.csr_matrix, n_holders: int, likeness: float) -> sparse.csr_matrix:
    """Return the graph of rows (keys, or groups of them) with tied holders, weighted by the holders shared."""
    size = np.asarray(rows.sum(axis=1)).ravel()
    shared = (rows @ rows.T).tocoo()
    pair = shared.row < shared.col
    left, right, both = shared.row[pair], shared.col[pair], shared.data[pair].astype(float)
    only_left, only_right = size[left] - both, size[right] - both
    neither = n_holders - size[left] - only_right
    odds = np.log((both + 0.5) * (neither + 0.5)) - np.log((only_left + 0.5) * (only_right + 0.5))
    alike = both / (size[left] + size[right] - both)
    joined = (both >= MIN_OVERLAP) & (odds >= MIN_LOG_ODDS) & (alike >= likeness)
    graph = sparse.csr_matrix((both[joined], (left[joined], right[joined])), shape=shared.shape)
    return graph + graph.T


def _communities(graph: sparse.csr_matrix, copies: IntArray) -> IntArray:
    """Label keys so that a few stray phrases do not fuse two blocks that are otherwise apart.

    Each key takes the label that most of its ties carry, over and over, until nothing changes; what
    ends up with one label but falls apart without the others is told apart again.

    Args:
        graph: Symmetric, weights above 0, shape (n_keys, n_keys).
        copies: Keys that each node stands for, shape (n_keys,).
    """
    n = graph.shape[0]
    weighted = graph @ sparse.diags(copies.astype(float)) + sparse.diags(copies.astype(float))
    labels = np.arange(n)
    for _ in range(PASSES):
        votes = (weighted @ sparse.csr_matrix((np.ones(n), (np.arange(n), labels)), shape=(n, n))).tocsr()
        chosen = np.asarray(votes.argmax(axis=1)).ravel()
        if (chosen == labels).all():
            break
        labels = chosen
    same = graph.tocoo()
    inside = labels[same.row] == labels[same.col]
    kept = sparse.coo_matrix((np.ones(int(inside.sum())), (same.row[inside], same.col[inside])), shape=graph.shape)
    _, parts = connected_components(kept, directed=False)
    return np.asarray(parts, np.int64)


def _rejoined(rows: sparse.csr_matrix, parts: IntArray, n_holders: int) -> IntArray:
    """Join communities whose holders overlap as those of one rotation of wrappers do."""
    n = int(parts.max(initial=-1)) + 1
    member = sparse.csr_matrix((np.ones(len(parts), np.float32), (parts, np.arange(len(parts)))), shape=(n, len(parts)))
    holders = (member @ rows).tocsr()
    holders.data[:] = 1.0
    _, whole = connected_components(_tied_keys(holders, n_holders, REJOIN_JACCARD), directed=False)
    return np.asarray(whole[parts], np.int64)


def members_of(links: Links, keys: IntArray, *, min_holders: int) -> IntArray:
    """Return the holders that carry a group of keys as one of the block would.

    A holder belongs when it carried at least two of the keys, or one of them in two different
    requests; groups with fewer than `min_holders` such holders give an empty array.
    """
    inside = links.places.find(np.unique(keys))
    holder, at = np.unique(links.holder[inside], return_inverse=True)
    n_keys = np.bincount(at, minlength=len(holder))
    most = np.zeros(len(holder), np.int64)
    np.maximum.at(most, at, links.contents[inside])
    members = holder[(n_keys >= 2) | (most >= 2)]
    return members if len(members) >= min_holders else members[:0]
