"""Stillwatch inside another ASGI application, such as a model server: no hop, the same policy and the same events.

In: an ASGI application, a desk, a recorder. Out: an ASGI application that asks who calls, does what policy orders,
lets the application answer, and records the exchange however it ends. Answers pass as they are made.
Paths that carry no exchange are passed on untouched, before anything is read. `/invocations`, which vLLM leaves open
beside its own key check, is treated as what its body asks for; paths on which it answers past every door are closed.
Cost: about 0.1 ms a request. Left to `app.middleware`: reading settings. Left to `app.watch`: the events.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Final

import orjson

from stillwatch.gateway.body import Receive, read_body, unzipped
from stillwatch.gateway.call import Call, Scope, Send
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.errors import Fault, TurnedAway, error_body, error_headers
from stillwatch.gateway.fields import Asked, FieldRules
from stillwatch.gateway.identity import HeaderReader, Heads, Trust
from stillwatch.gateway.inner import ASGIApp, Inner
from stillwatch.gateway.metrics import Metrics
from stillwatch.gateway.notes import Notes
from stillwatch.gateway.orders import Orders
from stillwatch.gateway.ports import Caller, Desk, Recorder
from stillwatch.gateway.record import LEFT, served_of
from stillwatch.gateway.routes import Route, find_route
from stillwatch.gateway.treater import Treater
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments import Treatment

IDENTITIES: Final = ("keys", "header", "optional")
_INVOCATIONS: Final = Route(kind="model", name="invocations")
_EXCHANGES: Final = ("model", "stored")
_BY_FIELD: Final = (("messages", "chat"), ("prompt", "completions"), ("input", "embeddings"))
_MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MiddlewareConfig:
    """Section `[middleware]`: Stillwatch inside a model server."""

    identity: str = "keys"
    """`keys`: the caller shows a key of this gateway, or gets 401. `header`: an authenticating proxy in front names
    the account in `account_header`, or the caller gets 401. `optional`: an unknown key is an account of its own."""
    account_header: str = "x-stillwatch-account"
    """Header that names the account, for `identity = "header"`; whoever can reach the server can write it."""

    closed_paths: tuple[str, ...] = (
        "/v1/chat/completions/batch", "/v1/decisions", "/v1/systemone", "/generative_scoring", "/inference",
    )  # fmt: skip
    """Paths, with all below them, that are answered with 404: a model answers there, and none of it would be seen."""

    def __post_init__(self) -> None:
        for path in self.closed_paths:
            if not path.startswith("/") or path.endswith("/"):
                raise StillwatchError(f"middleware.closed_paths: {path!r}; must begin with a slash and end without.")
        if self.identity not in IDENTITIES:
            raise StillwatchError(f"middleware.identity = {self.identity!r}: must be one of {', '.join(IDENTITIES)}.")
        if not self.account_header.isascii() or not self.account_header:
            raise StillwatchError("middleware.account_header: must be the name of a header, in ASCII.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What the middleware is made of."""

    desk: Desk
    recorder: Recorder
    gateway: GatewayConfig = GatewayConfig()
    """Bounds, field rules and trusted proxies; its upstream is not used."""
    middleware: MiddlewareConfig = MiddlewareConfig()
    treater: Treater = field(default_factory=lambda: Treater(secrets.token_bytes(32)), repr=False)
    """Begins treatments; give one with a secret that is the same in every process."""
    clock: Callable[[], float] = time.time
    """Event time, seconds since 1970."""


class Watched:
    """An ASGI application with Stillwatch around it; `metrics` counts what the gateway's does."""

    def __init__(self, app: ASGIApp, wiring: Wiring) -> None:
        self.metrics = Metrics()
        self._app = app
        self._wiring = wiring
        self._notes = Notes()
        self._orders = Orders(wiring.desk, self.metrics, self._notes)
        self._trust = Trust(wiring.gateway)
        self._headers = HeaderReader(wiring.gateway)
        self._fields = FieldRules(replace(wiring.gateway, include_usage=False))
        self._closed = wiring.middleware.closed_paths
        self._header = wiring.middleware.account_header.lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        route = _route(scope) if scope["type"] == "http" else None
        if route is None and scope["type"] == "http" and _is_below(_path(scope), self._closed):
            await self._say(Call(scope, send, _CLOSED_ROUTE, f"req_{secrets.token_hex(12)}", 0), _CLOSED)
            return
        if route is None:
            await self._app(scope, receive, send)
            return
        call = Call(scope, send, route, f"req_{secrets.token_hex(12)}", self._wiring.gateway.max_recorded_bytes)
        call.time = self._wiring.clock()
        self.metrics.in_flight += 1
        try:
            await self._take(call, receive)
        except asyncio.CancelledError:
            call.gone = not call.finished
            raise
        finally:
            self.metrics.in_flight -= 1
            self._close_books(call)

    async def _take(self, call: Call, receive: Receive) -> None:
        gateway = self._wiring.gateway
        try:
            heads = call.heads = self._headers.read(call.scope["headers"])
            caller = call.caller = self._caller(call, heads)
            if call.route.kind == "own":
                await self._tell(call, caller)
                return
            raw = await read_body(receive, heads.length, gateway.max_body_bytes, gateway.body_seconds)
            call.plain = await unzipped(raw, heads.coding, gateway.max_body_bytes)
            edits = await self._admitted(call, caller, call.plain)
        except ConnectionResetError:
            call.gone = True
            return
        except TurnedAway as turned:
            await self._say(call, turned.fault)
            return
        inner = Inner(call, raw, edits, self._passed_over)
        await inner.run(self._app, receive)

    def _caller(self, call: Call, heads: Heads) -> Caller:
        how, desk = self._wiring.middleware.identity, self._wiring.desk
        if how == "header":
            named = {value.strip() for name, value in call.scope["headers"] if name == self._header}
            if len(named) != 1 or b"" in named:  # a second one is what a caller wrote and the proxy did not take out
                raise TurnedAway(_NAMELESS)
            return desk.holder(named.pop().decode("utf-8", "replace")[:_MAX_NAME])
        if how == "keys":
            return self._orders.caller(heads.secret)
        try:
            return self._orders.caller(heads.secret)
        except TurnedAway:
            return desk.holder(_stand_in(heads.secret))

    async def _admitted(self, call: Call, caller: Caller, plain: bytes) -> Treatment | None:
        """Ask policy, and wait where it says so; return the edits that it orders."""
        asked = Asked({})
        if call.route.kind == "model" or plain:
            asked = call.asked = self._fields.read(plain, call.route.endpoint)
        if call.route is _INVOCATIONS:
            endpoint = next((name for part, name in _BY_FIELD if part in asked.body), "other")
            call.route = replace(_INVOCATIONS, endpoint=endpoint)
        self._orders.weigh(call, caller)
        self._orders.admit(call, caller)
        if not call.action.bites:
            return None
        if call.action.delay_seconds > 0.0:
            await asyncio.sleep(call.action.delay_seconds)
        try:
            edits = self._wiring.treater.begin(call, time.time())
            changed = edits.edit_request(asked.body) if edits is not None and call.asked is not None else None
        except Exception as error:
            self._passed_over(error)
            return None
        if changed is not None:
            asked.body, asked.changed = changed, True
        return edits

    async def _tell(self, call: Call, caller: Caller) -> None:
        content = orjson.dumps(asdict(self._orders.standing(caller)))
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await _answer(call, 200, headers, content)

    async def _say(self, call: Call, fault: Fault) -> None:
        wire = call.route.wire
        headers = error_headers(fault, wire, call.request_id, time.time())
        await _answer(call, fault.status, headers, error_body(fault, wire, call.request_id))

    def _close_books(self, call: Call) -> None:
        """Count the call, settle its cost and hand over its event."""
        metrics, wiring = self.metrics, self._wiring
        status = LEFT if call.gone else call.status
        metrics.requests[call.route.name, f"{status // 100}xx", call.action_name] += 1
        metrics.disconnects += call.gone
        metrics.latency.add(time.perf_counter() - call.arrived)
        self._orders.settle(call)
        if call.route.kind not in _EXCHANGES or call.heads is None or call.caller is None or call.plain is None:
            return
        try:
            served = served_of(call, call.heads, call.caller, self._trust, wiring.gateway.max_recorded_bytes)
            taken = wiring.recorder.record(served)
        except Exception as error:
            self._notes.failure("not_recorded", error)
            taken = False
        metrics.recorded += taken
        metrics.dropped += not taken

    def _passed_over(self, error: BaseException) -> None:
        self.metrics.failed_open["treatment"] += 1
        self._notes.failure("failed_open", error, stage="treatment")


_NAMELESS: Final = Fault(
    status=401,
    code="missing_account",
    message="The account is not named. The proxy in front of this server must say who calls.",
)


_CLOSED: Final = Fault(
    status=404,
    code="unsupported_endpoint",
    message="This path is not served here. Send each request on its own, such as to /v1/chat/completions.",
)
_CLOSED_ROUTE: Final = Route(kind="unknown", name="closed")


def _path(scope: Scope) -> str:
    return str(scope["path"].removeprefix(scope.get("root_path", "")))


def _is_below(path: str, tops: tuple[str, ...]) -> bool:
    return any(path == top or path.startswith(f"{top}/") for top in tops)


def _route(scope: Scope) -> Route | None:
    """Return what the path is where it matters here; None for all that is closed or passed on untouched."""
    path = _path(scope)
    route = _INVOCATIONS if path == "/invocations" else find_route(path)
    mine = route.kind in _EXCHANGES or path == "/v1/account/standing"
    return route if mine and scope["method"] in route.methods else None


def _stand_in(secret: str) -> str:
    """An unknown key is an account of its own; who shows none is everybody without a key."""
    if not secret:
        return "unnamed"
    return "key-" + hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


async def _answer(call: Call, status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(content)))
    call.status, call.started = status, True
    await call.send({"type": "http.response.start", "status": status, "headers": headers})
    await call.send({"type": "http.response.body", "body": content})
    call.finished = True
