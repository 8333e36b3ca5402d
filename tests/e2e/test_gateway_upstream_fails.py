"""An upstream that dies, hangs or talks nonsense, at each stage: what the caller gets is typed and can be retried."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fake_upstream import FakeUpstream
from tests.gateway_rig import CHAT, MESSAGES, raw_upstream, read_request, rig, run

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n"
ASKED = {"messages": [{"role": "user", "content": "hi"}]}
SSE = HEAD % b"text/event-stream"
PATHS = [(CHAT, b'data: {"error":'), ("/v1/responses", b"event: error\ndata: "), (MESSAGES, b"event: error\ndata: ")]


def body(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [], "max_tokens": 5, **more}


def upstream(answer: bytes, wait: float = 0.0) -> Callable[..., Awaitable[None]]:
    """An upstream that writes `answer`, waits and is gone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(wait)

    return serve


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_an_upstream_that_is_not_there_is_502_and_worth_a_retry(path: str) -> None:
    async def test() -> None:
        async with rig("http://127.0.0.1:9") as gateway:
            answer = await gateway.ask(path, body())
            assert (answer.status, answer.json["error"]["code"]) == (502, "upstream_unreachable")
            assert answer.json["error"]["type"] == ("api_error" if path == MESSAGES else "server_error")
            assert (answer.header("x-should-retry"), answer.header("retry-after")) == ("true", "2")
            assert (await gateway.event()).status == 502
            assert gateway.app.metrics.upstream_errors == {"connect": 1}
            assert gateway.desk.settled[0][1] == 0

    run(test)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-ty", b"no http at all\r\n\r\n"])
def test_an_upstream_that_leaves_before_its_answer_begins_is_502(answer: bytes) -> None:
    async def test() -> None:
        async with raw_upstream(upstream(answer)) as url, rig(url) as gateway:
            found = await gateway.ask(CHAT, body())
            assert (found.status, found.json["error"]["code"]) == (502, "upstream_disconnected")
            assert gateway.app.metrics.upstream_errors == {"died": 1}

    run(test)


@pytest.mark.parametrize("answer", [b"", SSE])
def test_an_upstream_that_stays_silent_is_504(answer: bytes) -> None:
    async def test() -> None:
        async with raw_upstream(upstream(answer, wait=3.0)) as url, rig(url, read_seconds=0.2) as gateway:
            found = await gateway.ask(CHAT, body(stream=True))
            assert (found.status, found.json["error"]["code"]) == (504, "upstream_timeout")
            assert gateway.app.metrics.upstream_errors == {"timeout": 1}

    run(test)


@pytest.mark.parametrize(("path", "start"), PATHS)
@pytest.mark.parametrize("rest", [b"", b'data: {"half', b"data: {}\r\n"])
def test_a_stream_that_breaks_ends_in_a_typed_error_and_no_half_event(path: str, start: bytes, rest: bytes) -> None:
    first = b'data: {"a": "\xc3\xa9"}\n\n'

    async def test() -> None:
        broken = SSE + chunk(first + rest)
        async with raw_upstream(upstream(broken, wait=0.05)) as url, rig(url) as gateway:
            found = await gateway.ask(path, body(stream=True))
            assert found.status == 200
            assert found.body.startswith(first + start)
            error = json.loads(found.body.split(b"data: ")[-1])
            assert error["error"]["code"] == "upstream_disconnected"
            served = await gateway.event()
            assert served.answer == first + rest
            assert not served.disconnected

    run(test)


def test_a_stream_that_falls_silent_ends_in_a_typed_error() -> None:
    async def test() -> None:
        silent = SSE + chunk(b"data: {}\n\n")
        async with raw_upstream(upstream(silent, wait=3.0)) as url, rig(url, read_seconds=0.2) as gateway:
            found = await gateway.ask(CHAT, body(stream=True))
            assert json.loads(found.body.split(b"data: ")[-1])["error"]["code"] == "upstream_timeout"

    run(test)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD % b"application/json" + chunk(b'{"a": 1'),
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n" + b'{"a": 1',
    ],
)
def test_an_answer_that_breaks_is_broken_off_and_never_looks_whole(answer: bytes) -> None:
    import aiohttp

    async def test() -> None:
        async with raw_upstream(upstream(answer, wait=0.05)) as url, rig(url) as gateway:
            with pytest.raises(aiohttp.ClientPayloadError):
                await gateway.ask(CHAT, body())
            served = await gateway.event()
            assert served.answer == b'{"a": 1'
            assert gateway.app.metrics.upstream_errors == {"died": 1}

    run(test)


def test_an_upstream_that_comes_back_is_used_again() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                good = {"model": "toy-chat", "messages": [{"role": "user", "content": "hi"}]}
                assert (await gateway.ask(CHAT, good)).status == 200
                fake.stop()
                assert (await gateway.ask(CHAT, good)).status == 502
                fake.start()
                assert (await gateway.ask(CHAT, good)).status == 200

    run(test)


def test_retries_of_an_overloaded_upstream_are_counted_with_their_number() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                for attempt in range(3):
                    script = {"model": "toy-chat?status=529&times=2", **ASKED}
                    await gateway.ask(CHAT, script, headers={"x-stainless-retry-count": str(attempt)})
                await gateway.event(3)
                assert [(served.status, served.attempt) for served in gateway.events] == [(529, 0), (529, 1), (200, 2)]
                assert gateway.app.metrics.upstream_errors == {"status": 2}

    run(test)
