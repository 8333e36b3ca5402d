"""Who is in the log: accounts, the holders they count as, and the stratum each behaves like.

In: a roll-up of a window. Out: parallel arrays, one entry an account, in order of account hash.
A holder is what counts once: an organisation, or a key that several accounts use, or the account.
Cost: 200 bytes an account; a look-up takes the log of their number. Left to `linkage`: what holders share.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.terms.ports import EventSource, RollupArray, Window

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
    accounts: npt.NDArray[np.uint64] = field(init=False, repr=False)
    """The accounts of `roll`, side by side, so that a look-up does not copy them."""
    n_contents: int = field(init=False)
    """Different requests of all accounts together."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "accounts", np.ascontiguousarray(self.roll["account"]))
        object.__setattr__(self, "n_contents", int(self.roll["n_contents"].sum(dtype=np.int64)))

    @classmethod
    def of(cls, roll: RollupArray) -> "Population":
        """Read holders and strata from a roll-up of the whole log."""
        notes: list[str] = []
        holder = roll["account"].copy()
        for name in ("key_id", "organisation"):
            holder = _collapse(roll, name, holder, notes)
        _, index = np.unique(holder, return_inverse=True)
        return cls(roll, index.astype(np.int64), _strata(roll), int(index.max(initial=-1)) + 1, tuple(notes))

    def find(self, accounts: npt.NDArray[np.uint64]) -> IntArray:
        """Return the row of each account; every account must be in the log."""
        return np.searchsorted(self.accounts, accounts).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Fold:
    """Who is active on every other block."""

    window: Window
    """The window, with its fold."""
    requests: float
    """Requests of everybody on it."""
    holders: IntArray
    """Holders active on it, ascending, each once."""

    @classmethod
    def both(cls, source: EventSource, people: Population, window: Window) -> "tuple[Fold, Fold]":
        """Ask the source about fold 0 and fold 1 of a window."""
        first, second = (cls._of(source, people, replace(window, fold=number)) for number in (0, 1))
        return first, second

    @classmethod
    def _of(cls, source: EventSource, people: Population, window: Window) -> "Fold":
        roll = source.rollup(window)
        return cls(window, float(roll["n_requests"].sum()), np.unique(people.holder[people.find(roll["account"])]))


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
