"""A suspect in memory: answers by a function of the probe alone; the yardstick for the kinds that are real.

In: a function. Out: a `Suspect`. Cost: that of the function. It counts what it was asked.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from stillwatch.suspects.suspect import Probe, Reply


@dataclass(slots=True)
class MemorySuspect:
    """Answers from a function."""

    answer: Callable[[Probe], Reply] = field(repr=False)
    name: str = "memory"
    where: str = "memory"
    access: str = "logprobs"
    asked: int = 0
    closed: bool = False

    def reply(self, probe: Probe) -> Reply:
        """Answer, and count."""
        self.asked += 1
        return self.answer(probe)

    def close(self) -> None:
        """Note it."""
        self.closed = True
