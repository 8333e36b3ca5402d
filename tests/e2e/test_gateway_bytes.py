"""In observe mode the gateway cannot be told from the upstream: every byte of every answer is the upstream's."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from stillwatch.terms.action import Action
from tests.fake_upstream import FakeUpstream
from tests.gateway_rig import CHAT, KEY, MESSAGES, UPSTREAM_KEY, PlainDesk, ask, raw_upstream, read_request, rig, run

PER_ANSWER = {"x-request-id", "request-id", "date"}


def chat(script: str = "", **more: Any) -> dict[str, Any]:
    model = f"toy-chat?{script}" if script else "toy-chat"
    return {"model": model, "messages": [{"role": "user", "content": "Grüße 你好"}], **more}


def message(script: str = "", **more: Any) -> dict[str, Any]:
    return {**chat(script), "max_tokens": 50, **more}


CALLS: list[tuple[str, str, Any, dict[str, str]]] = [
    ("chat", CHAT, chat(), {}),
    ("chunked", CHAT, chat("chunked=1"), {}),
    ("stream", CHAT, chat(stream=True), {}),
    ("crlf", CHAT, chat("crlf=1", stream=True), {}),
    ("comments", CHAT, chat("keepalive=1", stream=True), {}),
    ("one byte", CHAT, chat("split=1", stream=True), {}),
    ("three bytes", CHAT, chat("split=3&crlf=1", stream=True), {}),
    ("no done", CHAT, chat("no_done=1", stream=True), {}),
    ("usage asked", CHAT, chat(stream=True, stream_options={"include_usage": True}), {}),
    ("gzip", CHAT, chat("gzip=1"), {"accept-encoding": "gzip"}),
    ("gzip stream", CHAT, chat("gzip=1", stream=True), {"accept-encoding": "gzip"}),
    ("closing", CHAT, chat("close=1"), {}),
    ("n and logprobs", CHAT, chat(n=3, logprobs=True, top_logprobs=5), {}),
    ("completions", "/v1/completions", {"model": "toy-chat", "prompt": "x"}, {}),
    ("responses", "/v1/responses", {"model": "toy-chat", "input": "x"}, {}),
    ("responses stream", "/v1/responses", {"model": "toy-chat", "input": "x", "stream": True}, {}),
    ("embeddings", "/v1/embeddings", {"model": "toy-embed", "input": "x"}, {}),
    ("models", "/v1/models", None, {}),
    ("one model", "/v1/models/toy-chat", None, {}),
    ("message", MESSAGES, message(), {"anthropic-version": "2023-06-01"}),
    ("message stream", MESSAGES, message(stream=True), {"anthropic-version": "2023-06-01"}),
    ("count", "/v1/messages/count_tokens", chat(), {"anthropic-version": "2023-06-01"}),
    ("429", CHAT, chat("status=429&retry_after=7&should_retry=false"), {}),
    ("500", CHAT, chat("status=500"), {}),
    ("529", MESSAGES, message("status=529"), {}),
    ("html", CHAT, chat("status=502&html=1"), {}),
    ("no json", CHAT, chat("malformed=1"), {}),
    ("error in stream", CHAT, chat("error_at=2", stream=True), {}),
]


@pytest.mark.parametrize("shadow", [False, True], ids=["allow", "shadow"])
def test_every_answer_is_the_upstreams_byte_for_byte(shadow: bool) -> None:
    order = Action(kind="refuse" if shadow else "allow", rule="r", shadow=shadow)

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, PlainDesk(order=order)) as gateway:
                for name, path, body, headers in CALLS:
                    through = await gateway.ask(path, body, headers=headers)
                    direct = await ask(fake.url, path, body, headers=headers)
                    assert through.status == direct.status, name
                    assert through.body == direct.body, name
                    assert shown(through.headers) == shown(direct.headers), name
                    seen, expected = fake.received[-2], fake.received[-1]
                    assert (seen.method, seen.path, seen.raw) == (expected.method, expected.path, expected.raw), name

    run(test)


def shown(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers but those that differ from answer to answer, and those of one hop."""
    hop = {"connection", "transfer-encoding", "keep-alive"}
    return sorted((name.lower(), value) for name, value in headers if name.lower() not in PER_ANSWER | hop)


def test_the_upstream_gets_the_callers_bytes_and_headers_and_its_own_key() -> None:
    body = b'{ "model":"toy-chat",  "messages": [{"role":"user","content":"\\u00e9"}]  , "unknown_field": 1.50 }'
    headers = {"x-forwarded-for": "1.2.3.4", "x-stillwatch-account": "boss", "openai-organization": "o", "cookie": "c"}

    async def test() -> None:
        with FakeUpstream(keys=(UPSTREAM_KEY,)) as fake:
            async with rig(fake.url) as gateway:
                assert (await gateway.ask(CHAT + "?a=%20b", body, headers=headers)).status == 200
            seen = fake.received[0]
            assert seen.raw == body
            assert seen.query == "a= b" or seen.query == "a=%20b"
            assert seen.header("authorization") == f"Bearer {UPSTREAM_KEY}"
            assert seen.header("openai-organization") == "o"
            assert seen.header("x-forwarded-for") is None
            assert seen.header("x-stillwatch-account") is None
            assert KEY not in str(seen.headers)

    run(test)


def test_either_key_header_is_taken_and_passed_on_as_configured() -> None:
    async def test() -> None:
        with FakeUpstream(keys=(UPSTREAM_KEY, KEY)) as fake:
            api_key = {"x-api-key": KEY, "authorization": ""}
            async with rig(fake.url) as gateway:
                assert (await gateway.ask(MESSAGES, message(), headers=api_key)).status == 200
                assert fake.received[-1].header("x-api-key") == UPSTREAM_KEY
                assert fake.received[-1].header("authorization") is None
            async with rig(fake.url, upstream_key_header="bearer") as gateway:
                assert (await gateway.ask(MESSAGES, message(), headers=api_key)).status == 200
                assert fake.received[-1].header("authorization") == f"Bearer {UPSTREAM_KEY}"
            async with rig(fake.url, credentials="pass") as gateway:
                assert (await gateway.ask(CHAT, chat())).status == 200
                assert fake.received[-1].header("authorization") == f"Bearer {KEY}"

    run(test)


@pytest.mark.parametrize("chunked", [False, True])
def test_zipped_and_chunked_requests_arrive_as_sent_and_are_recorded_unzipped(chunked: bool) -> None:
    plain = json.dumps(chat()).encode()
    zipped = gzip.compress(plain)

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                body: Any = pieces(zipped) if chunked else zipped
                answer = await send(gateway.url + CHAT, body, {"content-encoding": "gzip"})
                assert answer == 200
                assert fake.received[0].raw == zipped
                assert fake.received[0].header("content-encoding") == "gzip"
                assert (await gateway.event()).request == plain

    run(test)


async def pieces(data: bytes) -> Any:
    for start in range(0, len(data), 20):
        yield data[start : start + 20]
        await asyncio.sleep(0)


async def send(url: str, body: Any, headers: dict[str, str]) -> int:
    import aiohttp

    given = {"authorization": f"Bearer {KEY}", "content-type": "application/json", **headers}
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=given) as answer:
        await answer.read()
        return answer.status


def test_a_zipped_answer_passes_zipped_and_is_recorded_unzipped() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                for stream in (False, True):
                    headers = {"accept-encoding": "gzip, br"}
                    answer = await gateway.ask(CHAT, chat("gzip=1", stream=stream), headers=headers)
                    assert answer.header("content-encoding") == "gzip"
                    served = await gateway.event(2 if stream else 1)
                    assert served.answer == gzip.decompress(answer.body)
                assert fake.received[0].header("accept-encoding") == "gzip"

    run(test)


def test_a_large_body_goes_through_whole() -> None:
    body = chat(image="x" * 9_000_000)

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                assert (await gateway.ask(CHAT, body)).status == 200
                assert fake.received[0].raw == json.dumps(body).encode()
                served = await gateway.event()
                assert len(served.request) <= 1_048_576
                assert json.loads(served.request)["messages"] == body["messages"]

    run(test)


def test_an_upload_is_asked_for_only_once_its_caller_is_known() -> None:
    async def talk(port: int, key: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = json.dumps(chat()).encode()
        writer.write(
            b"POST %s HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\nexpect: 100-continue\r\n"
            b"content-length: %d\r\n\r\n" % (CHAT.encode(), key.encode(), len(body))
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 100"):
            writer.write(body)
            head += await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return head

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                assert (await talk(gateway.port, KEY)).split(b"\r\n")[0] == b"HTTP/1.1 100 Continue"
                assert (await talk(gateway.port, "wrong")).startswith(b"HTTP/1.1 401")
                assert fake.received[0].header("expect") is None

    run(test)


def test_each_event_of_a_stream_arrives_when_the_upstream_sends_it() -> None:
    arrived = asyncio.Event

    async def test() -> None:
        go_on = arrived()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            writer.write('data: {"é": 1}\n\ndata: {"'.encode() + "漢".encode()[:1])
            await writer.drain()
            await go_on.wait()
            writer.write("漢".encode()[1:] + b'": 2}\n\n')
            await writer.drain()

        async with raw_upstream(serve) as url, rig(url) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            body = json.dumps(chat(stream=True)).encode()
            writer.write(b"POST %s HTTP/1.1\r\nhost: x\r\nx-api-key: %s\r\n" % (CHAT.encode(), KEY.encode()))
            writer.write(b"content-length: %d\r\n\r\n" % len(body) + body)
            first = await reader.readuntil('data: {"é": 1}\n\n\r\n'.encode())
            assert b"transfer-encoding: chunked" in first
            go_on.set()
            assert 'data: {"漢": 2}\n\n'.encode() in await reader.readuntil(b"0\r\n\r\n")
            writer.close()

    run(test)


def test_a_caller_of_http_1_0_gets_a_body_that_it_can_read() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url) as gateway:
                reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
                body = json.dumps(chat("chunked=1")).encode()
                writer.write(b"POST %s HTTP/1.0\r\nx-api-key: %s\r\n" % (CHAT.encode(), KEY.encode()))
                writer.write(b"content-length: %d\r\n\r\n" % len(body) + body)
                answer = await reader.read()
                writer.close()
                head, _, content = answer.partition(b"\r\n\r\n")
                assert b"chunked" not in head
                assert json.loads(content)["object"] == "chat.completion"

    run(test)
