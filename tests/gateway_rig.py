"""A gateway under test on one event loop: a real uvicorn server on a port, a desk and a recorder made of lists.

async with rig(fake.url) as gateway:
    answer = await gateway.ask("/v1/chat/completions", {"model": "m", "messages": []})
    gateway.events[0].status
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import uvicorn
import uvloop

from stillwatch.gateway.app import SERVER_OPTIONS, Gateway
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.ports import Caller, Refusal
from stillwatch.gateway.upstream import Upstream
from stillwatch.terms.action import ALLOW, Action, Standing
from stillwatch.terms.served import Served

KEY = "sk-caller"
UPSTREAM_KEY = "sk-upstream"
CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


@dataclass
class PlainDesk:
    """Knows one key; does what it is told; breaks where it is told to."""

    order: Action = ALLOW
    says: Refusal | None = None
    full: Refusal | None = None
    loaded: bool = True
    breaks: frozenset[str] = frozenset()
    asked: list[tuple[str, str]] = field(default_factory=list)
    settled: list[tuple[int, int]] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)

    def _may_break(self, stage: str) -> None:
        if stage in self.breaks:
            raise RuntimeError(f"{stage} is broken: secret text")

    def caller(self, secret: str, now: float) -> Caller | None:
        self._may_break("caller")
        return Caller(account="acme", key_id="k_1", organisation="org", plan="pro") if secret == KEY else None

    def ready(self, now: float) -> bool:
        self._may_break("ready")
        return self.loaded

    def action(self, caller: Caller, model: str, endpoint: str, now: float) -> Action:
        self.asked.append((model, endpoint))
        self._may_break("action")
        return self.order

    def admit(self, caller: Caller, action: Action, tokens: int, now: float) -> Refusal | None:
        self._may_break("admit")
        self.taken.append(tokens)
        return self.full

    def settle(self, caller: Caller, estimated: int, used: int, now: float) -> None:
        self._may_break("settle")
        self.settled.append((estimated, used))

    def refusal(self, caller: Caller, action: Action, now: float) -> Refusal | None:
        self._may_break("refusal")
        return self.says if action.kind in ("challenge", "refuse") else None

    def standing(self, caller: Caller, now: float) -> Standing:
        return Standing(state="restricted", reason="unusual_use", since=10.0, effect="slower", appeal="ap_1")


class Events(list[Served]):
    """A recorder; `full` drops everything."""

    full = False

    def record(self, served: Served) -> bool:
        if not self.full:
            self.append(served)
        return not self.full


@dataclass
class Answer:
    """One answer as the wire has it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Rig:
    """A running gateway and a client for it."""

    def __init__(self, app: Gateway, desk: PlainDesk, events: Events, port: int) -> None:
        self.app, self.desk, self.events, self.port = app, desk, events, port
        self.open_connections: Callable[[], int] = lambda: 0
        self.url = f"http://127.0.0.1:{port}"

    async def ask(
        self, path: str, body: Any = None, *, method: str = "", headers: dict[str, str] | None = None, url: str = ""
    ) -> Answer:
        """Send one request, to the gateway unless `url` names another, and return its whole answer."""
        return await ask(url or self.url, path, body, method=method, headers=headers)

    async def event(self, n: int = 1, patience: float = 3.0) -> Served:
        """Return event number `n`, once it is there."""
        await until(lambda: len(self.events) >= n, patience)
        return self.events[n - 1]


async def ask(
    url: str, path: str, body: Any = None, *, method: str = "", headers: dict[str, str] | None = None
) -> Answer:
    """Send one request and return its whole answer, zipped as it came."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    given = {"authorization": f"Bearer {KEY}", "content-type": "application/json", **(headers or {})}
    async with (
        aiohttp.ClientSession(auto_decompress=False, skip_auto_headers=("Accept-Encoding",)) as session,
        session.request(
            method or ("GET" if body is None else "POST"), url + path, data=data, headers=given, allow_redirects=False
        ) as response,
    ):
        content = await response.read()
        pairs = [(name.decode(), value.decode("latin-1")) for name, value in response.raw_headers]
        return Answer(response.status, pairs, content)


async def until(true: Callable[[], bool], patience: float = 3.0) -> float:
    """Wait until something is true; return how long that took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < patience, "waited in vain"
        await asyncio.sleep(0.002)
    return time.monotonic() - begun


@asynccontextmanager
async def rig(upstream: str, desk: PlainDesk | None = None, **settings: Any) -> AsyncIterator[Rig]:
    """Run a gateway in front of `upstream`; `settings` go to its configuration."""
    config = GatewayConfig(upstream=upstream, **settings)
    desk, events = desk or PlainDesk(), Events()
    app = Gateway(config, desk, events, Upstream(config, UPSTREAM_KEY), time.time)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options: dict[str, Any] = {**SERVER_OPTIONS, "log_config": None, "timeout_graceful_shutdown": 1}
        server = uvicorn.Server(uvicorn.Config(app, **options))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started or task.done())
        try:
            found = Rig(app, desk, events, listener.getsockname()[1])
            found.open_connections = lambda: len(server.server_state.connections)
            yield found
        finally:
            server.should_exit = True
            await task


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run an asynchronous test on the loop that workers run on."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


@asynccontextmanager
async def raw_upstream(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Run an upstream that writes raw bytes; yields its address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def stored_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve an upstream that stores answers: whatever is asked, one answer with probabilities and an id."""
    head = await read_request(reader)
    part = {"type": "output_text", "text": "hi", "logprobs": [{"token": "hi", "logprob": -0.5}]}
    body = json.dumps({"id": "resp_1", "output": [{"type": "message", "content": [part]}], "object": "response"})
    kind = b"deleted" if head.startswith(b"DELETE") else b"answered"
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-was: %s\r\n" % kind)
    writer.write(b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body.encode())
    await writer.drain()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read one request with a content-length; return head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    return head + await reader.readexactly(length)
