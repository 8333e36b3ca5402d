"""Progress on standard error: one line that is written over, at most ten times a second."""

import sys
import time
from types import TracebackType
from typing import Final

INTERVAL: Final = 0.1


class Ticker:
    """Shows what long work is at; `with` clears the line at the end, also when it is interrupted."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._next = 0.0
        self._width = 0

    def show(self, text: str) -> None:
        """Show `text` in place of what was shown before."""
        if self._quiet or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + INTERVAL
        sys.stderr.write("\r" + text[:100].ljust(self._width))
        sys.stderr.flush()
        self._width = len(text[:100])

    def __enter__(self) -> "Ticker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
        if kind is KeyboardInterrupt:
            sys.stderr.write("Stopped. What was read is kept; the same command goes on from there.\n")
