"""Answers are changed only where an action orders it, and then wholly: streamed or not, zipped or not."""

import asyncio
import gzip
import json
import time
from typing import Any

import pytest

from stillwatch.gateway.treater import Marking, Treater
from stillwatch.terms.action import Action
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.order import read_order
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.marks.signer import Marks
from tests.fake_upstream import FakeUpstream
from tests.gateway_rig import CHAT, PlainDesk, ask, raw_upstream, read_request, rig, run, stored_answers

COARSEN = Action(kind="coarsen", rule="r", treatments=("withhold",))


def chat(script: str = "", **more: Any) -> dict[str, Any]:
    model = f"toy-chat?{script}" if script else "toy-chat"
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], **more}


def events(body: bytes) -> list[Any]:
    lines = [line[6:] for line in body.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


@pytest.mark.parametrize("script", ["", "split=1", "crlf=1", "keepalive=1&split=5", "usage=last", "usage=none"])
def test_usage_asked_for_here_is_taken_out_without_loss(script: str) -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, include_usage=True) as gateway:
                through = await gateway.ask(CHAT, chat(script, stream=True))
                direct = await ask(fake.url, CHAT, chat(script, stream=True))
                assert fake.received[0].json["stream_options"] == {"include_usage": True}
                assert events(through.body) == events(direct.body)
                assert (b"[DONE]" in through.body) == (b"[DONE]" in direct.body)
                if script != "usage=none":
                    assert b'"usage"' in (await gateway.event()).answer
                    assert gateway.desk.settled[0][1] > 0

    run(test)


def test_usage_that_the_caller_asked_for_stays() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, include_usage=True) as gateway:
                asked = chat(stream=True, stream_options={"include_usage": True})
                assert (await gateway.ask(CHAT, asked)).body == (await ask(fake.url, CHAT, asked)).body

    run(test)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", ["", "split=3", "gzip=1"])
def test_coarsening_takes_probabilities_out_of_every_kind_of_answer(stream: bool, script: str) -> None:
    body = chat(script, stream=stream, logprobs=True, top_logprobs=3)

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, PlainDesk(order=COARSEN)) as gateway:
                answer = await gateway.ask(CHAT, body, headers={"accept-encoding": "gzip"})
                assert answer.status == 200
                assert answer.header("content-encoding") is None
                assert "logprobs" not in fake.received[0].json
                found = events(answer.body) if stream else [answer.json]
                assert all(not choice.get("logprobs") for each in found for choice in each["choices"])
                assert (await gateway.event()).action == "coarsen"

    run(test)


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_zips_all_the_same_is_unzipped_for_the_edit(stream: bool) -> None:
    top = {"choices": [{"index": 0, "delta" if stream else "message": {"content": "x"}, "logprobs": {"content": [1]}}]}
    plain = json.dumps(top).encode()
    if stream:
        plain = b"data: " + plain + b"\n\ndata: [DONE]\n\n"
    zipped = gzip.compress(plain)
    kind = b"text/event-stream" if stream else b"application/json"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % (kind, len(zipped)) + zipped)
        await writer.drain()

    async def test() -> None:
        async with raw_upstream(serve) as url, rig(url, PlainDesk(order=COARSEN)) as gateway:
            answer = await gateway.ask(CHAT, chat(stream=stream))
            assert answer.header("content-encoding") is None
            found = events(answer.body)[0] if stream else answer.json
            assert not found["choices"][0]["logprobs"]
            assert (await gateway.event()).answer == plain

    run(test)


def test_a_treatment_with_nothing_to_change_leaves_the_bytes() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, PlainDesk(order=COARSEN)) as gateway:
                for stream in (False, True):
                    body = {"model": "toy-chat", "prompt": "x", "stream": stream}
                    through = await gateway.ask("/v1/completions", body)
                    direct = await ask(fake.url, "/v1/completions", body)
                    if b"logprobs" not in direct.body:
                        assert through.body == direct.body

    run(test)


def test_a_stored_answer_is_no_way_around_a_treatment() -> None:
    async def test() -> None:
        async with raw_upstream(stored_answers) as url, rig(url, PlainDesk(order=COARSEN)) as gateway:
            assert b"-0.5" in (await ask(url, "/v1/responses/resp_1")).body
            fetched = await gateway.ask("/v1/responses/resp_1")
            assert fetched.status == 200
            assert b"-0.5" not in fetched.body
            assert b"-0.5" in (await gateway.event()).answer

    run(test)


def test_a_switch_that_no_account_may_choose_does_not_reach_the_upstream() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, refuse_fields=("logit_bias",)) as gateway:
                zipped = gzip.compress(json.dumps(chat(vllm_xargs={"watermark": False}, seed=3)).encode())
                assert (await gateway.ask(CHAT, zipped, headers={"content-encoding": "gzip"})).status == 200
                assert fake.received[0].json == chat(seed=3)
                assert fake.received[0].header("content-encoding") is None
                refused = await gateway.ask(CHAT, chat(logit_bias={"1": 2}))
                assert (refused.status, refused.json["error"]["param"]) == (400, "logit_bias")

    run(test)


MARK = Action(kind="mark", rule="r", treatments=("watermark",))
RING = Ring.new(b"r" * 32, 0.0, vocab=1024)


@pytest.mark.parametrize("stream", [False, True])
def test_a_marked_request_carries_an_order_that_engines_can_check_and_its_answer_stays(stream: bool) -> None:
    body = chat(stream=stream, vllm_xargs={"stillwatch_mark": "forged", "mine": 1}, watermarking=False)

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, PlainDesk(order=MARK)) as gateway:
                gateway.app.treat_with(Treater(b"k" * 32, marking=Marking(lambda: Marks(RING))))
                through = await gateway.ask(CHAT, body)
                sent = fake.received[0].json
                order = read_order(sent["vllm_xargs"]["stillwatch_mark"], RING, time.time())
                assert order.account == RING.current.tag("account", "acme") and not order.campaign
                assert set(sent["vllm_xargs"]) == {"stillwatch_mark"}
                assert "watermarking" not in sent
                assert through.body == (await ask(fake.url, CHAT, sent)).body

    run(test)


def test_without_keys_or_order_nothing_is_sent_along_and_the_bytes_stay() -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            for order, marking in ((MARK, Marking()), (Action(kind="mark", rule="r"), Marking(lambda: Marks(RING)))):
                async with rig(fake.url, PlainDesk(order=order)) as gateway:
                    gateway.app.treat_with(Treater(b"k" * 32, marking=marking))
                    await gateway.ask(CHAT, chat(seed=5))
                    assert fake.received[-1].json == chat(seed=5)

    run(test)


def test_keys_that_cannot_be_read_leave_the_answer_unmarked_and_are_counted() -> None:
    def broken() -> Marks:
        raise StillwatchError("keys of marks: damaged.")

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, PlainDesk(order=MARK)) as gateway:
                gateway.app.treat_with(Treater(b"k" * 32, marking=Marking(broken)))
                assert (await gateway.ask(CHAT, chat())).status == 200
                assert gateway.app.metrics.failed_open["treatment"] == 1

    run(test)
