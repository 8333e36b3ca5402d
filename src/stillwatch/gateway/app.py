"""The gateway as a bare ASGI application: one instance a worker, no framework, nothing per request but its `Call`.

In: ASGI 3 scopes of type `http` and `lifespan`. Out: answers; events to the recorder once the answer has gone.
Run it with `SERVER_OPTIONS`. Cost: about 0.4 ms a request and 0.1 ms a chunk, server and client included.
Left to `passage`: the way of one request. Left to `app`: processes, desk, recorder.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from stillwatch.gateway.body import Receive
from stillwatch.gateway.call import Call, Scope, Send
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.identity import Trust
from stillwatch.gateway.metrics import LagSampler, Metrics
from stillwatch.gateway.notes import Notes
from stillwatch.gateway.orders import Orders
from stillwatch.gateway.own import OwnAnswers, unserved
from stillwatch.gateway.passage import Passage
from stillwatch.gateway.ports import Desk, Recorder
from stillwatch.gateway.readers import SlowReaders
from stillwatch.gateway.record import LEFT, served_of
from stillwatch.gateway.requestids import RequestIds
from stillwatch.gateway.routes import ANTHROPIC, find_route
from stillwatch.gateway.treater import Treater
from stillwatch.gateway.twins import TwinPlan, Twins
from stillwatch.gateway.upstream import Upstream

SERVER_OPTIONS: Final[dict[str, Any]] = {
    "http": "httptools",
    "loop": "uvloop",
    "ws": "none",
    "lifespan": "on",
    "proxy_headers": False,
    "server_header": False,
    "date_header": False,
    "access_log": False,
    "timeout_keep_alive": 75,
}
"""What uvicorn must be told: believe no proxy, add no header to the upstream's, write no access log."""
_RECORDED: Final = ("model", "stored")


class Gateway:
    """ASGI application; `metrics` and `drain` are for who runs it."""

    def __init__(
        self, config: GatewayConfig, desk: Desk, recorder: Recorder, upstream: Upstream, clock: Callable[[], float]
    ) -> None:
        """Take the parts.

        Args:
            config: Section `[gateway]`.
            desk: Keys, actions, limits.
            recorder: Where events go.
            upstream: The model server; opened and closed by this application's lifespan.
            clock: Event time, seconds since 1970.
        """
        self.metrics = Metrics()
        self._config = config
        self._recorder = recorder
        self._upstream = upstream
        self._clock = clock
        self._notes = Notes()
        self._trust = Trust(config)
        self._orders = Orders(desk, self.metrics, self._notes, config.public_url)
        self._passage = Passage(config, self._orders, upstream, self.metrics, self._notes)
        self._own = OwnAnswers(self._passage, self._orders)
        self._lag = LagSampler(self.metrics)
        self._ids = RequestIds()
        self._readers = SlowReaders(config.reader_seconds)

    def treat_with(self, treater: Treater) -> None:
        """Take who begins treatments; without this each worker draws a secret of its own for them."""
        self._passage.treater = treater

    def draw_twins(self, plan: TwinPlan) -> None:
        """Draw second answers to some requests from now on."""
        self._passage.twins = Twins(plan, self._upstream, self._recorder, self.metrics)

    def drain(self) -> None:
        """Take no part in balancing any more: not ready, connections closed after each answer; answers go on."""
        if not self._passage.draining:
            self._passage.draining = True
            self._notes.lifecycle("draining", in_flight=self.metrics.in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def open(self) -> None:
        """Open the upstream and start measuring; the lifespan does this."""
        loop = asyncio.get_running_loop()
        await self._upstream.open()
        self._lag.start(loop)
        self._readers.start(loop)
        self._notes.lifecycle("started")

    async def close(self) -> None:
        """Let go of the upstream; the lifespan does this."""
        self._readers.stop()
        self._lag.stop()
        if self._passage.twins is not None:
            await self._passage.twins.close()
        await self._upstream.close()
        self._notes.lifecycle("stopped")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = find_route(scope["path"])
        if route.name == "models" or route.kind == "unknown":
            route = route.on_wire(ANTHROPIC) if _speaks_anthropic(scope) else route
        call = Call(scope, send, route, self._ids.next(), self._config.max_recorded_bytes)
        metrics = self.metrics
        metrics.in_flight += 1
        try:
            if scope["method"] == "OPTIONS" and route.methods:
                await self._own.options(call)
            elif scope["method"] not in route.methods:
                await self._passage.say(call, unserved(call))
            elif route.kind == "own":
                await self._own.take(call)
            else:
                call.time = self._clock()
                with self._readers.watching(call):
                    await self._passage.take(call, receive)
        except asyncio.CancelledError:
            call.gone = True
            raise
        finally:
            metrics.in_flight -= 1
            self._close_books(call)

    def _close_books(self, call: Call) -> None:
        """Count the call, settle its cost and hand over its event; the caller has its answer."""
        metrics = self.metrics
        status = LEFT if call.gone else call.status
        metrics.requests[call.route.name, f"{status // 100}xx", call.action_name] += 1
        metrics.bytes_out += call.size
        metrics.disconnects += call.gone
        metrics.latency.add(time.perf_counter() - call.arrived)
        self._orders.settle(call)
        if call.route.kind not in _RECORDED or call.heads is None or call.caller is None or call.plain is None:
            return
        try:
            served = served_of(call, call.heads, call.caller, self._trust, self._config.max_recorded_bytes)
            taken = self._recorder.record(served)
            if call.twin is not None:
                call.twin.settle(served, answered=call.answered, finished=call.finished)
        except Exception as error:
            self._notes.failure("not_recorded", error)
            taken = False
        if taken:
            metrics.recorded += 1
        else:
            metrics.dropped += 1


def _speaks_anthropic(scope: Scope) -> bool:
    return any(name == b"anthropic-version" for name, _ in scope["headers"])
