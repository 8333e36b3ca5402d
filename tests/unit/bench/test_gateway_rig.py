"""The rig of the gateway benchmark: the client sees every answer of the dummy upstream whole, and times are true."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from bench.gateway import client, wire
from bench.gateway.upstream import Book, Upstream


def against_upstream(act: Any) -> tuple[Any, Book]:
    """Run `act(port)` against an upstream in the same loop."""

    async def run() -> tuple[Any, Book]:
        loop, book = asyncio.get_running_loop(), Book()
        server = await loop.create_server(lambda: Upstream(book, loop), "127.0.0.1", 0)
        coroutine: Coroutine[Any, Any, Any] = act(server.sockets[0].getsockname()[1])
        found = await coroutine
        await asyncio.sleep(0.05)
        server.close()
        return found, book

    return asyncio.run(run())


def test_every_json_answer_is_counted_once() -> None:
    plan = client.Plan(mode="load", ports=(0,), requests=50, connections=4)
    found, book = against_upstream(lambda port: client.main(_to(plan, port)))
    assert (found["sent"], found["whole"], found["begun"], book.requests) == (50, 50, 0, 50)


def test_every_chunk_of_a_burst_is_counted() -> None:
    plan = client.Plan(mode="load", ports=(0,), requests=3, connections=1, model=wire.BURST)
    found, _ = against_upstream(lambda port: client.main(_to(plan, port)))
    assert found["whole"] == 3
    assert found["events"] == 3 * (wire.BURST_CHUNKS + 1), "each stream ends with one chunk that says why"


def test_paced_streams_keep_their_pace_and_their_lag_is_small() -> None:
    plan = client.Plan(mode="paced", ports=(0,), requests=2, connections=2, model=wire.PACED, chunks=10)
    found, book = against_upstream(lambda port: client.main(_to(plan, port)))
    assert (found["whole"], len(found["lags"]), book.streams) == (2, 20, 0)
    assert min(found["seconds"]) >= 10 * wire.PACE
    assert 0 <= min(found["lags"]) <= max(found["lags"]) < 5


def test_the_upstream_notes_when_a_stream_was_cut_off_by_its_ticket() -> None:
    plan = client.Plan(mode="aborts", ports=(0,), requests=6, connections=3, model=wire.PACED, chunks=500, tickets=40)
    found, book = against_upstream(lambda port: client.main(_to(plan, port)))
    assert set(book.closed) == set(found["left"]) == set(range(40, 46))
    assert all(0 <= book.closed[ticket] - left < 5 for ticket, left in found["left"].items())
    assert book.streams == 0
    assert max(book.closed.values()) <= time.monotonic()


def test_an_upstream_that_dies_leaves_no_answer_counted_as_whole() -> None:
    async def act(port: int) -> Any:
        plan = client.Plan(mode="until", ports=(port,), requests=10**6, connections=3, model=wire.PACED, chunks=500)
        running = asyncio.ensure_future(client.main(plan))
        await asyncio.sleep(0.3)
        for task in transports:
            task.abort()
        return await running

    transports: list[Any] = []
    made = Upstream.connection_made

    def kept(self: Upstream, transport: Any) -> None:
        made(self, transport)
        transports.append(transport)

    Upstream.connection_made = kept  # type: ignore[method-assign]
    try:
        found, _ = against_upstream(act)
    finally:
        Upstream.connection_made = made  # type: ignore[method-assign]
    assert (found["whole"], found["begun"]) == (0, 3)
    assert set(found["statuses"]) == {-1}


def _to(plan: client.Plan, port: int) -> client.Plan:
    return client.Plan(**{**{name: getattr(plan, name) for name in plan.__slots__}, "ports": (port,)})
