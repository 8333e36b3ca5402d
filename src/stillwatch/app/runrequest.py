"""What `stillwatch run` was asked, and where it says things.

In: options of the command. Out: frozen records. Left to `show`: doing it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PORT: Final = 8170
CONSOLE_PORT: Final = 8190
LAPSE_SECONDS: Final = 40.0
"""Wall seconds in which the replayed days pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What `stillwatch run` was asked."""

    seed: int
    folder: Path
    port: int = PORT
    console_port: int = CONSOLE_PORT
    seconds: float = LAPSE_SECONDS
    """Wall seconds of the replay, above 0."""
    teacher: bool = True
    """Start the embedded model where it is installed."""
    once: bool = False
    """End once the verdict was shown."""
    fresh: bool = False
    """Delete what an earlier run left."""
    command: str = "stillwatch"
    """How the reader calls this program."""
    width: int = 100
    colour: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Where things are said."""

    say: Callable[[str], None]
    """For good."""
    tick: Callable[[str], None]
    """For the moment: what the run is at."""
