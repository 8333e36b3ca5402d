"""How accounts outside every candidate are spread over volume and over time; arranged once, asked for every block.

In: requests and lifetimes of all accounts outside. Out: the most of them that any band of volumes, or
any span of time, holds: what a block of like volumes or like lifetimes is measured against.
Cost: two sorts. A band is a look-up; a span is a pass over the accounts of like volume, once or a few times.
Left to `explain`: what an even load or a common lifetime says.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

EVEN_BAND: Final = math.log(1.5)
"""Half width of the band around the median volume that counts as even load, natural log."""
LIKE_VOLUME: Final = 2.0
"""Accounts with half to twice the requests of a block's median are of like volume."""
SPANS: Final = 200
"""Places at which a span is laid over the lives of outside accounts."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Accounts outside every candidate."""

    ordered: IntArray
    """Volumes, ascending."""
    fullest: IntArray
    """The most accounts in a band that begins at this volume or above; parallel to `ordered`."""
    volume: IntArray
    """Volumes again, in order of the first request; parallel to `first` and `last`."""
    first: FloatArray
    """First requests, seconds since 1970, ascending."""
    last: FloatArray
    """Last requests, seconds since 1970."""

    @classmethod
    def of(cls, volumes: IntArray, lives: FloatArray) -> "Crowd":
        """Arrange accounts.

        Args:
            volumes: Requests of each account in the whole log, shape (n,).
            lives: First and last request of each, seconds since 1970, shape (n, 2).
        """
        ordered = np.sort(volumes)
        in_band = np.searchsorted(ordered, ordered * math.exp(2 * EVEN_BAND), side="right") - np.arange(len(ordered))
        order = np.argsort(lives[:, 0], kind="stable")
        first, last = np.ascontiguousarray(lives[order, 0]), np.ascontiguousarray(lives[order, 1])
        return cls(ordered, np.maximum.accumulate(in_band[::-1])[::-1], volumes[order], first, last)

    def in_band(self, least: int) -> tuple[int, int]:
        """Return (the most accounts that a band holds, accounts looked at), among those of at least so many requests.

        Args:
            least: Fewest requests of an account that is looked at.
        """
        begin = int(np.searchsorted(self.ordered, least))
        n = len(self.ordered) - begin
        return (int(self.fullest[begin]) if n else 0), n

    def in_span(self, median: float, seconds: float) -> tuple[int, int]:
        """Return (the most accounts that live within a span, accounts looked at), among those of like volume.

        The span is laid at `SPANS` places, those first that could hold the most, until none left could hold more.

        Args:
            median: Requests of a middling member of the block.
            seconds: Length of the span, at least 0.
        """
        middle = max(median, 1.0)
        like = (self.volume >= middle / LIKE_VOLUME) & (self.volume <= middle * LIKE_VOLUME)
        first, last = self.first[like], self.last[like]
        start = first[:: max(len(first) // SPANS, 1)]
        begin, end = np.searchsorted(first, start), np.searchsorted(first, start + seconds, side="right")
        held = 0
        for place in np.argsort(begin - end, kind="stable"):
            if end[place] - begin[place] <= held:
                break
            inside = last[begin[place] : end[place]] <= start[place] + seconds
            held = max(held, int(np.count_nonzero(inside)))
        return held, len(first)
