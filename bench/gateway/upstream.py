"""The dummy model that every proxy is put before: answers at once, or one chunk each 20 ms.

In: HTTP/1.1 with keep-alive on one port. Out: canned chat answers, byte for byte the same each time but for clock
stamps. `GET /-/closed` tells when each stream that was cut off was seen to close, `GET /-/open` what is open now.
Cost: some 12 us of processor time a request. A process of its own, so that nothing of it counts as the proxy's.

Run: python -m bench.gateway.upstream   (prints its port)
"""

import asyncio
import json
import time
from typing import Final, cast

import uvloop

from bench.gateway import wire

ANSWER: Final = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1790000000,
        "model": wire.JSON,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": wire.ANSWER}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 180, "completion_tokens": 96, "total_tokens": 276},
    }
).encode()
WHOLE: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req-bench\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
)
STREAM: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-request-id: req-bench\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
USAGE: Final = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1790000000,"model":"bench","choices":[],'
    b'"usage":{"prompt_tokens":180,"completion_tokens":96,"total_tokens":276}}\n\n'
)
DONE: Final = b"data: [DONE]\n\n"
LAST: Final = b"0\r\n\r\n"


class Book:
    """What the upstream remembers: connections, streams under way, when cut streams closed."""

    def __init__(self) -> None:
        self.connections = 0
        self.streams = 0
        self.requests = 0
        self.closed: dict[int, float] = {}

    def told(self, path: bytes) -> bytes:
        """Return the answer to a control question as an HTTP response; `/-/closed` forgets what it told."""
        found: object = {"connections": self.connections, "streams": self.streams, "requests": self.requests}
        if path.endswith(b"closed"):
            found, self.closed = self.closed, {}
        text = json.dumps(found).encode()
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(text), text)


class Upstream(asyncio.Protocol):
    """One connection: parses just enough of HTTP to know where a request ends."""

    def __init__(self, book: Book, loop: asyncio.AbstractEventLoop) -> None:
        self.book, self.loop = book, loop
        self.buffer = b""
        self.ticket = -1
        """Number of the stream under way; -1 when none is."""
        self.left = 0
        self.usage = False
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        self.transport = cast(asyncio.Transport, transport)
        self.book.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Note when a stream under way was cut off."""
        self.book.connections -= 1
        if self.timer is not None:
            self.timer.cancel()
            self.book.streams -= 1
            self.book.closed[self.ticket] = time.monotonic()

    def data_received(self, data: bytes) -> None:
        """Answer every request that has wholly arrived."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            size = self._size(head, end + 4)
            if size < 0 or len(self.buffer) < size:
                return
            body, self.buffer = self.buffer[end + 4 : size], self.buffer[size:]
            self._answer(head, body)

    def _size(self, head: bytes, begin: int) -> int:
        """Return where the request ends in the buffer; -1 when that is not known yet."""
        at = head.find(b"content-length:")
        if at >= 0:
            return begin + int(head[at + 15 :].split(b"\r\n", 1)[0])
        if b"transfer-encoding: chunked" in head:
            last = self.buffer.find(LAST, begin)
            return last + len(LAST) if last >= 0 else -1
        return begin

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get"):
            self.transport.write(self.book.told(head.split(b" ", 2)[1]))
            return
        self.book.requests += 1
        if not wire.STREAM_ASKED.search(body):
            self.transport.write(WHOLE)
            return
        self.usage = wire.USAGE_ASKED.search(body) is not None
        if wire.BURST.encode() in body:
            self.transport.write(STREAM + BURST + (wire.framed(USAGE) if self.usage else b"") + ENDED)
            return
        ticket, asked = wire.TICKET.search(body), wire.CHUNKS_ASKED.search(body)
        self.ticket, self.left = int(ticket.group(1)) if ticket else 0, int(asked.group(1)) if asked else 64
        self.book.streams += 1
        self.transport.write(STREAM)
        self.due = self.loop.time()
        self._tick()

    def _tick(self) -> None:
        """Send one chunk and ask to be called for the next."""
        if self.left == 0:
            self.timer = None
            self.book.streams -= 1
            self.transport.write((wire.framed(USAGE) if self.usage else b"") + ENDED)
            return
        self.left -= 1
        self.transport.write(wire.framed(wire.chunk("lemon " + wire.stamp(time.monotonic()))))
        self.due += wire.PACE
        self.timer = self.loop.call_at(self.due, self._tick)


BURST: Final = b"".join(wire.framed(wire.chunk("lemon ", model=wire.BURST)) for _ in range(wire.BURST_CHUNKS))
ENDED: Final = wire.framed(wire.chunk("", finish='"stop"')) + wire.framed(DONE) + LAST


async def serve() -> None:
    """Serve until killed; print the port."""
    loop, book = asyncio.get_running_loop(), Book()
    server = await loop.create_server(lambda: Upstream(book, loop), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
