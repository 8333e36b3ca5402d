"""One answer of the fake upstream: routed, built, and put on the wire with the faults that its script asks for."""

import asyncio
import json
import time
import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests import fake_anthropic, fake_openai
from tests.fake_answers import digest
from tests.fake_openai import Unanswerable
from tests.fake_responses import respond

if TYPE_CHECKING:
    from tests.fake_upstream import FakeUpstream, Received

_LIMITS = {
    "openai": {
        "openai-version": "2020-10-01",
        "openai-processing-ms": "7",
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
        "x-ratelimit-reset-tokens": "2s",
    },
    "anthropic": {
        "anthropic-organization-id": "org-fake",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-11-01T00:00:00Z",
    },
}


class Answer:
    """The answer to one request."""

    def __init__(self, fake: "FakeUpstream", request: web.BaseRequest, seen: "Received") -> None:
        self.fake, self.request, self.seen = fake, request, seen
        anthropic = "messages" in seen.path or seen.header("anthropic-version") is not None
        self.wire = "anthropic" if anthropic else "openai"
        self.request_id = f"req_{digest(seen.path)[:24]}"
        self.script = fake.default
        self.pack: Any = None

    async def give(self) -> web.StreamResponse:
        refused = None
        try:
            body = json.loads(self.seen.body) if self.seen.raw else {}
            body = body if type(body) is dict else {}
            self.request_id = _request_id(self.seen.path, body)
            self.script = self.fake.script_for(self.seen, body.get("model"))
        except ValueError as error:
            body, refused = {}, Unanswerable(400, f"We could not parse the JSON body of your request: {error}")
        script = self.script
        if script.delay:
            await asyncio.sleep(script.delay)
        if script.dead:
            return await self._die(web.StreamResponse())
        if refused is None and not self._welcome():
            refused = Unanswerable(401, "Incorrect API key provided.")
        if refused is None and script.status == 200:
            try:
                reply = self._route(body)
                return await (self._stream(reply) if type(reply) is list else self._json(200, reply))
            except Unanswerable as error:
                refused = error
        status = refused.status if refused else script.status
        return await self._json(status, self._error(status, refused))

    def _welcome(self) -> bool:
        bearer = (self.seen.header("authorization") or "").removeprefix("Bearer ")
        return not self.fake.keys or bearer in self.fake.keys or self.seen.header("x-api-key") in self.fake.keys

    def _route(self, body: dict[str, Any]) -> Any:
        method, path, script = self.seen.method, self.seen.path.removeprefix("/v1"), self.script
        posts = {
            "/chat/completions": lambda: fake_openai.chat(body, script),
            "/completions": lambda: fake_openai.completions(body, script),
            "/responses": lambda: respond(body, script, self.fake._turns),
            "/embeddings": lambda: fake_openai.embeddings(body, script),
            "/messages": lambda: fake_anthropic.messages(body, script),
            "/messages/count_tokens": lambda: fake_anthropic.count(body),
            "/files": lambda: {"id": "file-fake", "object": "file"},
            "/batches": lambda: {"id": "batch_fake", "object": "batch"},
            "/messages/batches": lambda: {"id": "msgbatch_fake", "type": "message_batch"},
        }
        if method == "POST" and path in posts:
            return posts[path]()
        room = fake_anthropic if self.wire == "anthropic" else fake_openai
        if method == "GET" and path == "/models":
            return room.models(self.fake.models)
        if method == "GET" and path.startswith("/models/"):
            name = path.removeprefix("/models/")
            if name in self.fake.models:
                return room.model(name)
            raise Unanswerable(404, f"The model '{name}' does not exist", param="model", code="model_not_found")
        raise Unanswerable(404, f"Unknown request URL: {method} {self.seen.path}.", code="unknown_url")

    def _error(self, status: int, refused: Unanswerable | None) -> Any:
        if self.wire == "anthropic":
            return fake_anthropic.error(status, self.script, self.request_id, refused)
        return fake_openai.error(status, self.script, refused)

    # ---- the wire ----

    def _head(self, status: int, kind: str) -> web.StreamResponse:
        self.seen.status = status
        script = self.script
        head = web.StreamResponse(status=status)
        head.content_type = kind
        head.headers.update(_LIMITS[self.wire])
        head.headers["request-id" if self.wire == "anthropic" else "x-request-id"] = self.request_id
        named = (("retry-after", script.retry_after), ("retry-after-ms", script.retry_after_ms))
        for name, value in (*named, ("x-should-retry", script.should_retry)):
            if value:
                head.headers[name] = value
        if script.gzip and "gzip" in (self.seen.header("accept-encoding") or ""):
            head.headers["content-encoding"] = "gzip"
            self.pack = zlib.compressobj(wbits=31)
        if script.close:
            head.force_close()
        return head

    async def _json(self, status: int, reply: Any) -> web.StreamResponse:
        body = json.dumps(reply, ensure_ascii=False, indent=2).encode()
        kind = "application/json"
        if self.script.malformed:
            body = body[: len(body) // 2]
        if self.script.html:
            body, kind = b"<html><body><h1>Bad gateway</h1></body></html>", "text/html"
        head = self._head(status, kind)
        if self.pack is not None:
            packed = self.pack.compress(body) + self.pack.flush()
            head.content_length, self.pack = len(packed), None
            self.seen.sent += body
            body = packed
        elif not self.script.close and not self.script.chunked:
            head.content_length = len(body)
        elif self.script.chunked:
            head.enable_chunked_encoding()
        return await self._send(head, _once(body), packed=head.headers.get("content-encoding") == "gzip")

    async def _stream(self, events: list[tuple[str | None, Any]]) -> web.StreamResponse:
        head = self._head(200, "text/event-stream")
        head.charset = "utf-8"
        head.headers["cache-control"] = "no-cache"
        if not self.script.close:
            head.enable_chunked_encoding()
        return await self._send(head, self._pieces(events))

    async def _pieces(self, events: list[tuple[str | None, Any]]) -> AsyncIterator[bytes]:
        script = self.script
        end = "\r\n" if script.crlf else "\n"
        for n, (name, data) in enumerate(events):
            if n and script.pause:
                await asyncio.sleep(script.pause)
            if n == script.error_at:
                yield self._midway(n, end)
                return
            head = f": keepalive{end}{end}" if script.keepalive and self.wire == "openai" else ""
            head += f"event: {name}{end}" if name else ""
            text = "{no json" if script.malformed and n == 2 else json.dumps(data, ensure_ascii=False)
            yield f"{head}data: {text}{end}{end}".encode()
        if events and events[0][0] is None and not script.no_done:
            yield f"data: [DONE]{end}{end}".encode()
        if script.linger:
            await asyncio.sleep(script.linger)

    def _midway(self, n: int, end: str) -> bytes:
        status = self.script.status if self.script.status != 200 else 529 if self.wire == "anthropic" else 500
        body = self._error(status, None)
        name = "event: error" + end if self.wire == "anthropic" or self.seen.path.endswith("/responses") else ""
        if self.seen.path.endswith("/responses"):
            inner = body["error"]
            body = {"type": "error", "code": inner["code"], "message": inner["message"], "param": None}
            body["sequence_number"] = n
        return f"{name}data: {json.dumps(body)}{end}{end}".encode()

    async def _send(
        self, head: web.StreamResponse, pieces: AsyncIterator[bytes], *, packed: bool = False
    ) -> web.StreamResponse:
        script = self.script
        await head.prepare(self.request)
        if script.first:
            await asyncio.sleep(script.first)
        room = script.cut if script.cut >= 0 else 1 << 62
        async for piece in pieces:
            if not packed:
                self.seen.sent += piece[:room]
            wire = piece[:room]
            room -= len(wire)
            if self.pack is not None:
                wire = self.pack.compress(wire) + self.pack.flush(zlib.Z_SYNC_FLUSH)
            step = script.split or len(wire) or 1
            for at in range(0, len(wire), step):
                await head.write(wire[at : at + step])
                if script.split:
                    await asyncio.sleep(0)
            if not room:
                return await self._die(head)
        if self.pack is not None:
            await head.write(self.pack.flush())
        await head.write_eof()
        self.seen.ended = time.monotonic()
        return head

    async def _die(self, head: web.StreamResponse) -> web.StreamResponse:
        if script_cut := self.script.cut:
            await asyncio.sleep(0.01 if script_cut > 0 else 0)  # what was written leaves before the connection does
        if self.request.transport is not None:
            self.request.transport.abort()
        return head


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _request_id(path: str, body: dict[str, Any]) -> str:
    """Return the same id for the same question, whether its usage is asked for or not."""
    shown = {key: value for key, value in body.items() if key != "stream_options"}
    return f"req_{digest(path + json.dumps(shown, sort_keys=True))[:24]}"
