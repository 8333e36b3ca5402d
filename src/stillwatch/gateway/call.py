"""One request on its way through: what is known of it, and what came back.

Mutable, on one event loop, gone when the answer is. Keeps the start of the answer for its event, and the end of it
for its usage. Left to `passage`: every step.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from stillwatch.gateway.fields import Asked
from stillwatch.gateway.identity import Heads
from stillwatch.gateway.ports import Caller
from stillwatch.gateway.routes import Route
from stillwatch.terms.action import ALLOW, Action

if TYPE_CHECKING:
    from stillwatch.gateway.twins import Twin

Scope = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]

_TAIL: Final = 4_096


class Call:
    """What is known of one request."""

    __slots__ = (
        "action", "admitted", "answered", "arrived", "asked", "caller", "coding", "endless", "finished", "gone",
        "heads", "limit", "parts", "plain", "request_id", "route", "scope", "send", "size", "started", "status",
        "streamed", "tail", "time", "twin", "waiting",
    )  # fmt: skip

    def __init__(self, scope: Scope, send: Send, route: Route, request_id: str, limit: int) -> None:
        """Take what arrived; `limit` is the most bytes kept of the answer."""
        self.scope = scope
        self.send = send
        self.route = route
        self.request_id = request_id
        self.arrived = time.perf_counter()
        self.time = 0.0
        """Event time of arrival."""
        self.heads: Heads | None = None
        self.caller: Caller | None = None
        self.plain: bytes | None = None
        """Request body, unzipped; None until it was read."""
        self.asked: Asked | None = None
        self.action: Action = ALLOW
        self.twin: Twin | None = None
        """A second answer that is drawn beside this one; None for nearly all."""
        self.admitted = -1
        """Tokens taken from the account's bucket; -1 when none were."""
        self.status = 0
        """Status said to the caller; 0 before."""
        self.started = False
        self.answered = False
        """The upstream answered with success."""
        self.finished = False
        """The last byte was handed over."""
        self.gone = False
        """The caller left."""
        self.waiting = False
        """Bytes are being handed over; stays so while the caller does not read."""
        self.streamed = False
        self.coding = ""
        """Content coding of the answer; empty for none."""
        self.limit = limit
        self.size = 0
        """Bytes of the answer so far."""
        self.parts: list[bytes] = []
        self.tail = b""
        self.endless = False
        """More came than is kept."""

    def keep(self, chunk: bytes) -> None:
        """Note bytes of the answer as the upstream sent them."""
        size = self.size
        self.size = size + len(chunk)
        if self.size <= self.limit:
            self.parts.append(chunk)
            return
        if not self.endless:
            self.endless = True
            self.parts.append(chunk[: self.limit - size])
        self.tail = (self.tail + chunk)[-_TAIL:]

    def kept(self) -> bytes:
        """Return the start of the answer."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)

    @property
    def action_name(self) -> str:
        """Kind of the action, with `shadow:` in front when it is only recorded."""
        action = self.action
        return f"shadow:{action.kind}" if action.shadow and action.kind != "allow" else action.kind
