"""How many different things were seen: a HyperLogLog of keyed digests, one kilobyte, and no way back.

In: digests that are uniform without the key. Out: a count, off by 3.3 % (one standard deviation).
Cost: about half a microsecond an entry; 60 microseconds a count. Left to the caller: keying the digests, without
which the sketch could be filled on purpose.
Source: Flajolet et al. 2007, "HyperLogLog"; Ertl 2017, arXiv:1702.01284 (the estimator without special ranges).
"""

import math
from typing import Final

_BITS: Final = 10
_SIZE: Final = 1 << _BITS
_REST: Final = 64 - _BITS


class Distinct:
    """Counts different digests."""

    __slots__ = ("_registers", "day")

    def __init__(self, day: int = 0) -> None:
        """Start empty, for the day `day` (whole days since 1970) where counts are by the day."""
        self._registers = bytearray(_SIZE)
        self.day = day

    def renew(self, day: int) -> None:
        """Forget everything and begin the day `day`."""
        self._registers[:] = bytes(_SIZE)
        self.day = day

    def add(self, digest: bytes) -> None:
        """Count a digest of at least 8 bytes, unless it was counted before."""
        number = int.from_bytes(digest[:8], "little")
        at, rest = number & (_SIZE - 1), number >> _BITS
        rank = _REST - rest.bit_length() + 1
        if rank > self._registers[at]:
            self._registers[at] = rank

    def count(self) -> float:
        """Return about how many different digests were counted."""
        registers = self._registers
        counts = [registers.count(rank) for rank in range(_REST + 2)]
        z = _SIZE * _tau(1.0 - counts[_REST + 1] / _SIZE)
        for rank in range(_REST, 0, -1):
            z = 0.5 * (z + counts[rank])
        z += _SIZE * _sigma(counts[0] / _SIZE)
        return _SIZE * _SIZE / (2.0 * math.log(2.0)) / z if math.isfinite(z) else 0.0


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1.0 - x, -1.0
    while z != before:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1.0 - x) ** 2 * y
    return z / 3.0
