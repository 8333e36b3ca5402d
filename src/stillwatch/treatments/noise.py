"""Keyed noise: normal numbers that only the key's holder can compute, the same for the same label.

In: a key and a label. Out: independent standard normal numbers, as far as nobody can tell without the key.
Cost: half a microsecond a number. Left to the caller: labels that differ wherever noise must.
Source: SHAKE-256 as a stream; Box and Muller 1958.
"""

import hashlib
import math
from struct import unpack
from typing import Final

_UNIT: Final = 1.0 / (1 << 64)
_TURN: Final = 2.0 * math.pi


def normals(key: bytes, label: bytes, count: int) -> list[float]:
    """Return `count` standard normal numbers; a longer draw begins with the shorter one."""
    pairs = (count + 1) // 2
    stream = hashlib.shake_256(b"stillwatch noise\0" + len(key).to_bytes(2, "big") + key + label)
    words = unpack(f">{2 * pairs}Q", stream.digest(16 * pairs))
    found: list[float] = []
    for i in range(0, 2 * pairs, 2):
        radius = math.sqrt(-2.0 * math.log((words[i] + 0.5) * _UNIT))
        angle = _TURN * words[i + 1] * _UNIT
        found.append(radius * math.cos(angle))
        found.append(radius * math.sin(angle))
    return found[:count]
