"""The fixed grid of event-time blocks, and its two folds.

In: the span of a log. Out: a block length and, for any time, the fold it belongs to.
Campaigns are linked on one fold and tested on the other, then the other way round.
Blocks are counted from 1970, so that a second run, or the gateway, cuts time at the same places.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

STEPS: Final = (60.0, 300.0, 900.0, 3_600.0, 10_800.0, 21_600.0, 86_400.0)
"""Block lengths in use, seconds: each divides a day, so that grids nest."""
WANTED_BLOCKS: Final = 32
"""A log should span at least this many blocks, so that both folds see it all through."""


def block_seconds(first: float, last: float, *, longest: float) -> float:
    """Return the longest grid step that cuts the span into enough blocks.

    Args:
        first: First event, seconds since 1970.
        last: Last event, likewise.
        longest: No step above this is chosen, seconds.

    Returns:
        One of `STEPS`; the shortest when the span is short.

    >>> block_seconds(0.0, 14 * 86400.0, longest=10800.0)
    10800.0
    >>> block_seconds(0.0, 3600.0 * 12, longest=10800.0)
    900.0
    """
    wanted = (last - first) / WANTED_BLOCKS
    fitting = [step for step in STEPS if step <= min(wanted, longest)]
    return fitting[-1] if fitting else STEPS[0]


def fold_of(times: npt.NDArray[np.float64], seconds: float) -> npt.NDArray[np.int8]:
    """Return 0 for times in even blocks and 1 for odd ones, shape of `times`.

    >>> fold_of(np.array([0.0, 59.0, 60.0, 130.0]), 60.0).tolist()
    [0, 0, 1, 0]
    """
    return (np.floor(times / seconds).astype(np.int64) % 2).astype(np.int8)
