"""Find what belongs to a label without going through everything.

In: the label of each entry, whole numbers from 0. Out: for any labels the entries that bear them.
Cost: one sort; a look-up costs as much as it finds. Left to the rest of the room: what a label is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Places:
    """Where each label stands."""

    order: IntArray
    """Entries, ascending by label, then by place."""
    begin: IntArray
    """Where each label begins in `order`, and where the last one ends, shape (n_labels + 1,)."""

    @classmethod
    def of(cls, label: IntArray, n_labels: int) -> "Places":
        """Sort the entries by label.

        Args:
            label: Label of each entry, from 0 to `n_labels` - 1.
            n_labels: How many labels there are.
        """
        order = np.argsort(label, kind="stable").astype(np.int64)
        return cls(order, np.searchsorted(label[order], np.arange(n_labels + 1)).astype(np.int64))

    def find(self, labels: IntArray) -> IntArray:
        """Return the entries that bear any of these labels, label by label; repeats repeat."""
        return self.order[ranges(self.begin[labels], self.begin[labels + 1])]

    def first(self, labels: IntArray) -> IntArray:
        """Return the first entry of each label; every label must have one."""
        return self.order[self.begin[labels]]


def ranges(begin: IntArray, end: IntArray) -> IntArray:
    """Return begin[0] .. end[0]-1, begin[1] .. end[1]-1, and so on, in one array.

    >>> ranges(np.array([3, 10]), np.array([5, 11])).tolist()
    [3, 4, 10]
    """
    length = end - begin
    total = int(length.sum())
    shift = np.repeat(begin - np.concatenate([[0], np.cumsum(length)[:-1]]), length) if total else begin[:0]
    return np.asarray(shift + np.arange(total), np.int64)


def among(values: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Return for each value its place among the wanted ones, and whether it is one; the place is 0 where it is not.

    Args:
        values: Any numbers, any shape.
        wanted: Ascending, each once.

    >>> place, found = among(np.array([7, 5, 9]), np.array([5, 9]))
    >>> place.tolist(), found.tolist()
    ([0, 0, 1], [False, True, True])
    """
    if len(wanted) == 0:
        return np.zeros(values.shape, np.int64), np.zeros(values.shape, bool)
    place = np.minimum(np.searchsorted(wanted, values), len(wanted) - 1)
    found = wanted[place] == values
    return np.where(found, place, 0), found
