"""Edge families: in which independent respects the members of a block agree.

In: a block and the population. Out: the names of the families that hold, each tested against how
often accounts outside agree: `content` (shared text), `work` (one queue of subjects), `payment`,
`network`, `client`. Country and language are in none of them.
Cost: one pass over the members. Left to `campaign`: how many families an accusation needs.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.population import Population
from stillwatch.stats.two_sample import two_sample_bet

IntArray = npt.NDArray[np.int64]

ENOUGH: Final = float(np.log(100.0))
"""Nats at which a family counts."""
LEAST_SHARE: Final = 0.2
"""A family must tie at least this share of the members."""


def infrastructure_families(people: Population, rows: IntArray, outside: IntArray) -> dict[str, tuple[int, int]]:
    """Return the families that tie the members: name -> (members tied, members whose value is known).

    Args:
        people: The population.
        rows: Members.
        outside: Rows of the accounts outside every candidate.
    """
    roll = people.roll
    client = np.where((roll["sdk"] != 0) | (roll["tls"] != 0), roll["sdk"] * np.uint64(31) ^ roll["tls"], 0)
    values = {"payment": roll["payment"], "network": roll["network"], "client": client}
    found = {}
    for name, value in values.items():
        tied, known = _tied(value, people.holder, rows, commonest=name == "client")
        if known == 0:
            continue
        others, others_known = _tied(value, people.holder, outside, commonest=False, like=value[rows] if name == "client" else None)
        nats = float(two_sample_bet(tied, known, others, max(others_known, 1)))
        if nats >= ENOUGH and tied >= LEAST_SHARE * len(rows):
            found[name] = (tied, known)
    return found


def _tied(
    value: npt.NDArray[np.uint64], holder: IntArray, rows: IntArray, *, commonest: bool, like: npt.NDArray[np.uint64] | None = None
) -> tuple[int, int]:
    """Count accounts that share their value with another holder; for a client, that use the commonest."""
    own = value[rows]
    known = int((own != 0).sum())
    if known == 0:
        return 0, 0
    if commonest or like is not None:
        told = own if like is None else like
        names, counts = np.unique(told[told != 0], return_counts=True)
        return int((own == names[counts.argmax()]).sum()) if len(names) else 0, known
    pairs = np.unique(np.stack([own, holder[rows].astype(np.uint64)], axis=1), axis=0)
    names, holders = np.unique(pairs[:, 0], return_counts=True)
    return int(np.isin(own, names[(holders >= 2) & (names != 0)]).sum()), known
