"""Measure what a block did on the time not used to link it, and what accounts outside did.

In: events of the accounts concerned. Out: a `Conduct` for a candidate, an `Outside` for the rest.
The unit of likeness is the session: a request that continues an exchange of this account says
nothing new about its subjects. Repeats of one content count once.
Cost: one pass over the events of a block. Left to `explain`: what the counts mean.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.candidates import Candidate
from stillwatch.detect.crowd import Crowd
from stillwatch.detect.deal import deal_ranks
from stillwatch.detect.explain import Conduct, Outside, Paying
from stillwatch.detect.habit import HabitTable, likeness_ranks
from stillwatch.detect.hits import hit_mask
from stillwatch.detect.population import STRATA, Population
from stillwatch.terms.event import EventArray

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
UIntArray = npt.NDArray[np.uint64]

SESSIONS_PER_ACCOUNT: Final = 16
"""Sessions of an account that likeness looks at; more would only sharpen heavy accounts."""
NEIGHBOURS: Final = 80
"""Outside accounts are compared within groups of about this many with like subjects."""


def openings(events: EventArray) -> BoolArray:
    """Return which events open a session: their history holds no answer given to their account."""
    account, sketch = events["account"], events["sketch"]
    given = np.unique(tie(account, sketch["issued"])[sketch["issued"] != 0])
    known = np.isin(tie(account[:, None], sketch["chain"]), given) & (sketch["chain"] != 0)
    untold = ~np.isin(account, account[sketch["issued"] != 0])
    return np.asarray(~known.any(axis=1) & ~(untold & (events["turns"] > 1)), bool)


def tie(account: UIntArray, value: UIntArray) -> UIntArray:
    """Bind values to accounts, so that equal values of two accounts differ; shapes broadcast."""
    tied: UIntArray = (account * np.uint64(0x9E3779B97F4A7C15)) ^ value
    return tied


def first_of_each(events: EventArray, *, most: int = SESSIONS_PER_ACCOUNT) -> BoolArray:
    """Return which events are an account's first with their content, at most `most` an account."""
    tied = tie(events["account"], events["sketch"]["content"])
    _, first = np.unique(tied, return_index=True)
    keep = np.zeros(len(events), bool)
    keep[first] = True
    keep &= events["sketch"]["content"] != 0
    order = np.argsort(events["account"], kind="stable")
    kept = keep[order].astype(np.int64)
    running = np.cumsum(kept)
    starts = np.searchsorted(events["account"][order], events["account"][order], side="left")
    rank = running - running[starts] + kept[starts]
    keep[order] &= rank <= most
    return keep


def ranks(events: EventArray, rng: np.random.Generator) -> tuple[IntArray, IntArray, npt.NDArray[np.float64]]:
    """Return (accounts, sessions, u) of the events' accounts compared with one another."""
    chosen = events[first_of_each(events)]
    return likeness_ranks(chosen["sketch"]["projection"].astype(np.float64), chosen["account"], rng)


def conduct_of(candidate: Candidate, people: Population, events: EventArray, rng: np.random.Generator) -> Conduct:
    """Count what the members did; `events` are those of every carrier on the tested fold.

    Args:
        candidate: The block; for infrastructure every request counts as a hit.
        people: The population its rows refer to.
        events: Events on the tested fold of members and of other carriers.
        rng: Source of the likeness regroupings.
    """
    row = people.find(events["account"])
    member = np.isin(row, candidate.rows)
    hit = hit_mask(events, candidate.keys) if candidate.keys else np.ones(len(events), bool)
    active, index = np.unique(row[member], return_inverse=True)
    mine, mine_hit = events[member], hit[member]
    hits = np.bincount(index, weights=mine_hit, minlength=len(active)).astype(np.int64)
    carried, carrier = events[hit], people.holder[row[hit]]
    variants, repeated = _variants(
        mine[mine_hit], index[mine_hit], people.holder[row[member]][mine_hit], (carried, carrier), len(active)
    )
    _, sizes, u = ranks(_sessions(mine, mine_hit), rng)
    deals = deal_ranks(people.holder[row[member]][mine_hit], mine[mine_hit]["sketch"]["content"], rng)
    volumes = people.roll["n_requests"][active].astype(np.int64)
    share = np.bincount(people.stratum[active], minlength=len(STRATA)) / max(len(active), 1)
    strata = tuple(int(number) for number in np.flatnonzero(share >= 0.1))
    lives, paying = _lives(people, active), _paying(people, active)
    whole = _paying(people, candidate.parted_from) if len(candidate.parted_from) else paying
    return Conduct(hits, variants, repeated, deals, sizes, u, volumes, lives, strata, paying, whole)


def _sessions(mine: EventArray, hit: BoolArray) -> EventArray:
    """Return the hits that open a session; all hits when openings leave too little."""
    opening = hit & openings(mine)
    return mine[opening if opening.sum() * 2 >= hit.sum() else hit]


def _variants(
    mine: EventArray, index: IntArray, holder: IntArray, carried: tuple[EventArray, IntArray], n: int
) -> tuple[IntArray, IntArray]:
    """Return per member the different contents, and how many of them another holder sent too."""
    everyone, carrier = carried
    pairs = np.unique(np.stack([everyone["sketch"]["content"], carrier.astype(np.uint64)], axis=1), axis=0)
    content, senders = np.unique(pairs[:, 0], return_counts=True)
    own, first = np.unique(
        np.stack([index.astype(np.uint64), mine["sketch"]["content"]], axis=1), axis=0, return_index=True
    )
    shared = senders[np.searchsorted(content, own[:, 1])] >= 2 if len(own) else np.zeros(0, bool)
    of = index[first]
    return np.bincount(of, minlength=n).astype(np.int64), np.bincount(of, weights=shared, minlength=n).astype(np.int64)


def _lives(people: Population, rows: IntArray) -> npt.NDArray[np.float64]:
    return np.stack([people.roll["first"][rows], people.roll["last"][rows]], axis=1)


def _paying(people: Population, rows: IntArray) -> Paying:
    token, holder = people.roll["payment"][rows], people.holder[rows]
    told = token[token != 0]
    _, counts = np.unique(told, return_counts=True)
    return Paying(len(told), int(_shared(token, holder).sum()), int(counts.max(initial=0)))


def _shared(token: UIntArray, holder: IntArray) -> BoolArray:
    pairs = np.unique(np.stack([token, holder.astype(np.uint64)], axis=1), axis=0)
    value, holders = np.unique(pairs[:, 0], return_counts=True)
    many = value[(holders >= 2) & (value != 0)]
    return np.isin(token, many)


def outside_of(people: Population, rows: IntArray, events: EventArray, rng: np.random.Generator) -> Outside:
    """Measure the accounts outside every candidate.

    Args:
        people: The population.
        rows: Rows of the accounts outside, all of them.
        events: Events of a sample of them, on the calibration half.
        rng: Source of the likeness regroupings.
    """
    token, holder = people.roll["payment"][rows], people.holder[rows]
    known = int((token != 0).sum())
    shared = (int(_shared(token, holder).sum()) + 1) / (known + 2)
    volumes = people.roll["n_requests"][rows].astype(np.int64)
    crowd = Crowd.of(volumes, _lives(people, rows))
    return Outside(0, 0, crowd, min(max(shared, 0.005), 0.9), habits_of(people, events, rng))


def habits_of(people: Population, events: EventArray, rng: np.random.Generator) -> HabitTable:
    """Fit the table of likeness ranks, each account compared with accounts of like subjects."""
    strata, sizes, u = [], [], []
    for stratum in range(len(STRATA)):
        chosen = events[people.stratum[people.find(events["account"])] == stratum]
        for group in neighbours(chosen):
            _, n, rank = ranks(chosen[group], rng)
            strata.append(np.full(len(n), stratum))
            sizes.append(n)
            u.append(rank)
    if not u:
        return HabitTable.fit(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), strata=STRATA)
    return HabitTable.fit(np.concatenate(strata), np.concatenate(sizes), np.concatenate(u), strata=STRATA)


def neighbours(events: EventArray) -> list[IntArray]:
    """Cut events into groups of accounts with like subjects: indices of events, whole accounts.

    Halves along the direction in which accounts differ most, until groups are small; a block is
    compared within itself, so the reference has to be compared among its like too.
    """
    if len(events) == 0:
        return []
    names, index = np.unique(events["account"], return_inverse=True)
    centre = np.zeros((len(names), events["sketch"]["projection"].shape[1]))
    np.add.at(centre, index, events["sketch"]["projection"])
    centre /= np.bincount(index)[:, None]
    parts = _halve(centre, np.arange(len(names)))
    label = np.zeros(len(names), np.int64)
    for number, part in enumerate(parts):
        label[part] = number
    of = label[index]
    order = np.argsort(of, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(of[order])) + 1)


def _halve(centre: npt.NDArray[np.float64], rows: IntArray) -> list[IntArray]:
    if len(rows) <= NEIGHBOURS:
        return [rows]
    points = centre[rows] - centre[rows].mean(axis=0)
    _, axes = np.linalg.eigh(points.T @ points)
    along = np.argsort(points @ axes[:, -1], kind="stable")
    half = len(rows) // 2
    return _halve(centre, rows[along[:half]]) + _halve(centre, rows[along[half:]])
