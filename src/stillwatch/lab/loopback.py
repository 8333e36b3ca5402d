"""Serve a teacher on loopback: an OpenAI chat wire below `/v1`, for the gateway to stand before.

In: a function from a chat request to a chat completion. Out: an address for as long as the context lasts.
Cost: 0.2 ms a request and what the teacher takes. A teacher that takes long should say `thread=True`: it is then
called in a thread, one request at a time, so that draws stay in the order of requests.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from stillwatch.lab.task import Respond


@asynccontextmanager
async def listening(respond: Respond, *, thread: bool = False) -> AsyncIterator[str]:
    """Listen on a free port of loopback and give the address; `/v1` lies below it.

    Args:
        respond: The teacher. A `ValueError`, `KeyError` or `TypeError` of it is answered with 400.
        thread: Call it in a thread.
    """
    turn = asyncio.Lock()

    async def chat(request: web.Request) -> web.Response:
        try:
            body = orjson.loads(await request.read())
            async with turn:
                answer: Any = await asyncio.to_thread(respond, body) if thread else respond(body)
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": {"message": "The request cannot be read.", "code": 400}}, status=400)
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
