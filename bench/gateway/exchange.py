"""One keep-alive connection of the load client: sends a request, says when its answer is complete.

In: bytes. Out: status, arrival times, lags of stamped chunks. Parses just enough to know where an answer ends.
"""

import asyncio
import time
from collections.abc import Callable
from typing import cast

from bench.gateway import wire

END = b"0\r\n\r\n"


class Wire(asyncio.Protocol):
    """A connection; `done` is called at the end of each answer, `lost` when the other side closes first."""

    def __init__(self, done: Callable[["Wire"], None]) -> None:
        self.done = done
        self.status = 0
        """Status of the answer under way; 0 before its head, -1 when the connection closed before its end."""
        self.begun = 0.0
        self.ended = 0.0
        self.lags: list[float] = []
        self.events = 0
        self.first: Callable[[Wire], None] | None = None
        """Called once, when the first stamped chunk of the answer under way has come."""
        self.key = 0
        self.ticket = 0
        self._head = b""
        self._left = 0
        self._tail = b""
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the waiting caller that nothing more comes."""
        if self._busy:
            self._finish(-1 if self.status == 0 or self.status == 200 else self.status)

    def send(self, request: bytes) -> None:
        """Send one request; one at a time."""
        self.status, self._head, self._tail, self._busy = 0, b"", b"", True
        self.begun = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Follow the answer until its end."""
        if self.status == 0:
            self._head += data
            at = self._head.find(b"\r\n\r\n")
            if at < 0:
                return
            head, data = self._head[:at].lower(), self._head[at + 4 :]
            self.status = int(head[9:12])
            length = head.find(b"content-length:")
            self._left = int(head[length + 15 :].split(b"\r\n", 1)[0]) if length >= 0 else -1
        if self._left >= 0:
            self._left -= len(data)
            if self._left == 0:
                self._finish(self.status)
            return
        self._follow(data)

    def _follow(self, data: bytes) -> None:
        """Follow a chunked answer."""
        found = wire.stamped(data)
        if found:
            now = time.monotonic()
            self.events += len(found)
            self.lags += [now - sent for sent in found]
            if self.first is not None:
                self.first(self)
                self.first = None
        else:
            self.events += data.count(b'"delta":{')
        self._tail = (self._tail + data)[-len(END) :]
        if self._tail == END:
            self._finish(self.status)

    def _finish(self, status: int) -> None:
        self.ended = time.perf_counter()
        self.status, self._busy = status, False
        self.done(self)
