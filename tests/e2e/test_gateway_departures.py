"""Callers that leave, stall or never read cost the upstream nothing more, and leave nothing behind."""

import asyncio
import json
import time
from typing import Any

import pytest

from stillwatch.terms.action import Action
from tests.fake_upstream import FakeUpstream
from tests.gateway_rig import CHAT, KEY, PlainDesk, Rig, raw_upstream, read_request, rig, run, until

AT_ONCE = 0.1
"""Seconds within which an upstream must see that the caller has left; measured loosely on a busy machine."""


def chat(script: str, **more: Any) -> dict[str, Any]:
    return {"model": f"toy-chat?{script}", "messages": [{"role": "user", "content": "hello"}], **more}


async def begin(gateway: Rig, body: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a request and read nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    data = json.dumps(body).encode()
    writer.write(b"POST %s HTTP/1.1\r\nhost: x\r\nx-api-key: %s\r\n" % (CHAT.encode(), KEY.encode()))
    writer.write(b"content-length: %d\r\n\r\n" % len(data) + data)
    return reader, writer


@pytest.mark.parametrize("script", ["chunks=500&pause=0.02", "delay=5", "chunks=3&linger=5"])
def test_a_caller_that_leaves_ends_the_upstreams_work_and_is_recorded(script: str) -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                reader, writer = await begin(gateway, chat(script, stream=True))
                if "delay" not in script:
                    await reader.readuntil(b"data: ")
                await until(lambda: bool(fake.received))
                await asyncio.sleep(0.1)
                left = time.monotonic()
                writer.transport.abort()
                await until(lambda: fake.received[0].closed_early is not None)
                assert (fake.received[0].closed_early or 0.0) - left < AT_ONCE * 3
                served = await gateway.event()
                assert (served.status, served.disconnected) == (499, True)
                assert (b"data: " in served.answer) == ("delay" not in script)
                assert gateway.app.metrics.disconnects == 1
                await until(lambda: fake.open_connections == 0)

    run(test)


def test_a_caller_that_leaves_while_it_is_slowed_costs_the_upstream_nothing() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            desk = PlainDesk(order=Action(kind="slow", rule="r", delay_seconds=5.0))
            async with rig(fake.url, desk) as gateway:
                _, writer = await begin(gateway, chat("id=slow"))
                await until(lambda: gateway.app.metrics.in_flight == 1)
                await asyncio.sleep(0.05)
                writer.transport.abort()
                assert (await gateway.event()).status == 499
                assert fake.received == []
                assert gateway.desk.settled[0][1] == 0

    run(test)


def test_a_caller_that_leaves_within_its_request_leaves_no_event() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                writer.write(b"POST %s HTTP/1.1\r\nhost: x\r\nx-api-key: %s\r\n" % (CHAT.encode(), KEY.encode()))
                writer.write(b"content-length: 100\r\n\r\n{")
                await until(lambda: gateway.app.metrics.in_flight == 1)
                writer.transport.abort()
                await until(lambda: gateway.app.metrics.disconnects == 1)
                assert gateway.events == []

    run(test)


def test_two_hundred_aborts_leave_no_task_and_no_connection() -> None:
    async def one(gateway: Rig, n: int) -> None:
        reader, writer = await begin(gateway, chat(f"chunks=200&pause=0.01&delay={0.0 if n % 3 else 0.5}", stream=True))
        if n % 3:
            await reader.readuntil(b"data: ")
        else:
            await asyncio.sleep(0.05)
        writer.transport.abort()

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                await gateway.ask(CHAT, chat("id=warm"))
                before = len(asyncio.all_tasks())
                for start in range(0, 200, 40):
                    await asyncio.gather(*(one(gateway, n) for n in range(start, start + 40)))
                await until(lambda: len(gateway.events) == 201 and gateway.app.metrics.in_flight == 0)
                await until(lambda: fake.open_connections <= 1)
                await until(lambda: len(asyncio.all_tasks()) <= before)
                assert all(served.status == 499 for served in gateway.events[1:])
                assert (await gateway.ask(CHAT, chat("id=after"))).status == 200

    run(test)


def test_a_slow_reader_gets_everything_and_slows_the_upstream_down_with_it() -> None:
    size = 48_000_000
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 64_000):
            writer.write(b"x" * 64_000)
            await writer.drain()
            sent += 64_000

    async def test() -> None:
        async with raw_upstream(serve) as url, rig(url) as gateway:
            reader, writer = await begin(gateway, chat("id=big"))
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.3)
            assert sent < size
            assert len(await reader.readexactly(size)) == size
            writer.close()
            assert (await gateway.event()).status == 200

    run(test)


def test_a_caller_that_never_reads_is_cut_off_after_its_time() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        while True:
            writer.write(b"data: " + b"x" * 8000 + b"\n\n")
            await writer.drain()

    async def test() -> None:
        async with raw_upstream(serve) as url, rig(url, reader_seconds=0.4) as gateway:
            _, writer = await begin(gateway, chat("id=stuck", stream=True))
            served = await gateway.event(patience=5.0)
            assert served.disconnected
            await until(lambda: gateway.open_connections() == 0)
            writer.close()

    run(test)
