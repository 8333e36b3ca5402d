"""Structured log lines of the data plane: one JSON object each, never content, never a key, never an address.

Cost: nothing on the path of an answer that goes well. A kind that repeats within a second is counted, not written.
"""

import logging
import time
from typing import Final

import orjson

_QUIET_SECONDS: Final = 1.0


class Notes:
    """Writes lines through the standard logging room `stillwatch.gateway`."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("stillwatch.gateway")
        self._last: dict[str, float] = {}
        self._held: dict[str, int] = {}

    def lifecycle(self, event: str, **more: str | int | float) -> None:
        """Say that the worker starts, drains or stops."""
        self._logger.info(orjson.dumps({"event": event, **more}).decode())

    def trouble(self, event: str, **more: str | int | float) -> None:
        """Say what went wrong; `more` holds names and numbers only."""
        now = time.monotonic()
        if now - self._last.get(event, -_QUIET_SECONDS) < _QUIET_SECONDS:
            self._held[event] = self._held.get(event, 0) + 1
            return
        self._last[event] = now
        held = self._held.pop(event, 0)
        line = {"event": event, **more} | ({"repeated": held} if held else {})
        self._logger.warning(orjson.dumps(line).decode())

    def failure(self, event: str, error: BaseException, **more: str | int | float) -> None:
        """Say that code failed: the kind of error and where, not what it held."""
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_name}:{where.tb_lineno}" if where is not None else ""
        self.trouble(event, error=type(error).__name__, place=place, **more)
