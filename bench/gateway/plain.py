"""The floor: a pass-through that does nothing else, in bare ASGI on uvicorn with aiohttp as client.

In: any request. Out: the same, from the upstream. It parses, counts, checks and remembers nothing, so what
Stillwatch costs on top of it is what Stillwatch does.

Run: python -m bench.gateway.plain UPSTREAM_URL   (prints its port)
"""

import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import aiohttp
import uvicorn
from multidict import CIMultiDict
from yarl import URL

HOP: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"host", b"upgrade", b"te", b"trailer"})
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Plain:
    """The ASGI application."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request and its answer as they come."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = CIMultiDict((k.decode(), v.decode("latin-1")) for k, v in scope["headers"] if k not in HOP)
        url = URL(self.upstream + scope["raw_path"].decode(), encoded=True)
        assert self.session is not None
        async with self.session.request(scope["method"], url, data=body, headers=headers) as answer:
            kept = [(k.lower(), v) for k, v in answer.raw_headers if k.lower() not in HOP]
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        connector = aiohttp.TCPConnector(limit=0)
        self.session = aiohttp.ClientSession(
            connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout()
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.session.close()
        await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    """Serve until killed; print the port."""
    config = uvicorn.Config(
        Plain(sys.argv[1]), loop="uvloop", http="httptools", log_level="critical", access_log=False, proxy_headers=False
    )
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
