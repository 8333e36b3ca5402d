"""The stand-in upstream: a model server on loopback that lets the teacher answer a few requests and replays the rest.

In: composed exchanges, and a teacher where there is one. Out: an OpenAI chat wire below `/v1`, and counts of who
answered. A request is known by its messages; the teacher gets one only when it is idle, the request is short,
nothing later quotes its answer, and the budget lasts. Requests that were not composed are a visitor's.
Cost: 0.2 ms a replayed answer. Left to `replay`: sending; left to `teacher`: the model.
"""

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import aiohttp
import orjson
from aiohttp import web

from stillwatch.lab.teacher import MODEL
from stillwatch.terms.exchange import Exchange, Message

MOST_ASKED: Final = 250
"""Requests that reach the teacher at most, visitors' included."""
KEPT_FOR_VISITORS: Final = 10
LONGEST_ANSWER: Final = 24
"""Tokens the teacher answers with at most."""
LONGEST_PROMPT: Final = 240
"""Characters of a replayed request that the teacher may be asked: about 60 tokens, 0.4 s on one core."""
LONGEST_VISIT: Final = 4_000
PATIENCE: Final = 20.0
"""Seconds the teacher may take."""
MODELS: Final = ("atlas-large", "atlas-medium", "atlas-small")
NO_TEACHER: Final = "There is no model behind this demonstration today, so this sentence stands in for its answer."


class Reply(NamedTuple):
    """What was composed as the answer to a request."""

    status: int
    answer: str
    last: bool
    """No later request of the account quotes it, so another answer does not break a conversation."""


@dataclass(slots=True)
class Answered:
    """Who answered how many requests."""

    asked: int = 0
    """Requests that reached the teacher, whether it answered or not."""
    teacher: int = 0
    replayed: int = 0
    visitors: int = 0
    """Of the teacher's, and of the stand-in sentences: requests that were not composed."""


@dataclass(slots=True)
class StandIn:
    """Answers of one run."""

    exchanges: Sequence[Exchange] = field(repr=False)
    teacher_url: str = ""
    """Empty when there is no teacher."""
    teacher_key: str = field(default="", repr=False)
    spent: int = 0
    """Requests that reached the teacher in earlier runs on the same state."""
    answered: Answered = field(default_factory=Answered)
    _replies: dict[bytes, deque[Reply]] = field(default_factory=dict, repr=False)
    _idle: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._replies = replies_of(self.exchanges)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Listen on a free port of loopback and give the address; `/v1` lies below it."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", _models)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await self._session.close()
            await runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        try:
            body = orjson.loads(await request.read())
            key, size = fingerprint(body["messages"])
        except (ValueError, KeyError, TypeError):
            return _problem(400, "The body must be a JSON object with a list `messages`.")
        known = self._replies.get(key)
        if known is None:
            text = await self._visit(body, size)
        else:
            reply = known.popleft() if len(known) > 1 else known[0]
            if reply.status != 200:
                return _problem(reply.status, "Composed failure.")
            text = await self._replay(body, size, reply)
        if body.get("stream") is True:
            return await _streamed(request, body, text)
        return web.json_response(completion(body, text, size), dumps=_dumps)

    async def _replay(self, body: dict[str, Any], size: int, reply: Reply) -> str:
        may = reply.last and size <= LONGEST_PROMPT and "tools" not in body and not self._idle.locked()
        if may and self._left() > KEPT_FOR_VISITORS:
            said = await self._ask(body)
            if said:
                return said
        self.answered.replayed += 1
        return reply.answer

    async def _visit(self, body: dict[str, Any], size: int) -> str:
        self.answered.visitors += 1
        said = await self._ask(body) if size <= LONGEST_VISIT and self._left() > 0 else ""
        return said or NO_TEACHER

    def _left(self) -> int:
        return MOST_ASKED - self.spent - self.answered.asked if self.teacher_url else 0

    async def _ask(self, body: dict[str, Any]) -> str:
        """Return the teacher's answer, at most `LONGEST_ANSWER` tokens; empty when it failed."""
        asked = {
            "messages": body["messages"],
            "max_tokens": min(LONGEST_ANSWER, _limit(body)),
            "temperature": body.get("temperature", 1.0),
        }
        headers = {"authorization": f"Bearer {self.teacher_key}", "content-type": "application/json"}
        async with self._idle:
            if self._session is None or self._left() <= 0:
                return ""
            self.answered.asked += 1
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError, KeyError, IndexError, TypeError):
                url = f"{self.teacher_url}/v1/chat/completions"
                async with self._session.post(url, data=orjson.dumps(asked), headers=headers) as response:
                    raw = await response.read()
                answer = orjson.loads(raw)["choices"][0]["message"]["content"] if response.status == 200 else ""
                if isinstance(answer, str) and answer:
                    self.answered.teacher += 1
                    return answer
            return ""


def fingerprint(messages: Any) -> tuple[bytes, int]:
    """Return what a request is known by, and the characters of its text; `messages` as on the wire.

    Raises:
        TypeError: it is no list of objects with text, such as one with images.
    """
    digest = hashlib.blake2b(digest_size=16)
    size = 0
    for message in messages:
        role, text = message["role"], message["content"]
        if not isinstance(role, str) or not isinstance(text, str):
            raise TypeError("messages")
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(f"{role}\x1f{len(raw)}\x1f".encode())
        digest.update(raw)
        size += len(text)
    return digest.digest(), size


def on_wire(messages: Iterable[Message]) -> list[dict[str, str]]:
    """Return messages as a chat request has them."""
    return [{"role": message.role, "content": message.text} for message in messages]


def replies_of(exchanges: Sequence[Exchange]) -> dict[bytes, deque[Reply]]:
    """Return the composed replies by request, in order of time."""
    quoted = {
        (x.account, hash(message.text)) for x in exchanges for message in x.messages if message.role == "assistant"
    }
    replies: dict[bytes, deque[Reply]] = defaultdict(deque)
    for x in exchanges:
        last = (x.account, hash(x.answer)) not in quoted
        replies[fingerprint(on_wire(x.messages))[0]].append(Reply(x.status, x.answer, last))
    return dict(replies)


def completion(body: dict[str, Any], text: str, size: int) -> dict[str, Any]:
    """Return a chat completion with `text` as its answer; tokens are a quarter of the characters."""
    asked, said = size // 4 + 4 * len(body["messages"]), len(text) // 4 + 1
    return {
        **_head(body, "chat.completion"),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    model = body.get("model")
    name = model if isinstance(model, str) else MODEL
    return {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": kind, "created": int(time.time()), "model": name}


async def _streamed(request: web.Request, body: dict[str, Any], text: str) -> web.StreamResponse:
    """Send the answer in pieces of about ten words, as an event stream."""
    response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
    await response.prepare(request)
    head = _head(body, "chat.completion.chunk")
    words = text.split(" ")
    pieces = [" ".join(words[at : at + 10]) + (" " if at + 10 < len(words) else "") for at in range(0, len(words), 10)]
    for number, piece in enumerate(pieces):
        delta = {"content": piece} if number else {"role": "assistant", "content": piece}
        await _event(response, {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    await _event(response, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _event(response: web.StreamResponse, chunk: dict[str, Any]) -> None:
    await response.write(b"data: " + orjson.dumps(chunk) + b"\n\n")


async def _models(_: web.Request) -> web.Response:
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "stillwatch"} for name in MODELS]
    return web.json_response({"object": "list", "data": listed})


def _problem(status: int, message: str) -> web.Response:
    kind = "rate_limit_error" if status == 429 else "invalid_request_error" if status == 400 else "server_error"
    return web.json_response({"error": {"message": message, "type": kind, "param": None, "code": None}}, status=status)


def _limit(body: dict[str, Any]) -> int:
    given = body.get("max_completion_tokens", body.get("max_tokens"))
    return given if isinstance(given, int) and given > 0 else LONGEST_ANSWER


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()
