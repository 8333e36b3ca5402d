"""How often live traffic is judged: a rest after each judgement, in line with what it cost.

In: the start and the end of each judgement, from the thread that takes events in. Out: whether the next one may
begin. A judgement costs what it takes, or the processor time that this process spent meanwhile on everything
but the calling thread, where that is more: the engine works in threads of its own.
"""

import time
from collections.abc import Callable

Clock = Callable[[], float]


def beside() -> float:
    """Return processor seconds that this process spent so far outside the calling thread."""
    return time.process_time() - time.thread_time()


class JudgePace:
    """Bounds judging to a share of one core; all methods are for one and the same thread."""

    def __init__(self, rest_share: float, wall: Clock = time.monotonic, busy: Clock = beside) -> None:
        """Set the pace.

        Args:
            rest_share: Rest after a judgement, as a share of its cost; judging takes 1 / (1 + this) of a core at most.
            wall: Clock that never goes back, seconds.
            busy: Processor seconds spent beside the calling thread.
        """
        self._share, self._wall, self._busy = rest_share, wall, busy
        self._begun = self._busy_then = 0.0
        self._rest_until = -float("inf")

    def begin(self) -> None:
        """Note that a judgement begins."""
        self._begun, self._busy_then = self._wall(), self._busy()

    def end(self) -> None:
        """Note that it ended, and rest."""
        took = self._wall() - self._begun
        cost = max(took, self._busy() - self._busy_then)
        self._rest_until = self._begun + cost * (1.0 + self._share)

    @property
    def resting(self) -> bool:
        """Whether it is too early for another judgement."""
        return self._wall() < self._rest_until
