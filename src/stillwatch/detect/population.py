"""Who is in the log: accounts, the holders they count as, and the stratum each behaves like.

In: a roll-up of a window. Out: parallel arrays, one entry an account, in order of account hash.
A holder is what counts once: an organisation, or a key that several accounts use, or the account.
Cost: 200 bytes an account. Left to `linkage`: what holders share.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.terms.ports import RollupArray

IntArray = npt.NDArray[np.int64]

STRATA: Final = ("chat", "batch", "agent")
"""Strata read from behaviour: calibration keeps them apart."""
WHOLE_LOG: Final = 0.3
"""An organisation or key that covers more of the accounts than this names the log, not a customer."""
FEW: Final = 50
"""... unless the log has fewer accounts than this."""


@dataclass(frozen=True, slots=True)
class Population:
    """Accounts of a log; every array has shape (n_accounts,) and the order of `roll`."""

    roll: RollupArray
    holder: IntArray
    """Index of the holder, 0-based."""
    stratum: IntArray
    """Index into `STRATA`."""
    n_holders: int
    notes: tuple[str, ...]

    @classmethod
    def of(cls, roll: RollupArray) -> "Population":
        """Read holders and strata from a roll-up of the whole log."""
        notes: list[str] = []
        holder = roll["account"].copy()
        for field in ("key_id", "organisation"):
            holder = _collapse(roll, field, holder, notes)
        _, index = np.unique(holder, return_inverse=True)
        return cls(roll, index.astype(np.int64), _strata(roll), int(index.max(initial=-1)) + 1, tuple(notes))

    def find(self, accounts: npt.NDArray[np.uint64]) -> IntArray:
        """Return the row of each account; every account must be in the log."""
        return np.searchsorted(self.roll["account"], accounts).astype(np.int64)


def _collapse(
    roll: RollupArray, field: str, holder: npt.NDArray[np.uint64], notes: list[str]
) -> npt.NDArray[np.uint64]:
    values, index, counts = np.unique(roll[field], return_inverse=True, return_counts=True)
    enough = counts >= 2
    whole = (counts > WHOLE_LOG * len(roll)) & (len(roll) >= FEW) & (values != 0)
    if whole.any():
        notes.append(
            f"one {field} covers {int(counts[whole].max())} of {len(roll)} accounts; it is not read as one customer."
        )
    joined = (enough & ~whole & (values != 0))[index]
    return np.where(joined, roll[field], holder)


def _strata(roll: RollupArray) -> IntArray:
    n = np.maximum(roll["n_requests"], 1)
    single = roll["single_turn"] / n >= 0.9
    machine = roll["datacentre"] / n >= 0.5
    stratum = np.where(single & machine, STRATA.index("batch"), STRATA.index("chat"))
    return np.where(roll["tools"] != 0, STRATA.index("agent"), stratum).astype(np.int64)
