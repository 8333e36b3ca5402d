"""A sorted table of number ranges, each with a value.

In: ranges that may overlap. Out: ranges that do not, and the value at any number.
Cost: 20 bytes a range; a binary search a look-up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.siphash import U64

U32 = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges in ascending order, none touching another's numbers."""

    first: U64
    last: U64
    value: U32

    def __post_init__(self) -> None:
        if not len(self.first) == len(self.last) == len(self.value):
            raise ValueError("ranges: the three columns must be of one length.")
        if np.any(self.first > self.last) or np.any(self.first[1:] <= self.last[:-1]):
            raise ValueError("ranges: must ascend without overlap.")

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def painted(cls, ranges: Sequence[tuple[int, int, int]]) -> "Ranges":
        """Build from (first, last, value) in the order to paint them: a later range covers an earlier one.

        Numbers from 0 to 2 ** 64 - 2; value 0 paints nothing over.
        """
        cuts = sorted({low for low, _, _ in ranges} | {high + 1 for _, high, _ in ranges})
        bounds = np.array(cuts, np.uint64)
        values = np.zeros(max(len(bounds) - 1, 0), np.uint32)
        lows = np.searchsorted(bounds, np.array([low for low, _, _ in ranges], np.uint64))
        highs = np.searchsorted(bounds, np.array([high + 1 for _, high, _ in ranges], np.uint64))
        for (_, _, value), low, high in zip(ranges, lows.tolist(), highs.tolist(), strict=True):
            values[low:high] = value
        opens = np.flatnonzero(np.concatenate((np.ones(min(1, len(values)), bool), values[1:] != values[:-1])))
        closes = np.concatenate((opens[1:], np.full(min(1, len(values)), len(values), np.int64)))
        kept = values[opens] > 0
        opens, closes = opens[kept], closes[kept]
        return cls(bounds[opens], bounds[closes] - np.uint64(1), values[opens])

    def at(self, numbers: U64) -> U32:
        """Return the value at each number, 0 outside every range; shape of `numbers`."""
        if not len(self):
            return np.zeros(numbers.shape, np.uint32)
        place = np.searchsorted(self.first, numbers, side="right") - 1
        inside = (place >= 0) & (numbers <= self.last[place])
        return np.where(inside, self.value[place], 0).astype(np.uint32)

    def to_arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """Return the columns under `name`, as small steps that compress well."""
        gaps = np.diff(self.first, prepend=np.uint64(0))
        return {f"{name}_gap": gaps, f"{name}_size": self.last - self.first, f"{name}_value": self.value}

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> "Ranges":
        """Read what `to_arrays` made.

        Raises:
            KeyError, ValueError: a column is missing, or the ranges do not ascend.
        """
        first = np.cumsum(arrays[f"{name}_gap"].astype(np.uint64))
        last = first + arrays[f"{name}_size"].astype(np.uint64)
        return cls(first, last, arrays[f"{name}_value"].astype(np.uint32))
