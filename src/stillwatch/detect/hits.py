"""Which events carry what ties a block.

In: events and keys by kind. Out: a mask, shape (n,). Cost: one sorted look-up an event and kind.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from stillwatch.terms.event import EventArray

BoolArray = npt.NDArray[np.bool_]
UIntArray = npt.NDArray[np.uint64]

FIELDS = {"anchor": "anchors", "system_anchor": "system_anchors"}
"""Sketch fields of key kinds that have another name there."""


def hit_mask(events: EventArray, keys: Mapping[str, UIntArray]) -> BoolArray:
    """Return which events carry any of a block's keys, shape (n,)."""
    sketch = events["sketch"]
    hit = np.zeros(len(events), bool)
    for kind, wanted in keys.items():
        field = FIELDS.get(kind, kind)
        found = np.isin(sketch[field], wanted)
        hit |= found.any(axis=1) if found.ndim == 2 else found
    return hit
