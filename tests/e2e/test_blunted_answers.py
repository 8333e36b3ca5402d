"""Blunted answers through a running gateway, read by the official clients: they accept all, and the text stays."""

import asyncio
from typing import Any

import anthropic
import openai
import pytest

from stillwatch.terms.action import Action
from tests.fake_upstream import FakeUpstream
from tests.gateway_rig import KEY, PlainDesk, Rig, rig, run

QUESTION = [{"role": "user", "content": "How many pens are in three boxes?"}]
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}


def _under(test: Any, *treatments: str, kind: str = "perturb") -> None:
    async def both() -> None:
        with FakeUpstream() as fake:
            order = Action(kind=kind, rule="r", treatments=treatments)
            async with rig(fake.url, PlainDesk(order=order)) as gateway, rig(fake.url) as plain:
                await test(fake, gateway, plain)

    run(both)


def _message(rig_: Rig, *, stream: bool, tools: bool) -> Any:
    client = anthropic.Anthropic(base_url=rig_.url, api_key=KEY, max_retries=0)
    more: dict[str, Any] = {"tools": [TOOL]} if tools else {}
    asked: dict[str, Any] = {"model": "toy-chat", "max_tokens": 2_000, "messages": QUESTION, **more}
    asked["thinking"] = {"type": "enabled", "budget_tokens": 1_024}
    if not stream:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as events:
        return events.get_final_message()


def _said(message: Any) -> list[tuple[str, str]]:
    """Blocks but thinking; ids of calls follow from the request, which may ask otherwise."""
    rest = [block for block in message.content if block.type != "thinking"]
    return [(block.type, block.text if block.type == "text" else block.name) for block in rest]


@pytest.mark.parametrize("name", ["reasoning_strip", "reasoning_summary", "reasoning_conclusion"])
@pytest.mark.parametrize("tools", [True, False], ids=["tools", "no tools"])
def test_signed_thinking_comes_whole_or_not_at_all_and_the_official_client_takes_it(name: str, tools: bool) -> None:
    async def test(fake: FakeUpstream, gateway: Rig, plain: Rig) -> None:
        for stream in (False, True):
            before = await asyncio.to_thread(_message, plain, stream=stream, tools=tools)
            after = await asyncio.to_thread(_message, gateway, stream=stream, tools=tools)
            assert _said(after) == _said(before)
            thought = [block for block in after.content if block.type == "thinking"]
            assert thought == ([block for block in before.content if block.type == "thinking"] if tools else [])

    _under(test, name, kind="coarsen")


def test_embeddings_come_with_noise_in_either_coding_and_have_their_length() -> None:
    def asked(rig_: Rig, coding: Any) -> list[float]:
        client = openai.OpenAI(base_url=f"{rig_.url}/v1", api_key=KEY, max_retries=0)
        found = client.embeddings.create(model="toy-embed", input=["a", "b"], encoding_format=coding)
        return [number for one in found.data for number in one.embedding]

    async def test(fake: FakeUpstream, gateway: Rig, plain: Rig) -> None:
        for coding in ("float", openai.NOT_GIVEN):
            before = await asyncio.to_thread(asked, plain, coding)
            after = await asyncio.to_thread(asked, gateway, coding)
            assert len(after) == len(before) and after != before

    _under(test, "privacy")


def test_few_probabilities_come_and_none_beside_steering() -> None:
    def asked(rig_: Rig, **more: Any) -> Any:
        client = openai.OpenAI(base_url=f"{rig_.url}/v1", api_key=KEY, max_retries=0)
        messages: Any = QUESTION
        found = client.chat.completions.create(
            model="toy-chat", messages=messages, logprobs=True, top_logprobs=20, **more
        )
        return found.choices[0]

    async def test(fake: FakeUpstream, gateway: Rig, plain: Rig) -> None:
        few = await asyncio.to_thread(asked, gateway)
        assert few.logprobs is not None and all(len(place.top_logprobs) <= 5 for place in few.logprobs.content)
        none = await asyncio.to_thread(asked, gateway, logit_bias={"5": 10})
        assert none.logprobs is None and none.message.content == few.message.content
        assert b"logprobs" not in fake.received[-1].body

    _under(test, "logprobs", kind="coarsen")


def test_under_dose_without_nats_every_byte_is_the_upstream_s() -> None:
    async def test(fake: FakeUpstream, gateway: Rig, plain: Rig) -> None:
        body = {"model": "toy-chat", "messages": QUESTION, "logprobs": True, "top_logprobs": 3}
        for path, asked in (("/v1/chat/completions", body), ("/v1/embeddings", {"model": "toy-embed", "input": "x"})):
            assert (await gateway.ask(path, asked)).body == (await plain.ask(path, asked)).body

    _under(test, "dose")
