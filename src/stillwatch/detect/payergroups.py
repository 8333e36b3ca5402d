"""Link payers whose accounts use one program and ask for the same things, on one fold of time.

In: an `EventSource`, the population, a fold. Out: `Candidate` records of origin `infrastructure`. A campaign that
spreads its accounts over many tokens is many groups that are each too small to be looked at; its wording may be new in
every request, but the work that it collects is not. So groups of one client are joined where what they ask for points
the same way, and the block is tested on the other fold, where that likeness was not chosen.
Cost: the events of accounts that share a payer, 64 floats an account, and the square of the groups of one client.
Left to `explain`: agencies and schools of one trade are joined as well; their customers' own subjects speak for them.
Source: average linkage after Sokal and Michener 1958.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage

from stillwatch.detect.candidates import Candidate
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.families import NEARLY_ALL, clients_of
from stillwatch.detect.gather import chunks
from stillwatch.detect.population import Fold, Population
from stillwatch.terms.ports import EventSource

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEAST_GROUP: Final = 3
"""Fewest holders that one token pays for, to be a payer's group: couples share a card."""
LEAST_PAYERS: Final = 3
"""Fewest payers of a block: one firm may well have two cards."""
LIKENESS: Final = 0.45
"""Least mean cosine between the groups of a block: within composed campaigns 0.5 to 0.8, between them below 0.3."""
MOST_GROUPS: Final = 4_000
"""Groups of one client that are compared; beyond, those with the most accounts are."""
REFERENCE: Final = 500
"""Accounts that say what everybody asks for, so that what groups have in common is more than that."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Accounts that one token pays for, nearly all with one client."""

    client: int
    rows: IntArray


def payer_candidates(source: EventSource, people: Population, fold: Fold, config: DetectConfig) -> list[Candidate]:
    """Return blocks of payers' groups with one client that ask for the same things on a fold.

    Args:
        source: Where the events are.
        people: The population.
        fold: The fold to link on.
        config: How many holders make a block.
    """
    by_client: dict[int, list[_Group]] = {}
    for group in _groups(people):
        by_client.setdefault(group.client, []).append(group)
    several = {client: groups for client, groups in by_client.items() if len(groups) >= LEAST_PAYERS}
    if not several:
        return []
    rows = np.unique(np.concatenate([group.rows for groups in several.values() for group in groups]))
    asks = _asks(source, people, rows, fold)
    blocks = []
    for client in sorted(several):
        groups = sorted(several[client], key=lambda group: (-len(group.rows), int(group.rows[0])))[:MOST_GROUPS]
        blocks += _blocks(groups, np.array([asks[np.searchsorted(rows, group.rows)].sum(axis=0) for group in groups]))
    return [
        Candidate("infrastructure", int(fold.window.fold or 0), block, {})
        for block in blocks
        if len(np.unique(people.holder[block])) >= config.min_holders
    ]


def _groups(people: Population) -> list[_Group]:
    rows = np.flatnonzero(people.roll["payment"] != 0)
    token = people.roll["payment"][rows]
    order = np.argsort(token, kind="stable")
    cuts = np.flatnonzero(np.diff(token[order])) + 1
    found = []
    for mine in np.split(rows[order], cuts):
        if len(mine) < LEAST_GROUP:
            continue
        client = clients_of(people, mine)
        names, counts = np.unique(client, return_counts=True)
        commonest = names[counts.argmax()]
        mine = mine[client == commonest]
        if (
            commonest
            and counts.max() >= NEARLY_ALL * len(client)
            and len(np.unique(people.holder[mine])) >= LEAST_GROUP
        ):
            found.append(_Group(int(commonest), np.sort(mine)))
    return found


def _asks(source: EventSource, people: Population, rows: IntArray, fold: Fold) -> FloatArray:
    """Return the mean direction of each account's requests, beside what everybody asks for; shape (n_rows, 64)."""
    step = max(len(people.roll) // REFERENCE, 1)
    usual = source.events(people.accounts[::step], fold.window)["sketch"]["projection"].astype(np.float64)
    middle = usual.mean(axis=0) if len(usual) else 0.0
    out = np.zeros((len(rows), 64))
    for events in chunks(source, people, rows, fold.window):
        direction = _unit(events["sketch"]["projection"].astype(np.float64) - middle)
        at = np.searchsorted(rows, people.find(events["account"]))
        np.add.at(out, at, direction)
    return _unit(out)


def _unit(rows: FloatArray) -> FloatArray:
    """Return rows of length 1, zeros where there is no direction."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return unit


def _blocks(groups: list[_Group], asks: FloatArray) -> list[IntArray]:
    """Join groups by average linkage of the cosines; return the rows of each block of `LEAST_PAYERS` or more."""
    length = np.linalg.norm(asks, axis=1)
    met = np.flatnonzero(length > 0)
    if len(met) < LEAST_PAYERS:
        return []
    labels = fcluster(linkage(asks[met], "average", metric="cosine"), 1.0 - LIKENESS, "distance")
    parts = [met[labels == label] for label in np.unique(labels)]
    return [np.sort(np.concatenate([groups[at].rows for at in part])) for part in parts if len(part) >= LEAST_PAYERS]
