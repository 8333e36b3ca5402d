"""A faithful, scriptable model provider for tests: OpenAI's and Anthropic's APIs on one port, in a thread of its own.

    with FakeUpstream() as fake:
        client = openai.OpenAI(base_url=fake.openai_url, api_key="x")     # or anthropic with fake.url
        client.chat.completions.create(model="toy-chat?status=429&retry-after=1&times=1", ...)
        fake.received[-1].body, fake.received[-1].closed_early, fake.connections

Answers follow from the request and a seed alone, so that two ways to ask can be compared byte by byte. What goes
wrong is chosen a request at a time (`tests.fake_script`): header `x-fake`, or after `?` in the model's name, or
`fake.default` for requests that choose nothing. `times=n` counts per script text; `fake.forget()` starts anew.
Everything received is kept: raw bodies, headers, how many bytes went back, and whether the caller left first.
"""

import asyncio
import gzip
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from aiohttp import web

from tests.fake_reply import Answer
from tests.fake_script import Script

MODELS = ("toy-chat", "toy-large", "toy-embed")


@dataclass(kw_only=True, eq=False)
class Connection:
    """One TCP connection to the fake; times of `time.monotonic`."""

    opened: float
    closed: float | None = None
    requests: int = 0


@dataclass(kw_only=True, eq=False)
class Received:
    """One request as it arrived, and what became of its answer; times of `time.monotonic`."""

    arrived: float
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    """In the order of the wire, names in lower case."""
    raw: bytes
    """The body as it stood on the wire, zipped or not."""
    connection: Connection
    status: int = 0
    sent: bytearray = field(default_factory=bytearray)
    """Body bytes of the answer that were written, before any zipping."""
    ended: float | None = None
    """When the answer was complete; None when it never was."""
    closed_early: float | None = None
    """When the caller was seen to be gone before the answer was complete."""

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def body(self) -> bytes:
        """The body, unzipped."""
        return gzip.decompress(self.raw) if self.header("content-encoding") == "gzip" else self.raw

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class _Server(web.Server):
    """Notes when connections open and close."""

    def __init__(self, fake: "FakeUpstream", **more: Any) -> None:
        super().__init__(fake._handle, handler_cancellation=True, **more)
        self.fake = fake

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        connection = Connection(opened=time.monotonic())
        self.fake._open[id(handler)] = connection
        self.fake.connections.append(connection)

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.fake._open.pop(id(handler)).closed = time.monotonic()


class FakeUpstream:
    """See the module; `keys` refuses every other bearer token or `x-api-key` with 401."""

    def __init__(self, *, keys: tuple[str, ...] = (), models: tuple[str, ...] = MODELS, port: int = 0) -> None:
        self.keys, self.models, self.port = keys, models, port
        self.default = Script()
        self.received: list[Received] = []
        self.connections: list[Connection] = []
        self._open: dict[int, Connection] = {}
        self._used: Counter[str] = Counter()
        self._turns: dict[str, list[Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None

    # ---- life ----

    @property
    def url(self) -> str:
        """Base address, as Anthropic's client takes it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """Base address, as OpenAI's client takes it."""
        return f"{self.url}/v1"

    @property
    def open_connections(self) -> int:
        """TCP connections open now."""
        return sum(connection.closed is None for connection in list(self.connections))

    def __enter__(self) -> "FakeUpstream":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after `stop` on the same port as before."""
        begun = threading.Event()
        failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(begun, failed), name="fake-upstream", daemon=True)
        self._thread.start()
        begun.wait(10)
        if failed:
            raise failed[0]

    def stop(self) -> None:
        """Drop every connection and stop listening; twice does no harm."""
        if self._thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        self._thread = None

    def forget(self) -> None:
        """Forget what was received and how often each script was used."""
        self.received.clear()
        self.connections[:] = [connection for connection in self.connections if connection.closed is None]
        self._used.clear()

    def _run(self, begun: threading.Event, failed: list[BaseException]) -> None:
        try:
            asyncio.run(self._serve(begun))
        except BaseException as error:
            failed.append(error)
        finally:
            begun.set()

    async def _serve(self, begun: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = _Server(self, auto_decompress=False, access_log=None, keepalive_timeout=60.0)
        runner = web.ServerRunner(server, shutdown_timeout=0.05)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        begun.set()
        await self._stopping.wait()
        await runner.cleanup()

    # ---- one request ----

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = self._open[id(request.protocol)]
        connection.requests += 1
        if request.headers.get("expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        arrived = time.monotonic()
        raw = await request.content.read()
        seen = Received(
            arrived=arrived,
            method=request.method,
            path=request.path,
            query=request.query_string,
            headers=[(name.decode().lower(), value.decode("latin-1")) for name, value in request.raw_headers],
            raw=raw,
            connection=connection,
        )
        self.received.append(seen)
        try:
            return await Answer(self, request, seen).give()
        except (asyncio.CancelledError, ConnectionError):
            seen.closed_early = time.monotonic()
            raise

    def script_for(self, seen: Received, model: Any) -> Script:
        """Return what was asked for this request; once `times` is used up, the default."""
        text = seen.header("x-fake") or (model.partition("?")[2] if type(model) is str else "")
        if not text:
            return self.default
        script = Script.read(text)
        self._used[text] += 1
        return script if not script.times or self._used[text] <= script.times else self.default
