"""Edge families: in which independent respects the members of a block agree.

In: a block and the population. Out: for each infrastructure family, which members it ties, tested
against how often accounts outside agree: `payment`, `network`, `client`. Beside them stand
`content` (shared text) and `work` (one queue of subjects). Country and language are in none.
Cost: one pass over the members. Left to `campaign`: how many families an accusation needs.
"""

from dataclasses import dataclass
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
"""A client that ties this share of the members is one that a member is expected to use."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """How often accounts outside every candidate agree; counted once for all blocks."""

    people: Population
    tied: dict[str, tuple[int, int]]
    """Family -> (accounts that share their value with another holder, accounts whose value is known)."""
    clients: tuple[UIntArray, IntArray]
    """Client values of outside accounts, ascending, and how many have each."""

    @classmethod
    def of(cls, people: Population, rows: IntArray) -> "Elsewhere":
        """Count the accounts in `rows`, those outside every candidate."""
        tied = {}
        values = _values(people, rows)
        for name, value in values.items():
            mask, known = _tied(name, value, people.holder[rows])
            tied[name] = int(mask.sum()), known
        client = values["client"]
        return cls(people, tied, np.unique(client[client != 0], return_counts=True))

    def agreeing(self, name: str, members: UIntArray) -> tuple[int, int]:
        """Return (outside accounts that agree as the members do, outside accounts whose value is known)."""
        if name != "client":
            return self.tied[name]
        values, counts = self.clients
        at = np.searchsorted(values, _commonest(members))
        same = int(counts[at]) if at < len(values) and values[at] == _commonest(members) else 0
        return same, self.tied[name][1]


def infrastructure_families(elsewhere: Elsewhere, rows: IntArray) -> dict[str, BoolArray]:
    """Return the families that tie the members: name -> which members, shape (n_members,)."""
    people = elsewhere.people
    found = {}
    for name, value in _values(people, rows).items():
        tied, known = _tied(name, value, people.holder[rows])
        if not known or tied.sum() < LEAST_SHARE * len(rows):
            continue
        others, others_known = elsewhere.agreeing(name, value)
        if float(two_sample_bet(int(tied.sum()), known, others, max(others_known, 1))) >= ENOUGH:
            found[name] = tied
    return found


def infrastructure_nats(elsewhere: Elsewhere, rows: IntArray) -> dict[str, float]:
    """Return, for each family that is known at all, nats against "members agree no more than others do".

    The client is picked because the members share it, so it pays for the number of clients there are.
    """
    people = elsewhere.people
    nats = {}
    for name, value in _values(people, rows).items():
        tied, known = _tied(name, value, people.holder[rows])
        others, others_known = elsewhere.agreeing(name, value)
        if known and others_known:
            picked = np.log(max(len(elsewhere.clients[0]), 1)) if name == "client" else 0.0
            nats[name] = float(two_sample_bet(int(tied.sum()), known, others, others_known)) - float(picked)
    return nats


def fits_in(people: Population, rows: IntArray, block: IntArray, families: dict[str, BoolArray]) -> BoolArray:
    """Return which accounts show what ties the block; all do where nothing does.

    That is its payers or networks, or else a client that nearly all of it uses: clients are few, so
    two strangers often use the same one.

    Args:
        people: The population.
        rows: Accounts to look at.
        block: Rows of the linked members.
        families: What `infrastructure_families` found for `block`.
    """
    expected = [name for name in families if name != "client"]
    if not expected:
        expected = [name for name, tied in families.items() if tied.mean() >= NEARLY_ALL]
    if not expected:
        return np.ones(len(rows), bool)
    asked, tying = _values(people, rows), _values(people, block)
    fits = np.zeros(len(rows), bool)
    for name in expected:
        held = tying[name][families[name]]
        fits |= np.isin(asked[name], held[held != 0])
    return fits


def clients_of(people: Population, rows: IntArray) -> UIntArray:
    """Return the client of each account, library and TLS fingerprint in one value; 0 where neither is known."""
    sdk, tls = people.roll["sdk"][rows], people.roll["tls"][rows]
    client: UIntArray = np.where((sdk != 0) | (tls != 0), sdk * np.uint64(31) ^ tls, np.uint64(0))
    return client


def _values(people: Population, rows: IntArray) -> dict[str, UIntArray]:
    """Return what each account has in each family, 0 where it is not known; work in line with `rows`."""
    roll = people.roll
    return {"payment": roll["payment"][rows], "network": roll["network"][rows], "client": clients_of(people, rows)}


def _tied(name: str, value: UIntArray, holder: IntArray) -> tuple[BoolArray, int]:
    """Return which members share their value with another holder; for a client, use the commonest."""
    known = value != 0
    if name == "client":
        return value == _commonest(value), int(known.sum())
    paired = value * np.uint64(0x9E3779B97F4A7C15) ^ holder.astype(np.uint64)
    _, first = np.unique(paired, return_index=True)
    names, holders = np.unique(value[first], return_counts=True)
    return np.isin(value, names[(holders >= 2) & (names != 0)]), int(known.sum())


def _commonest(value: UIntArray) -> np.uint64:
    """Return the most frequent known value; one that nothing has when none is known."""
    names, counts = np.unique(value[value != 0], return_counts=True)
    return np.uint64(names[counts.argmax()]) if len(names) else np.uint64(1)
