"""The marking server: marks what is ordered, passes on the rest, and says the same whole or in a stream."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from stillwatch.engines import ringfile
from stillwatch.engines.llamacpp.model import Model
from stillwatch.engines.llamacpp.orders import Orders
from stillwatch.engines.llamacpp.server import MarkingServer
from stillwatch.engines.ringfile import RingFile
from stillwatch.forensics.marks.green import GreenText, read_owner
from stillwatch.forensics.marks.gumbel import GumbelText, read_draws
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.treatments.marks.order import MarkOrder, sign
from stillwatch.treatments.marks.ring import Ring
from tests.fake_llamacpp import CONTEXT, KEY, FakeLlama, fake_llama

CHAT = "/v1/chat/completions"
RING = Ring.new(bytes(range(32)), 0.0, delta=4.0, vocab=256)
EPOCH = RING.current
OWNER = EPOCH.tag("account", "acme")


def order(ring: Ring = RING, until: float = 1e12, epoch: int = 1) -> dict[str, Any]:
    signed = sign(MarkOrder(epoch=epoch, account=OWNER, until=until), ring)
    return {"vllm_xargs": {"stillwatch_mark": signed}}


@dataclass
class Rig:
    fake: FakeLlama
    server: MarkingServer
    orders: Orders
    session: aiohttp.ClientSession
    url: str

    async def raw(self, body: Any, path: str = CHAT, key: str = KEY) -> tuple[int, bytes]:
        head = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(self.url + path, data=data, headers=head) as answer:
            return answer.status, await answer.read()

    async def ask(self, body: Any, path: str = CHAT) -> Any:
        status, raw = await self.raw(body, path)
        assert status == 200, raw
        return json.loads(raw)

    async def text(self, body: Any, path: str = CHAT) -> str:
        choice = (await self.ask(body, path))["choices"][0]
        return str(choice["message"]["content"] if path == CHAT else choice["text"])


@asynccontextmanager
async def rigged(folder: Path, **options: Any) -> AsyncIterator[Rig]:
    (folder / "ring.json").write_bytes(RING.to_json())
    with fake_llama() as fake:
        async with aiohttp.ClientSession() as session:
            ordered = Orders(RingFile(folder / "ring.json"))
            server = MarkingServer(Model(session, fake.url), ordered, **options)
            async with server.listening("127.0.0.1", 0) as url:
                yield Rig(fake, server, ordered, session, url)


def run(test: Callable[[Rig], Awaitable[None]], folder: Path, **options: Any) -> None:
    async def inner() -> None:
        async with rigged(folder, **options) as rig:
            await asyncio.wait_for(test(rig), 60)

    asyncio.run(inner())


def chat(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 60, "temperature": 1, "min_p": 0, **more}


def events(raw: bytes) -> list[Any]:
    lines = [line[6:] for line in raw.split(b"\n") if line.startswith(b"data: ")]
    assert lines[-1] == b"[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_an_ordered_answer_carries_the_accounts_mark_and_another_does_not(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        texts = [await rig.text(chat(seed=n, **order())) for n in range(20)]
        text = TokenText.of([np.frombuffer(one.encode(), np.uint8).astype(np.int64) for one in texts])
        found = {one.key_name: one for one in read_owner(GreenText.of(text, EPOCH), np.random.default_rng(1),
                                                         account=OWNER)}  # fmt: skip
        assert found["all tiers, no campaign"].log10_p < -12
        assert found["account"].log10_p < -2
        assert await rig.text(chat()) == "plain"
        assert rig.orders.counts == {"marked": 20}

    run(test, tmp_path)


def test_an_answer_is_the_same_whole_or_in_a_stream(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        for more in ({}, {"stop": ["e ", "q"]}, {"stop": "a"}, {"max_tokens": 1}, {"temperature": 0}):
            for path, body in ((CHAT, chat(seed=3, **more)), ("/v1/completions", {"prompt": "x", "seed": 4, **more})):
                body = {"max_tokens": 50, **body, **order()}
                whole = await rig.ask(body, path)
                status, raw = await rig.raw({**body, "stream": True, "stream_options": {"include_usage": True}}, path)
                choices = [c for event in events(raw) for c in event["choices"]]
                said = "".join((c.get("delta", {}).get("content") or "") + c.get("text", "") for c in choices)
                text = whole["choices"][0]
                assert said == (text["message"]["content"] if path == CHAT else text["text"])
                assert choices[-1]["finish_reason"] == text["finish_reason"]
                assert events(raw)[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]
                assert not any(stop in said for stop in more.get("stop", ()))

    run(test, tmp_path)


def test_a_seed_gives_the_same_answer_again_and_none_another(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        same = {await rig.text(chat(seed=5, **order())) for _ in range(3)}
        free = {await rig.text(chat(**order())) for _ in range(3)}
        assert (len(same), len(free)) == (1, 3)

    run(test, tmp_path)


def test_answers_end_at_the_models_end_at_the_limit_and_at_the_context(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        found = await rig.ask(chat(**order()))
        assert (found["choices"][0]["finish_reason"], found["usage"]["completion_tokens"]) == ("length", 60)
        endless = chat(max_tokens=None, **order())
        found = await rig.ask(endless)
        assert found["usage"]["total_tokens"] == CONTEXT
        rig.fake.ending = 5.0
        found = await rig.ask(chat(**order()))
        assert (found["choices"][0]["finish_reason"], found["usage"]["completion_tokens"]) == ("stop", 0)

    run(test, tmp_path)


@pytest.mark.parametrize(
    "bad",
    [
        {"vllm_xargs": {"stillwatch_mark": "AAAA"}},
        {"vllm_xargs": {"stillwatch_mark": 7}},
        order(until=time.time() - 5),
        order(ring=Ring.new(b"x" * 32, 0.0)),
    ],
    ids=["no order", "a number", "expired", "of other keys"],
)
def test_an_order_that_is_not_good_leaves_the_answer_plain_and_is_counted(tmp_path: Path, bad: dict[str, Any]) -> None:
    async def test(rig: Rig) -> None:
        found = await rig.ask(chat(**bad))
        assert found["choices"][0]["message"]["content"] == "plain"
        assert "vllm_xargs" not in found["got"]
        assert rig.orders.counts == {"bad order": 1}

    run(test, tmp_path)


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages", "/completion"])
def test_an_order_on_a_path_that_is_not_marked_is_taken_out_and_counted(tmp_path: Path, path: str) -> None:
    async def test(rig: Rig) -> None:
        assert (await rig.raw({"prompt": [1], "n_probs": 1, "input": "x", **order()}, path))[0] == 200
        assert "vllm_xargs" not in rig.fake.asked[-1][1]
        assert rig.orders.counts == {"path cannot be marked": 1}

    run(test, tmp_path)


def test_what_is_not_marked_goes_on_byte_for_byte(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        odd = b'{ "messages" : [] ,"vllm_xargs":{"other":1},  "x":1.50}'
        status, raw = await rig.raw(odd)
        assert json.loads(raw)["got"] == json.loads(odd)
        assert (await rig.raw(b"{no json"))[0] == 400
        assert (await rig.raw({"input": "x"}, "/v1/embeddings"))[0] == 200
        assert rig.fake.paths()[-1] == "/v1/embeddings"
        assert (await rig.raw(chat(), key="wrong"))[0] == 401

    run(test, tmp_path)


CANNOT = [
    {"tools": [{"type": "function"}]}, {"response_format": {"type": "json_object"}}, {"grammar": "root ::= x"},
    {"json_schema": {}, "response_format": {"type": "json_schema"}}, {"n": 2}, {"ignore_eos": True},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
]  # fmt: skip


@pytest.mark.parametrize("more", CANNOT, ids=lambda more: next(iter(more)))
def test_what_only_the_model_server_can_answer_is_passed_on_or_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    async def passed(rig: Rig) -> None:
        found = await rig.ask(chat(**order()) | more)
        assert found["choices"][0]["message"]["content"] == "plain" and "vllm_xargs" not in found["got"]
        assert sum(rig.orders.counts.values()) == 1 and "marked" not in rig.orders.counts

    async def refused(rig: Rig) -> None:
        status, raw = await rig.raw(chat(**order()) | more)
        assert (status, json.loads(raw)["error"]["param"] in {*more, "messages"}) == (400, True)

    run(passed, tmp_path)
    run(refused, tmp_path, refuse=True)


@pytest.mark.parametrize(
    "more", [{"temperature": -1}, {"top_p": 2}, {"stop": 3}, {"seed": "x"}, {"max_tokens": 1.5}, {"logit_bias": [1]}]
)
def test_a_value_that_cannot_be_is_named(tmp_path: Path, more: dict[str, Any]) -> None:
    async def test(rig: Rig) -> None:
        status, raw = await rig.raw(chat(**order()) | more)
        assert (status, json.loads(raw)["error"]["param"]) == (400, next(iter(more)))

    run(test, tmp_path)


def test_errors_of_the_model_server_are_told_as_they_are(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        status, raw = await rig.raw({"prompt": "x" * CONTEXT, **order()}, "/v1/completions")
        assert (status, json.loads(raw)["error"]["message"]) == (400, "exceeds the available context size")
        assert (await rig.raw(chat(**order()), key="wrong"))[0] == 401
        rig.fake.broken_after = rig.fake.steps() + 3
        status, raw = await rig.raw(chat(stream=True, **order()))
        assert status == 200 and b'"error"' in raw and b"[DONE]" not in raw
        rig.fake.broken_after = rig.fake.steps()
        assert (await rig.raw(chat(stream=True, **order())))[0] == 500

    run(test, tmp_path)


def test_a_connection_that_was_just_closed_costs_no_answer(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        rig.fake.hang_up_at = 5
        found = await rig.ask(chat(**order()))
        assert found["usage"]["completion_tokens"] == 60 and rig.fake.steps() == 61

    run(test, tmp_path)


def test_rotated_keys_are_read_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ringfile, "LOOK_SECONDS", 0.0)
    ring = RING.rotated(b"n" * 32, 1.0)

    async def test(rig: Rig) -> None:
        await rig.ask(chat(**order()))
        await rig.ask(chat(**order(ring, epoch=2)))
        assert rig.orders.counts == {"marked": 1, "bad order": 1}
        (tmp_path / "new").write_bytes(ring.to_json())
        os.replace(tmp_path / "new", tmp_path / "ring.json")
        await rig.ask(chat(**order(ring, epoch=2)))
        await rig.ask(chat(**order()))  # orders of the epoch before still hold
        assert rig.orders.counts["marked"] == 3
        (tmp_path / "ring.json").write_bytes(b"{damaged")
        await rig.ask(chat(**order(ring, epoch=2)))
        (tmp_path / "ring.json").unlink()
        await rig.ask(chat(**order(ring, epoch=2)))
        assert rig.orders.counts["marked"] == 5  # the keys that were read last go on

    run(test, tmp_path)


def test_without_keys_answers_are_plain(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        (tmp_path / "ring.json").unlink()
        assert await rig.text(chat(**order())) == "plain"
        assert rig.orders.counts == {"bad order": 1}

    run(test, tmp_path)


def test_an_epoch_of_keyed_draws_is_marked_too(tmp_path: Path) -> None:
    ring = Ring.new(bytes(range(32)), 0.0, scheme="gumbel", width=2, vocab=256)

    async def test(rig: Rig) -> None:
        (tmp_path / "ring.json").write_bytes(ring.to_json())
        texts = [await rig.text(chat(seed=n, **order(ring))) for n in range(12)]
        text = TokenText.of([np.frombuffer(one.encode(), np.uint8).astype(np.int64) for one in texts])
        found = read_draws(GumbelText.of(text, ring.current), np.random.default_rng(1), account=OWNER)
        assert {one.key_name: one for one in found}["all tiers, no campaign"].log10_p < -12

    run(test, tmp_path)


def test_a_marked_answer_has_the_shape_of_a_plain_one(tmp_path: Path) -> None:
    """It must not tell a caller; tests/e2e/test_marks_through_gateway.py compares with the running llama.cpp."""

    async def test(rig: Rig) -> None:
        found = await rig.ask(chat(**order()))
        assert list(found) == ["choices", "created", "model", "system_fingerprint", "object", "usage", "id", "timings"]
        assert (found["model"], found["system_fingerprint"]) == ("fake", "b0")
        assert list(found["choices"][0]) == ["finish_reason", "index", "message"]
        assert found["usage"]["prompt_tokens_details"]["cached_tokens"] == found["timings"]["cache_n"] == 3

    run(test, tmp_path)


def test_a_slot_is_free_again_after_errors_and_callers_that_left(tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(rig.raw(chat(max_tokens=150, stream=True, **order())), 0.02)
            await rig.raw({"prompt": "x" * CONTEXT, **order()}, "/v1/completions")
        assert len((await rig.text(chat(**order()))).encode()) >= 60

    run(test, tmp_path)


def test_no_text_and_no_key_is_in_what_is_logged_or_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(rig: Rig) -> None:
        body = {"messages": [{"role": "user", "content": "zebra-canary"}], "max_tokens": 5}
        await rig.ask({**body, **order()})
        await rig.ask({**body, "vllm_xargs": {"stillwatch_mark": "zebra-canary"}})
        shown = caplog.text + repr(rig.orders) + repr(rig.server) + str(rig.orders.counts)
        assert "zebra" not in shown and KEY not in shown and EPOCH.secret.hex() not in shown

    run(test, tmp_path)
