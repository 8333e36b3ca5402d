"""Callers that stop reading: cut off after a while, so that none holds an upstream slot for ever.

Cost: two set operations a call; a look at every call under way four times per patience.
"""

import asyncio
from types import TracebackType

from stillwatch.gateway.call import Call


class Reading:
    """One call under way; use it around the work."""

    __slots__ = ("_all", "call", "size", "task")

    def __init__(self, call: Call, reading: "set[Reading]") -> None:
        self.call = call
        self.task = asyncio.current_task()
        self.size = -1
        self._all = reading

    def __enter__(self) -> "Reading":
        self._all.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._all.discard(self)


class SlowReaders:
    """Looks for calls whose caller has not taken a byte since the last look but three."""

    _LOOKS = 4

    def __init__(self, patience: float) -> None:
        """Take the longest time a caller may leave its answer unread, seconds."""
        self._pause = patience / self._LOOKS
        self._reading: set[Reading] = set()
        self._stuck: dict[Reading, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    def watching(self, call: Call) -> Reading:
        """Return `call` under watch, by the current task."""
        return Reading(call, self._reading)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look until `stop`."""
        self._loop = loop
        self._handle = loop.call_later(self._pause, self._look)

    def stop(self) -> None:
        """Look no longer; twice does no harm."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop = None

    def _look(self) -> None:
        stuck = {}
        for reading in self._reading:
            call = reading.call
            if call.waiting and call.size == reading.size:
                stuck[reading] = self._stuck.get(reading, 0) + 1
            reading.size = call.size
        for reading, looks in stuck.items():
            if looks >= self._LOOKS and reading.task is not None:
                reading.call.gone = True
                reading.task.cancel()
                _abort(reading.call)
        self._stuck = stuck
        if self._loop is not None:
            self._handle = self._loop.call_later(self._pause, self._look)


def _abort(call: Call) -> None:
    """Drop the connection with what it still has to write, since closing it would wait for the reader.

    ASGI has no word for this: it is done where the server shows its transport, and left to the server elsewhere.
    """
    abort = getattr(getattr(getattr(call.send, "__self__", None), "transport", None), "abort", None)
    if abort is not None:
        abort()
