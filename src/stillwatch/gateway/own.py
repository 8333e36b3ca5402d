"""Answers that come from the gateway itself: health, readiness, an account's standing, and paths it does not serve."""

from dataclasses import asdict
from typing import Any

import orjson

from stillwatch.gateway.call import Call
from stillwatch.gateway.errors import Fault, TurnedAway
from stillwatch.gateway.orders import Orders
from stillwatch.gateway.passage import Passage


class OwnAnswers:
    """Serves the routes that need no upstream."""

    def __init__(self, passage: Passage, orders: Orders) -> None:
        self._passage = passage
        self._orders = orders

    async def take(self, call: Call) -> None:
        """Answer one call."""
        try:
            await self._take(call)
        except TurnedAway as turned:
            await self._passage.say(call, turned.fault)
        except Exception as error:
            await self._passage.fail(call, error)

    async def _take(self, call: Call) -> None:
        name = call.route.name
        if name == "healthz":
            await self._json(call, 200, {"status": "ok"})
        elif name == "readyz":
            draining = self._passage.draining
            keys = self._orders.ready()
            ready = keys and not draining
            await self._json(call, 200 if ready else 503, {"ready": ready, "keys": keys, "draining": draining})
        else:
            self._passage.identify(call)
            assert call.caller is not None
            await self._json(call, 200, asdict(self._orders.standing(call.caller)))

    async def _json(self, call: Call, status: int, body: dict[str, Any]) -> None:
        content = orjson.dumps(body)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            (b"cache-control", b"no-store"),
        ]
        if self._passage.draining:
            headers.append((b"connection", b"close"))
        call.status = status
        call.started = True
        await call.send({"type": "http.response.start", "status": status, "headers": headers})
        await call.send({"type": "http.response.body", "body": content, "more_body": False})
        call.finished = True

    async def options(self, call: Call) -> None:
        """Say which methods a path takes."""
        allow = ", ".join(sorted(call.route.methods | {"OPTIONS"})).encode()
        headers = [(b"allow", allow), (b"content-length", b"0")]
        call.status = 204
        call.started = True
        await call.send({"type": "http.response.start", "status": 204, "headers": headers[:1]})
        await call.send({"type": "http.response.body", "body": b"", "more_body": False})
        call.finished = True


def unserved(call: Call) -> Fault:
    """Return why a path or method is not served."""
    route = call.route
    if route.kind == "refused":
        return Fault(
            status=403,
            code="endpoint_not_offered",
            message="Files and batches are not offered here: send the requests one by one.",
        )
    if route.kind == "unknown":
        return Fault(status=404, code="unknown_url", message="There is nothing at this path. Check the address.")
    allow = ", ".join(sorted(route.methods | {"OPTIONS"}))
    return Fault(
        status=405, code="method_not_allowed", message=f"This path takes {allow}; use one of them.", allow=allow
    )
