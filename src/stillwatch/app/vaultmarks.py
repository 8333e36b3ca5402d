"""Which epoch of the mark was in force when: for the headers of the vault.

In: the state folder. Out: a function of time. The keys' file is read again when it changes, a second late at most.
Left to `markring`: the keys.
"""

import time
from collections.abc import Callable
from pathlib import Path

from stillwatch.app.markring import load_ring, ring_path
from stillwatch.terms.errors import StillwatchError

_LOOK_SECONDS = 1.0


def mark_epochs(state: Path, wall_of: Callable[[float], float] | None = None) -> Callable[[float], int]:
    """Return a function from an event time, seconds since 1970, to the epoch in force; -1 where there was none.

    Args:
        state: The state folder.
        wall_of: From event time to wall time, by which keys are dated; None where they are one.
    """
    path = ring_path(state)
    seen: tuple[int, int] = (0, 0)
    looked_at = -1e9
    made: tuple[tuple[float, int], ...] = ()

    def epoch_at(moment: float) -> int:
        nonlocal seen, looked_at, made
        clock = time.monotonic()
        if clock - looked_at >= _LOOK_SECONDS:
            looked_at = clock
            try:
                stat = path.stat()
                if seen != (stat.st_ino, stat.st_mtime_ns):
                    made = tuple((epoch.made, epoch.number) for epoch in load_ring(state).epochs)
                    seen = (stat.st_ino, stat.st_mtime_ns)
            except (OSError, StillwatchError):
                made, seen = (), (0, 0)
        wall = moment if wall_of is None else wall_of(moment)
        return max((number for begun, number in made if begun <= wall), default=-1)

    return epoch_at
