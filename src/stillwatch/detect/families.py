"""Edge families: in which independent respects the members of a block agree.

In: a block and the population. Out: for each infrastructure family, which members it ties, tested
against how often accounts outside agree: `payment`, `network`, `client`. Beside them stand
`content` (shared text) and `work` (one queue of subjects). Country and language are in none.
Cost: one pass over the members. Left to `campaign`: how many families an accusation needs.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.population import Population
from stillwatch.stats.two_sample import two_sample_bet

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
UIntArray = npt.NDArray[np.uint64]

ENOUGH: Final = float(np.log(100.0))
"""Nats at which a family counts."""
LEAST_SHARE: Final = 0.2
"""A family must tie at least this share of the members."""
NEARLY_ALL: Final = 0.75
"""A family that ties this share of the members is one that a member is expected to show."""


def infrastructure_families(people: Population, rows: IntArray, outside: IntArray) -> dict[str, BoolArray]:
    """Return the families that tie the members: name -> which members, shape (n_members,).

    Args:
        people: The population.
        rows: Members.
        outside: Rows of the accounts outside every candidate.
    """
    found = {}
    for name, value in _values(people).items():
        tied, known = _tied(name, value[rows], people.holder[rows])
        if not known:
            continue
        others, others_known = _elsewhere(name, value[rows], value[outside], people.holder[outside])
        nats = float(two_sample_bet(int(tied.sum()), known, others, max(others_known, 1)))
        if nats >= ENOUGH and tied.sum() >= LEAST_SHARE * len(rows):
            found[name] = tied
    return found


def fits_in(people: Population, rows: IntArray, block: IntArray, families: dict[str, BoolArray]) -> BoolArray:
    """Return which accounts show a family that nearly all of a block shows; all do where there is none.

    Args:
        people: The population.
        rows: Accounts to look at.
        block: Rows of the linked members.
        families: What `infrastructure_families` found for `block`.
    """
    expected = [name for name, tied in families.items() if tied.mean() >= NEARLY_ALL]
    if not expected:
        return np.ones(len(rows), bool)
    values = _values(people)
    fits = np.zeros(len(rows), bool)
    for name in expected:
        held = values[name][block[families[name]]]
        fits |= np.isin(values[name][rows], held[held != 0])
    return fits


def _values(people: Population) -> dict[str, UIntArray]:
    roll = people.roll
    client = np.where((roll["sdk"] != 0) | (roll["tls"] != 0), roll["sdk"] * np.uint64(31) ^ roll["tls"], np.uint64(0))
    return {"payment": roll["payment"], "network": roll["network"], "client": client}


def _tied(name: str, value: UIntArray, holder: IntArray) -> tuple[BoolArray, int]:
    """Return which members share their value with another holder; for a client, use the commonest."""
    known = value != 0
    if name == "client":
        return value == _commonest(value), int(known.sum())
    pairs = np.unique(np.stack([value, holder.astype(np.uint64)], axis=1), axis=0)
    names, holders = np.unique(pairs[:, 0], return_counts=True)
    return np.isin(value, names[(holders >= 2) & (names != 0)]), int(known.sum())


def _elsewhere(name: str, members: UIntArray, value: UIntArray, holder: IntArray) -> tuple[int, int]:
    """Return (accounts outside that agree in the same way, accounts outside whose value is known)."""
    if name == "client":
        return int((value == _commonest(members)).sum()), int((value != 0).sum())
    tied, known = _tied(name, value, holder)
    return int(tied.sum()), known


def _commonest(value: UIntArray) -> np.uint64:
    """Return the most frequent known value; one that nothing has when none is known."""
    names, counts = np.unique(value[value != 0], return_counts=True)
    return np.uint64(names[counts.argmax()]) if len(names) else np.uint64(1)
