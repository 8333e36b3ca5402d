"""The way back: the upstream's answer to the caller, byte for byte unless something must be changed.

In: a response whose body is unread, and the edits ordered. Out: ASGI messages; the start of the answer kept for the
event. A stream passes in whole events, so that when the upstream dies the caller gets a typed error and not half a
line; any other answer that breaks is broken off, which clients know to be no whole answer.
Cost: one read and one write a chunk. Left to `passage`: closing the response.
"""

from collections.abc import Callable
from typing import Any, Final

import aiohttp

from stillwatch.gateway.answerhead import AnswerHead
from stillwatch.gateway.call import Call
from stillwatch.gateway.codings import CODINGS, Flow, UnzippedFlow, unzip
from stillwatch.gateway.errors import error_event, upstream_fault
from stillwatch.gateway.jsonbytes import read_json, write_json
from stillwatch.gateway.metrics import Metrics
from stillwatch.gateway.sse import Boundaries, Edit, EventEdits
from stillwatch.gateway.usage import without_usage
from stillwatch.treatments import Treatment

_MOST_EDITED: Final = 64 << 20
UPSTREAM_DIED: Final = (aiohttp.ClientError, TimeoutError, OSError)
"""How an upstream that left or fell silent shows."""


class Relay:
    """Passes answers on under one set of counters."""

    def __init__(self, metrics: Metrics, closing: Callable[[], bool], failed: Callable[[BaseException], None]) -> None:
        """Take the counters, whether connections are to be closed, and where a failed edit is told."""
        self._metrics = metrics
        self._closing = closing
        self._failed = failed

    async def pass_on(self, call: Call, response: aiohttp.ClientResponse, edits: Treatment | None) -> None:
        """Pass `response` on to the caller, edited if ordered."""
        head = AnswerHead(response)
        call.streamed = head.sse
        call.coding = head.coding
        call.answered = 200 <= head.status < 300
        edit = self._edit(call, edits) if head.sse and call.answered else None
        if edit is not None and (not head.coding or head.coding in CODINGS):
            flow: Flow | None = UnzippedFlow(head.coding, edit) if head.coding else edit
            head.unbind()
            await self._stream(call, head, response, flow, edit)
        elif edits is not None and call.answered and head.json:
            await self._whole(call, head, response, edits)
        elif not head.length and call.scope.get("http_version") == "1.0" and not head.sse:
            await self._whole(call, head, response, None)
        else:
            if edit is not None:
                self._failed(ValueError("content coding"))
            flow = Boundaries() if head.sse and not head.coding else None
            await self._stream(call, head, response, flow)

    def _edit(self, call: Call, edits: Treatment | None) -> EventEdits | None:
        strip = call.asked is not None and call.asked.strip_usage
        if edits is None:
            return EventEdits(_without_usage, word=b'"usage"') if strip else None
        edit = self._guarded(edits.edit_event)

        def both(chunk: dict[str, Any]) -> tuple[dict[str, Any], ...]:
            return tuple(after for event in edit(chunk) for after in _without_usage(event))

        return EventEdits(both if strip else edit, rest=lambda: self._rest(edits))

    def _rest(self, edits: Treatment) -> tuple[dict[str, Any], ...]:
        try:
            return edits.end_stream()
        except Exception as error:
            self._failed(error)
            return ()

    def _guarded(self, edit: Edit) -> Edit:
        """An edit that fails leaves the event as it was, and is counted."""

        def guarded(chunk: dict[str, Any]) -> tuple[dict[str, Any], ...]:
            try:
                return edit(chunk)
            except Exception as error:
                self._failed(error)
                return (chunk,)

        return guarded

    async def _start(self, call: Call, head: AnswerHead) -> None:
        headers = head.headers
        if self._closing():
            headers = [*headers, (b"connection", b"close")]
        call.status = head.status
        call.started = True
        await call.send({"type": "http.response.start", "status": head.status, "headers": headers})

    async def _stream(
        self, call: Call, head: AnswerHead, response: aiohttp.ClientResponse, flow: Flow | None,
        edit: EventEdits | None = None,
    ) -> None:  # fmt: skip
        content = response.content
        read, at_eof, send, keep = content.readany, content.at_eof, call.send, call.keep
        try:
            chunk = await read()
            await self._start(call, head)
            more = True
            while more:
                keep(chunk)
                more = not at_eof()
                if flow is not None:
                    chunk = flow.feed(chunk) if more else flow.feed(chunk) + flow.end()
                if chunk or not more:
                    call.waiting = True
                    await send({"type": "http.response.body", "body": chunk, "more_body": more})
                    call.waiting = False
                if more:
                    chunk = await read()
        except UPSTREAM_DIED as error:
            if not call.started:
                raise
            await self._broken(call, flow is not None, error, edit.rest() if edit is not None else b"")
        else:
            call.finished = True

    async def _whole(
        self, call: Call, head: AnswerHead, response: aiohttp.ClientResponse, edits: Treatment | None
    ) -> None:
        """Answers that are edited as a whole, and those to callers that know no chunks."""
        body = await response.read()
        call.keep(body)
        if edits is not None:
            body = self._edited(body, head, edits)
        head.headers = [pair for pair in head.headers if pair[0].lower() != b"content-length"]
        head.headers.append((b"content-length", b"%d" % len(body)))
        await self._start(call, head)
        call.waiting = True
        await call.send({"type": "http.response.body", "body": body, "more_body": False})
        call.waiting = False
        call.finished = True

    def _edited(self, body: bytes, head: AnswerHead, edits: Treatment) -> bytes:
        try:
            plain = unzip(body, head.coding, _MOST_EDITED) if head.coding else body
            before = read_json(plain)
            after = edits.edit_answer(before)
            if after is before:
                return body
            edited = write_json(after)
        except Exception as error:
            self._failed(error)
            return body
        head.unbind()
        return edited

    async def _broken(self, call: Call, typed: bool, error: BaseException, rest: bytes) -> None:
        """The upstream left in the middle: say so in the stream, behind what was held back, or break it off."""
        late = isinstance(error, TimeoutError)
        self._metrics.upstream_errors["timeout" if late else "died"] += 1
        if not typed:
            return
        fault = upstream_fault(late=late, midway=True)
        event = error_event(fault, call.route.wire, call.route.endpoint, call.request_id)
        await call.send({"type": "http.response.body", "body": rest + event, "more_body": False})


def _without_usage(chunk: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    after = without_usage(chunk)
    return (after,) if after is not None else ()
