"""The marking server: OpenAI's wire before a llama.cpp server, whose other endpoints it passes on.

In: requests. Out: answers; those with a good order are marked. What cannot be marked (see `asked`) is passed on
unmarked and counted, or refused with `refuse=True`.
Cost: see `generate`; what is passed on costs 1 ms. An answer holds one of the model's slots until it is complete, as
its place in the model's memory would be lost to another. Nothing of a request or an answer is logged.
Left to `orders`: who is marked. Left to the gateway before it: who may ask, and taking out orders of a caller's own.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import orjson
from aiohttp import web

from stillwatch.engines.llamacpp import wire
from stillwatch.engines.llamacpp.asked import Wrong, read_asked, unmarkable
from stillwatch.engines.llamacpp.generate import Answer
from stillwatch.engines.llamacpp.model import Model, Refused
from stillwatch.engines.llamacpp.orders import Followed, Orders, without_order

CHAT: Final = ("/v1/chat/completions", "/chat/completions")
COMPLETIONS: Final = ("/v1/completions", "/completions")
UNMARKED: Final = ("/completion", "/infill", "/v1/messages", "/v1/responses", "/api/chat")
"""Paths that make answers and are not marked here."""
GENERATING: Final = (*CHAT, *COMPLETIONS, *UNMARKED)
HOP: Final = frozenset(("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host",
                        "content-length", "proxy-authorization", "proxy-authenticate"))  # fmt: skip
LARGEST: Final = 64 * 2**20
SERVER: Final = "llama.cpp"
"""What llama.cpp calls itself in its answers; the same here, so that a mark does not show in it."""
UNREACHABLE: Final = "The model server cannot be reached, or is no llama.cpp server. Try again shortly."
Json = dict[str, Any]


class MarkingServer:
    """One server before one llama.cpp server."""

    def __init__(self, model: Model, orders: Orders, *, slots: int = 1, refuse: bool = False) -> None:
        """Take what it stands before.

        Args:
            model: The llama.cpp server.
            orders: Reads orders.
            slots: Answers that the llama.cpp server makes at once (`--parallel`).
            refuse: Refuse what is ordered marked and cannot be, instead of answering it unmarked.
        """
        self._model, self._orders, self._refuse = model, orders, refuse
        self._slots: asyncio.Queue[int] = asyncio.Queue()
        for slot in range(slots):
            self._slots.put_nowait(slot)

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[str]:
        """Listen, and give the address, without `/v1`."""
        app = web.Application(client_max_size=LARGEST)
        app.router.add_get("/marks", self._marks)
        for path in GENERATING:
            app.router.add_post(path, self._generate)
        app.router.add_route("*", "/{rest:.*}", self._pass)
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, handler_cancellation=True, shutdown_timeout=2.0
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            yield f"http://{host}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _marks(self, request: web.Request) -> web.Response:
        """Say how many answers were marked, and how many orders were not followed, by why."""
        return _json(200, {"counts": dict(self._orders.counts), "candidates": self._model.candidates})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = orjson.loads(raw)
        except ValueError:
            return await self._forward(request, raw)  # llama.cpp says what is wrong with it
        followed = self._orders.followed(body) if isinstance(body, dict) else None
        if followed is None:
            plain = without_order(body) if isinstance(body, dict) else body
            return await self._forward(request, raw if plain is body else orjson.dumps(plain))
        if why := unmarkable(body) if request.path not in UNMARKED else "path":
            self._orders.missed(f"{why} cannot be marked")
            if self._refuse:
                message = f"{why}: cannot be answered for this account; leave the field out."
                return _json(400, wire.problem(400, message, why))
            return await self._forward(request, orjson.dumps(without_order(body)))
        return await self._marked(request, without_order(body), followed)

    async def _marked(self, request: web.Request, body: Json, how: Followed) -> web.StreamResponse:
        chat = request.path in CHAT
        try:
            asked = read_asked(body)
            head = _credentials(request)
            if not self._model.context:
                await self._model.look(request.headers.get("authorization", "").removeprefix("Bearer "))
            prompt = await self._model.prompt_of(body, head)
        except Wrong as wrong:
            return _json(400, wire.problem(400, wrong.message, wrong.param))
        except Refused as refused:
            return _raw(refused)
        except (aiohttp.ClientError, ValueError, KeyError):
            return _json(502, wire.problem(502, UNREACHABLE))
        self._orders.counts["marked"] += 1
        answer = Answer(self._model, asked, how.mark, prompt, head, how.mixture)
        shown = wire.Head(chat=chat, model=self._model.name, build=self._model.build)
        slot = await self._slots.get()
        try:
            return await (_streamed(request, shown, answer, slot) if asked.stream else _whole(shown, answer, slot))
        except Refused as refused:
            return _raw(refused)
        except (aiohttp.ClientError, ValueError, KeyError):
            return _json(502, wire.problem(502, UNREACHABLE))
        finally:
            self._slots.put_nowait(slot)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        return await self._relay(request, await request.read())

    async def _forward(self, request: web.Request, content: bytes) -> web.StreamResponse:
        """Send a request for an answer on, once a slot is free: llama.cpp would give it one that is marking."""
        slot = await self._slots.get()
        try:
            return await self._relay(request, content)
        finally:
            self._slots.put_nowait(slot)

    async def _relay(self, request: web.Request, content: bytes) -> web.StreamResponse:
        """Send a request on and its answer back, as they are."""
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP]
        url = self._model.url + request.path_qs
        try:
            async with self._model.session.request(
                request.method, url, data=content or None, headers=headers, allow_redirects=False,
                skip_auto_headers=("accept-encoding", "user-agent", "content-type"),
            ) as answer:  # fmt: skip
                response = web.StreamResponse(status=answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in HOP:
                        response.headers.add(name, value)
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response
        except aiohttp.ClientConnectorError:
            return _json(502, wire.problem(502, UNREACHABLE))


async def _whole(head: wire.Head, answer: Answer, slot: int) -> web.Response:
    text = ""
    async for more in answer.pieces(slot):
        head.first = head.first or time.perf_counter()
        text += more
    return _json(200, wire.whole(head, text, answer.reason, answer.sizes))


async def _streamed(request: web.Request, head: wire.Head, answer: Answer, slot: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Server": SERVER, "X-Accel-Buffering": "no"})
    response.content_type = "text/event-stream"

    async def send(*events: Json) -> None:
        if not response.prepared:  # only now: until the first token an error can still be said as one
            head.first = time.perf_counter()
            await response.prepare(request)
            first = wire.opening(head)
            events = events if first is None else (first, *events)
        await response.write(b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events))

    try:
        async for text in answer.pieces(slot):
            await send(wire.piece(head, text))
        await send(*wire.ending(head, answer.reason, answer.sizes, with_usage=answer.asked.usage))
        await response.write(b"data: [DONE]\n\n")
    except (Refused, aiohttp.ClientError, ValueError, KeyError):
        if not response.prepared:
            raise
        await send(wire.problem(502, "The model server broke off its answer. Try again."))
    await response.write_eof()
    return response


def _credentials(request: web.Request) -> dict[str, str]:
    """Return the caller's key, as llama.cpp takes it, for the requests that are made for it."""
    return {name: request.headers[name] for name in ("authorization", "x-api-key") if name in request.headers}


def _json(status: int, body: Json) -> web.Response:
    head = {"Server": SERVER}
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/json", charset="utf-8", headers=head
    )


def _raw(refused: Refused) -> web.Response:
    head = {"Server": SERVER}
    return web.Response(
        status=refused.status, body=refused.body, content_type="application/json", charset="utf-8", headers=head
    )
