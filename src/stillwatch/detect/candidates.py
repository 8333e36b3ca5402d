"""Find blocks of holders worth testing: over shared content on one fold, and over infrastructure.

In: an `EventSource` and the population. Out: `Candidate` records: members, keys and how they were
linked. Nothing here decides; a candidate is a question that `explain` answers on the other fold.
Cost: one shared-key query a fold. Left to `explain`: honest reasons for what is shared.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from stillwatch.detect.config import DetectConfig
from stillwatch.detect.explain import MARGIN
from stillwatch.detect.gather import chunks
from stillwatch.detect.hits import KeyIndex
from stillwatch.detect.linkage import Links, link_keys, members_of
from stillwatch.detect.population import Fold, Population
from stillwatch.detect.slices import Places, among
from stillwatch.stats.bets import bernoulli_bet
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import CarrierArray, EventSource, SharedQuery, Window, kind_index

IntArray = npt.NDArray[np.int64]
KeyArray = npt.NDArray[np.uint64]

LINK_KINDS: Final = ("anchor", "head", "tail", "system", "system_anchor")
"""Content kinds that may link; layout and tools are too common to."""
MIN_SHARERS: Final = 5
"""Fewest holders that must carry a key before it is looked at."""
LIFT: Final = 20.0
"""A key stays in a block when members carry it this many times as often as others do."""
MIN_CARRIERS: Final = 3
"""... and when at least so many members carry it,"""
LEAST_PART: Final = 0.05
"""... and at least this share of them: text of single tasks is not what ties a block."""
PRUNE_NATS: Final = float(np.log(100.0))
"""Nats, on the fold it was linked on, that an account needs to stay in a block."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A block of accounts, linked on one fold, to be tested on the other."""

    origin: str
    """`content` or `infrastructure`."""
    fold: int
    """Fold it was linked on; -1 where neither was looked at."""
    rows: IntArray
    """Members, as rows of the population, ascending."""
    keys: dict[str, KeyArray]
    """Content keys of the block by kind; empty for infrastructure."""
    parted_from: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """Rows of the block that this is a part of; empty for a whole one."""


def content_candidates(source: EventSource, people: Population, fold: Fold, config: DetectConfig) -> list[Candidate]:
    """Link holders over the keys that several of them repeat in different requests."""
    query = SharedQuery(window=fold.window, kinds=LINK_KINDS, min_accounts=MIN_SHARERS, min_requests_per_account=1)
    found = source.shared_keys(query)
    strongest = np.argsort(found["requests"], kind="stable")[::-1][: config.max_keys]
    found = np.sort(found[strongest], order=["kind", "key"])
    carriers = _carriers(source, found, fold.window)
    if len(carriers) == 0:
        return []
    names, key = np.unique(_tags(carriers), return_inverse=True)
    key = key.astype(np.int64)
    rows = people.find(carriers["account"])
    holder, places = people.holder[rows], Places.of(key, len(names))
    links = _by_holder(key, holder, carriers["contents"].astype(np.int64), people.n_holders)
    drafts = []
    for group in link_keys(links):
        holders = members_of(links, group, min_holders=config.min_holders)
        if len(holders):
            kept = _lifted(links, group, holders)
            mine = places.find(kept)
            mine = mine[among(holder[mine], holders)[1]]
            if len(mine):
                keys = _by_kind(carriers[places.first(kept)])
                drafts.append(Candidate("content", int(fold.window.fold or 0), np.unique(rows[mine]), keys))
    pruned = _pruned(source, people, fold, drafts)
    return [draft for draft in pruned if len(np.unique(people.holder[draft.rows])) >= config.min_holders]


def _pruned(source: EventSource, people: Population, fold: Fold, drafts: list[Candidate]) -> list[Candidate]:
    """Keep the accounts that carry a block's keys, on the fold it was linked on, well beyond the usual.

    Whoever used a popular phrase once would otherwise be tested, and dilute or lend its ties to a
    block of people who merely like that phrase.
    """
    if not drafts:
        return []
    rows = np.unique(np.concatenate([draft.rows for draft in drafts]))
    whose: list[IntArray] = []

    def noting_whose(parts: Iterator[EventArray]) -> Iterator[EventArray]:
        for events in parts:
            whose.append(np.searchsorted(rows, people.find(events["account"])))
            yield events

    parts = noting_whose(chunks(source, people, rows, fold.window))
    carried = KeyIndex.over(parts, (draft.keys for draft in drafts))
    index = np.concatenate(whose)
    total = np.bincount(index, minlength=len(rows))
    out = []
    for draft in drafts:
        linked = np.searchsorted(rows, draft.rows)
        at, inside = among(index[carried.events(draft.keys)], linked)
        hits = np.bincount(at[inside], minlength=len(linked))
        others = max(fold.requests - float(total[linked].sum()), 1.0)
        rate = MARGIN * (float((~inside).sum()) + 1.0) / (others + 2.0)
        own = np.asarray(bernoulli_bet(hits, total[linked], min(max(rate, 1e-5), 0.9)))
        out.append(replace(draft, rows=draft.rows[own >= PRUNE_NATS]))
    return out


def _carriers(source: EventSource, found: npt.NDArray[np.void], window: Window) -> CarrierArray:
    parts = []
    for kind in LINK_KINDS:
        keys = found["key"][found["kind"] == kind_index(kind)]
        if len(keys):
            parts.append(source.carriers(kind, keys, window))
    return np.concatenate(parts) if parts else np.zeros(0, [("account", "<u8")])


def _tags(carriers: CarrierArray) -> KeyArray:
    """Tell keys of different kinds apart within one array of 64-bit values."""
    spread = np.uint64(0x9E3779B97F4A7C15) * (carriers["kind"].astype(np.uint64) + np.uint64(1))
    tags: KeyArray = carriers["key"] ^ spread
    return tags


def _by_holder(key: IntArray, holder: IntArray, contents: IntArray, n_holders: int) -> Links:
    pair = key * n_holders + holder
    unique, inverse = np.unique(pair, return_inverse=True)
    total = np.bincount(inverse, weights=contents).astype(np.int64)
    return Links(unique // n_holders, unique % n_holders, total, int(key.max()) + 1, n_holders)


def _lifted(links: Links, group: IntArray, holders: IntArray) -> IntArray:
    """Return the keys of a group, ascending, that its holders carry far more often than others do."""
    entries = links.places.find(group)
    inside = among(links.holder[entries], holders)[1]
    key = np.searchsorted(group, links.key[entries])
    mine, others = (np.bincount(key[mask], minlength=len(group)) for mask in (inside, ~inside))
    rest = max(links.n_holders - len(holders), 1)
    lift = (mine / len(holders)) / ((others + 1.0) / (rest + 1.0))
    enough = mine >= max(MIN_CARRIERS, LEAST_PART * len(holders))
    kept: IntArray = group[(lift >= LIFT) & enough]
    return kept if len(kept) else group


def _by_kind(carriers: CarrierArray) -> dict[str, KeyArray]:
    """Return the keys of these carriers by kind, ascending; kinds without any are left out."""
    return {
        kind: np.unique(carriers["key"][carriers["kind"] == kind_index(kind)])
        for kind in LINK_KINDS
        if (carriers["kind"] == kind_index(kind)).any()
    }


def infrastructure_candidates(people: Population, config: DetectConfig) -> list[Candidate]:
    """Link accounts that pay with one token, or that share a network and a client.

    Such a block accuses nobody by itself: what its members ask for has to show one queue.
    """
    roll = people.roll
    pairs = [_star(roll["payment"])]
    network_client = np.where(
        (roll["network"] != 0) & (roll["sdk"] != 0), roll["network"] ^ (roll["sdk"] * np.uint64(3)), 0
    )
    pairs.append(_star(network_client))
    left, right = (np.concatenate(part) for part in zip(*pairs, strict=True))
    graph = sparse.coo_matrix((np.ones(len(left)), (left, right)), shape=(len(roll), len(roll)))
    _, label = connected_components(graph, directed=False)
    out = []
    for rows in _groups(label):
        if len(np.unique(people.holder[rows])) >= config.min_holders and not _one_payer(roll["payment"][rows]):
            out.append(Candidate("infrastructure", -1, rows, {}))
    return out


def _one_payer(payment: KeyArray) -> bool:
    """Return whether one token pays for all whose payer is known: a customer, not a candidate."""
    _, counts = np.unique(payment[payment != 0], return_counts=True)
    return len(counts) == 1


def _star(value: npt.NDArray[np.uint64]) -> tuple[IntArray, IntArray]:
    """Return edges from the first account with each value to the others with it."""
    known = np.flatnonzero(value != 0)
    _, first, inverse = np.unique(value[known], return_index=True, return_inverse=True)
    return known[first[inverse]], known


def _groups(label: IntArray) -> list[IntArray]:
    order = np.argsort(label, kind="stable")
    cuts = np.flatnonzero(np.diff(label[order])) + 1
    return [np.sort(part) for part in np.split(order, cuts) if len(part) > 1]
