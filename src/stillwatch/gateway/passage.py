"""The way of one request: whose it is, what policy orders, upstream, and back to the caller.

In: a `Call` and ASGI's receive. Out: an answer. A caller that leaves ends the upstream's work at once.
Cost: about 0.4 ms a request, most of it in the HTTP client and server.
Left to `orders`: keys, actions and buckets; left to `record`: the event.
"""

import asyncio
import secrets
import time
from typing import Final

import aiohttp

from stillwatch.gateway.answer import UPSTREAM_DIED, Relay
from stillwatch.gateway.body import Receive, read_body, unzipped
from stillwatch.gateway.call import Call
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.departure import Departure
from stillwatch.gateway.errors import Fault, TurnedAway, error_body, error_headers, upstream_fault
from stillwatch.gateway.fields import Asked, FieldRules
from stillwatch.gateway.identity import HeaderReader, Heads, Pairs
from stillwatch.gateway.jsonbytes import write_json
from stillwatch.gateway.metrics import Metrics
from stillwatch.gateway.notes import Notes
from stillwatch.gateway.orders import Orders
from stillwatch.gateway.treater import Treater
from stillwatch.gateway.twins import Twins
from stillwatch.gateway.upstream import Upstream
from stillwatch.treatments import Treatment

_FAILED: Final = Fault(
    status=500, code="gateway_error", message="The gateway failed on this request. Try again.", retry_after=1.0
)


class Passage:
    """Takes calls through, under one configuration."""

    def __init__(
        self, config: GatewayConfig, orders: Orders, upstream: Upstream, metrics: Metrics, notes: Notes
    ) -> None:
        self.draining = False
        self.treater = Treater(secrets.token_bytes(32))
        """Begins treatments."""
        self.twins: Twins | None = None
        """Draws second answers to some requests; None where nobody wants them."""
        self._config = config
        self._orders = orders
        self._upstream = upstream
        self._metrics = metrics
        self._notes = notes
        self._headers = HeaderReader(config)
        self._fields = FieldRules(config)
        self._relay = Relay(metrics, lambda: self.draining, self._untreated)

    async def take(self, call: Call, receive: Receive) -> None:
        """Answer one call. Only a cancellation from outside is raised."""
        try:
            heads = self.identify(call)
            config = self._config
            raw = await read_body(receive, heads.length, config.max_body_bytes, config.body_seconds)
            departure = Departure(call, receive)
            try:
                await self._onward(call, heads, raw)
            finally:
                departure.stop()
        except TurnedAway as turned:
            await self.say(call, turned.fault)
        except ConnectionResetError:
            call.gone = True
        except asyncio.CancelledError:
            if not call.gone:
                raise
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
        except Exception as error:
            await self.fail(call, error)

    async def fail(self, call: Call, error: Exception) -> None:
        """Note that the gateway's own code failed, and say so while nothing else was said."""
        self._notes.failure("gateway_error", error, route=call.route.name)
        if not call.started:
            await self.say(call, _FAILED)

    def identify(self, call: Call) -> Heads:
        """Read the call's headers and find out whose key it carries.

        Raises:
            TurnedAway: nobody's (401), or keys cannot be checked at the moment (503).
        """
        heads = call.heads = self._headers.read(call.scope["headers"])
        call.caller = self._orders.caller_of(heads, call.scope)
        return heads

    async def say(self, call: Call, fault: Fault) -> None:
        """Answer with an error in the caller's protocol."""
        wire = call.route.wire
        body = error_body(fault, wire, call.request_id)
        headers = error_headers(fault, wire, call.request_id, time.time())
        headers.append((b"content-length", b"%d" % len(body)))
        if self.draining and not fault.close:
            headers.append((b"connection", b"close"))
        call.status = fault.status
        call.started = True
        await call.send({"type": "http.response.start", "status": fault.status, "headers": headers})
        await call.send({"type": "http.response.body", "body": body, "more_body": False})
        call.finished = True

    async def _onward(self, call: Call, heads: Heads, raw: bytes) -> None:
        caller, route = call.caller, call.route
        assert caller is not None
        coding = heads.coding
        plain = call.plain = await unzipped(raw, coding, self._config.max_body_bytes) if coding else raw
        self._metrics.bytes_in += len(raw)
        if route.kind == "model" or plain:
            call.asked = self._fields.read(plain, route.endpoint)
        edits: Treatment | None = None
        if route.kind != "plain":
            self._orders.weigh(call, caller)
            if call.action.bites:
                edits = self._edits(call)
        self._orders.admit(call, caller)
        if call.action.bites and call.action.delay_seconds > 0.0:
            await asyncio.sleep(call.action.delay_seconds)
        pairs = heads.pairs
        if call.asked is not None:
            if self.twins is not None:
                call.twin = self.twins.plan(call, call.asked.body)
            raw, pairs = self._outgoing(call.asked, raw, pairs, edits)
        await self._exchange(call, pairs + self._upstream.credentials(heads), raw, edits)

    def _edits(self, call: Call) -> Treatment | None:
        try:
            return self.treater.begin(call, time.time())
        except Exception as error:
            self._untreated(error)
            return None

    def _outgoing(self, asked: Asked, raw: bytes, pairs: Pairs, edits: Treatment | None) -> tuple[bytes, Pairs]:
        """The body and headers to send: those that came, unless something has to be changed."""
        if edits is not None:
            try:
                changed = edits.edit_request(asked.body)
                if changed is not None:
                    asked.body, asked.changed = changed, True
            except Exception as error:
                self._untreated(error)
        replaced = set()
        if asked.changed:
            raw = write_json(asked.body)
            replaced.add("content-encoding")
        if edits is not None or asked.strip_usage:
            replaced.add("accept-encoding")
        if replaced:
            pairs = [pair for pair in pairs if pair[0] not in replaced]
        if "accept-encoding" in replaced:
            pairs.append(("accept-encoding", "identity"))
        asked.body = {}
        return raw, pairs

    async def _exchange(self, call: Call, pairs: Pairs, raw: bytes, edits: Treatment | None) -> None:
        scope = call.scope
        query = scope["query_string"]
        target = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
        begun = time.perf_counter()
        try:
            ask = self._upstream.request if call.twin is None else call.twin.ask
            response = await ask(scope["method"], target, pairs, raw)
        except UPSTREAM_DIED as error:
            raise self._unanswered(error) from None
        now = time.perf_counter()
        self._metrics.upstream_wait.add(now - begun)
        self._metrics.first_byte.add(now - call.arrived)
        if response.status >= 500:
            self._metrics.upstream_errors["status"] += 1
        try:
            await self._relay.pass_on(call, response, edits)
        except UPSTREAM_DIED as error:
            raise self._unanswered(error) from None
        finally:
            if not response.content.at_eof():
                response.close()

    def _unanswered(self, error: BaseException) -> TurnedAway:
        """The upstream failed before anything was said to the caller."""
        reached = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        late = isinstance(error, TimeoutError) and reached
        kind = "connect" if not reached else "timeout" if late else "died"
        self._metrics.upstream_errors[kind] += 1
        self._notes.trouble("upstream_failed", kind=kind, error=type(error).__name__)
        return TurnedAway(upstream_fault(late=late, reached=reached))

    def _untreated(self, error: BaseException) -> None:
        self._metrics.failed_open["treatment"] += 1
        self._notes.failure("failed_open", error, stage="treatment")
