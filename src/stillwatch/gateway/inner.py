"""One call handed to an application in the same process: its request, edited if ordered; its answer, as it is made.

In: a call whose body was read. Out: ASGI messages to and from the application. What the application says is noted
for the event before any edit, as the gateway notes what an upstream says.
Left to `middleware`: everything before and after.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from stillwatch.gateway.body import Receive
from stillwatch.gateway.call import Call, Scope, Send
from stillwatch.gateway.codings import CODINGS, Flow, UnzippedFlow, unzip
from stillwatch.gateway.jsonbytes import read_json, write_json
from stillwatch.gateway.sse import EventEdits
from stillwatch.treatments import Treatment

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
"""An application as ASGI 3 has it."""

Body = dict[str, Any]

_BOUND_TO_BYTES: Final = frozenset((b"content-length", b"content-encoding", b"content-md5", b"etag", b"digest"))
_MOST_EDITED: Final = 64 << 20


class Inner:
    """One call on its way through the application."""

    def __init__(
        self, call: Call, raw: bytes, edits: Treatment | None, failed: Callable[[BaseException], None]
    ) -> None:
        """Take the call, its body as sent, the edits ordered, and where a failed edit is told."""
        self._call = call
        self._failed = failed
        self._edits = edits
        asked = call.asked
        self._changed = asked is not None and asked.changed
        self._raw = write_json(asked.body) if asked is not None and asked.changed else raw
        self._given = False
        self._send: Send = call.send

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        """Let the application answer."""
        call = self._call
        scope = _scope(call.scope, len(self._raw), changed=self._changed, edited=self._edits is not None)

        async def replay() -> Any:
            if not self._given:
                self._given = True
                return {"type": "http.request", "body": self._raw, "more_body": False}
            message = await receive()
            if message["type"] == "http.disconnect" and not call.finished:
                call.gone = True
            return message

        try:
            await app(scope, replay, self._note)
        except OSError:
            call.gone = not call.finished
            raise
        except Exception:
            call.status = call.status or 500
            raise

    async def _note(self, message: Any) -> None:
        """Take one message of the application: note it, then send it on."""
        call = self._call
        if message["type"] == "http.response.start":
            self._begin(message)
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")
            if body:
                call.keep(bytes(body))
            if not message.get("more_body", False):
                await self._send(message)
                call.finished = not call.gone
                return
        await self._send(message)

    def _begin(self, message: Any) -> None:
        call = self._call
        call.status, call.started = message["status"], True
        call.answered = 200 <= call.status < 300
        kind = ""
        for name, value in message.get("headers", ()):
            low = name.lower()
            if low == b"content-type":
                kind = value.decode("latin-1").strip().lower()
            elif low == b"content-encoding":
                call.coding = value.decode("latin-1").strip().lower().replace("identity", "")
        call.streamed = kind.startswith("text/event-stream")
        if self._edits is None or not call.answered or (call.coding and call.coding not in CODINGS):
            return
        if call.streamed:
            self._send = _EditedStream(call, self._edits, self._failed)
        elif kind.startswith("application/json"):
            self._send = _EditedWhole(call, self._edits, self._failed)


class _EditedStream:
    """Sends an event stream on with each event edited."""

    def __init__(self, call: Call, edits: Treatment, failed: Callable[[BaseException], None]) -> None:
        self._call, self._edits, self._failed = call, edits, failed
        flow: Flow = EventEdits(self._edit, rest=self._rest)
        self._flow = UnzippedFlow(call.coding, flow) if call.coding else flow

    def _edit(self, event: Body) -> tuple[Body, ...]:
        try:
            return self._edits.edit_event(event)
        except Exception as error:
            self._failed(error)
            return (event,)

    def _rest(self) -> tuple[Body, ...]:
        try:
            return self._edits.end_stream()
        except Exception as error:
            self._failed(error)
            return ()

    async def __call__(self, message: Any) -> None:
        if message["type"] != "http.response.body":
            await self._call.send({**message, "headers": _unbound(message.get("headers", ()))})
            return
        more = message.get("more_body", False)
        body = self._flow.feed(bytes(message.get("body", b"")))
        if not more:
            body += self._flow.end()
        if body or not more:
            await self._call.send({"type": "http.response.body", "body": body, "more_body": more})


class _EditedWhole:
    """Holds a JSON answer until it is whole, and sends it on edited; one that is too large or fails, as it is."""

    def __init__(self, call: Call, edits: Treatment, failed: Callable[[BaseException], None]) -> None:
        self._call, self._edits, self._failed = call, edits, failed
        self._start: Any = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._call.send(message)
            return
        self._parts.append(bytes(message.get("body", b"")))
        if message.get("more_body", False):
            return
        body = b"".join(self._parts)
        edited = self._edited(body)
        start = self._start
        if edited is not body:
            headers = [*_unbound(start.get("headers", ())), (b"content-length", b"%d" % len(edited))]
            start = {**start, "headers": headers}
        await self._call.send(start)
        await self._call.send({"type": "http.response.body", "body": edited, "more_body": False})

    def _edited(self, body: bytes) -> bytes:
        try:
            plain = unzip(body, self._call.coding, _MOST_EDITED) if self._call.coding else body
            before = read_json(plain)
            after = self._edits.edit_answer(before)
            return body if after is before else write_json(after)
        except Exception as error:
            self._failed(error)
            return body


def _scope(scope: Scope, length: int, *, changed: bool, edited: bool) -> Scope:
    """The scope that the application gets: the one that came, unless the body or the answer's coding differ."""
    if not changed and not edited:
        return scope
    dropped = {b"accept-encoding"} if edited else set()
    if changed:
        dropped |= {b"content-length", b"content-encoding", b"transfer-encoding"}
    headers = [pair for pair in scope["headers"] if pair[0].lower() not in dropped]
    if changed:
        headers.append((b"content-length", b"%d" % length))
    return {**scope, "headers": headers}


def _unbound(headers: Any) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in _BOUND_TO_BYTES]
