"""The surface mark through the running gateway: off means identical bytes; on, every way of asking gets one text."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from stillwatch.gateway.treater import Marking, Treater
from stillwatch.terms.action import Action
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.marks.signer import Marks
from stillwatch.treatments.surfaces.choice import Choice
from stillwatch.treatments.surfaces.sites import Sites
from tests.fake_upstream import FakeUpstream
from tests.gateway_rig import CHAT, MESSAGES, PlainDesk, ask, rig, run

RING = Ring.new(b"r" * 32, 0.0, vocab=1024)
MARK = Action(kind="mark", rule="r", treatments=("surface",))
TEXT = (
    "It's true that the two engines differ, and you don't have to know how. For example, one of them is often used in "
    "the field, although it is not the cheaper one, and most people don't mind. In addition, a number of shops may "
    "need to order parts, primarily in winter, and someone has to make sure that these are for each other: "
    '`do not` stays, "for example, this" stays. Therefore, the shops that we saw in the north typically '
    "open early, perhaps at six. "
    "Furthermore, they can help to reduce the wait for everyone, and that is not all there is to it for anyone."
)


def marked() -> str:
    epoch = RING.current
    sites = Sites(Choice.of(epoch, epoch.tag("account", "acme")).wanted)
    return sites.feed(TEXT) + sites.end()


def asked(path: str, stream: bool, script: str = "") -> dict[str, Any]:
    model = f"toy-chat?text={quote(TEXT)}{script}"
    if path == "/v1/completions":
        return {"model": model, "prompt": "hello", "stream": stream}
    if path == "/v1/responses":
        return {"model": model, "input": "hello", "stream": stream}
    more = {"max_tokens": 500} if path == MESSAGES else {}
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": stream, **more}


def objects(body: bytes) -> list[Any]:
    lines = [line[6:] for line in body.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def texts(path: str, body: bytes, stream: bool) -> list[str]:
    """Return every text that an answer says, each said in full."""
    found = objects(body) if stream else [json.loads(body)]
    if path == MESSAGES:
        if stream:
            return ["".join(e["delta"].get("text", "") for e in found if e["type"] == "content_block_delta")]
        return ["".join(block.get("text", "") for block in found[0]["content"])]
    if path == "/v1/responses":
        if not stream:
            return [found[0]["output"][-1]["content"][0]["text"]]
        again = [e["text"] for e in found if e["type"] == "response.output_text.done"]
        again += [e["response"]["output"][-1]["content"][0]["text"] for e in found if e["type"] == "response.completed"]
        return ["".join(e["delta"] for e in found if e["type"] == "response.output_text.delta"), *again]
    choices = [choice for each in found for choice in each["choices"]]
    if path == "/v1/completions":
        return ["".join(choice["text"] for choice in choices)]
    return ["".join(choice["delta" if stream else "message"].get("content") or "" for choice in choices)]


PATHS = [CHAT, "/v1/completions", "/v1/responses", MESSAGES]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("stream", "script"), [(False, ""), (True, ""), (True, "&split=1"), (True, "&crlf=1")])
def test_every_way_of_asking_gets_the_same_marked_text(path: str, stream: bool, script: str) -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, PlainDesk(order=MARK)) as gateway:
                gateway.app.treat_with(Treater(b"k" * 32, marking=Marking(lambda: Marks(RING))))
                answer = await gateway.ask(path, asked(path, stream, script))
                assert answer.status == 200
                assert set(texts(path, answer.body, stream)) == {marked()} != {TEXT}
                assert fake.received[0].json["model"] == asked(path, stream, script)["model"]
                assert marked().encode() not in (await gateway.event()).answer  # the event has what the upstream said

    run(test)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
def test_off_means_the_very_bytes(path: str, stream: bool) -> None:
    off = (Action(kind="mark", rule="r"), Action(kind="mark", rule="r", shadow=True, treatments=("surface",)))

    async def test() -> None:
        with FakeUpstream() as fake:
            for order in off:
                async with rig(fake.url, PlainDesk(order=order)) as gateway:
                    gateway.app.treat_with(Treater(b"k" * 32, marking=Marking(lambda: Marks(RING))))
                    through = await gateway.ask(path, asked(path, stream))
                    assert texts(path, through.body, stream)[0] == TEXT
                    if path != "/v1/responses":  # whose ids are new each time
                        assert through.body == (await ask(fake.url, path, asked(path, stream))).body

    run(test)


@pytest.mark.parametrize(
    "more",
    [
        {"response_format": {"type": "json_object"}},
        {"logprobs": True},
        {"messages": [{"role": "user", "content": "Proofread this for me."}]},
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_structures_probabilities_and_tasks_about_wording_keep_their_bytes(more: dict[str, Any], stream: bool) -> None:
    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, PlainDesk(order=MARK)) as gateway:
                gateway.app.treat_with(Treater(b"k" * 32, marking=Marking(lambda: Marks(RING))))
                body = {**asked(CHAT, stream), **more}
                assert (await gateway.ask(CHAT, body)).body == (await ask(fake.url, CHAT, body)).body

    run(test)


def test_withheld_probabilities_leave_the_text_to_be_marked() -> None:
    both = Action(kind="coarsen", rule="r", treatments=("withhold", "surface"))

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, PlainDesk(order=both)) as gateway:
                gateway.app.treat_with(Treater(b"k" * 32, marking=Marking(lambda: Marks(RING))))
                answer = await gateway.ask(CHAT, {**asked(CHAT, True), "logprobs": True, "top_logprobs": 2})
                assert texts(CHAT, answer.body, True) == [marked()] and b"top_logprobs" not in answer.body

    run(test)


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_an_upstream_that_dies_leaves_no_text_behind(path: str) -> None:
    """What came before the break is given, held text included, and then the typed error."""

    async def test() -> None:
        with FakeUpstream() as fake:
            async with rig(fake.url, PlainDesk(order=MARK)) as gateway:
                gateway.app.treat_with(Treater(b"k" * 32, marking=Marking(lambda: Marks(RING))))
                for cut in (2_500, 4_000, 6_000):
                    body = asked(path, True, f"&cut={cut}")
                    answer = await gateway.ask(path, body)
                    raw = (await gateway.event()).answer
                    whole = raw[: raw.rfind(b"\n\n") + 2]
                    came = [e for e in objects(whole) if "error" not in e]
                    mine = [e for e in objects(answer.body) if "error" not in e and e.get("type") != "error"]
                    sent = said(path, came)
                    sites = Sites(Choice.of(RING.current, RING.current.tag("account", "acme")).wanted)
                    assert said(path, mine) == sites.feed(sent) + sites.end()
                    assert b"error" in answer.body.rsplit(b"data: ", 1)[-1]
                    gateway.events.clear()

    run(test)


def said(path: str, found: list[Any]) -> str:
    if path == MESSAGES:
        return "".join(e["delta"].get("text", "") for e in found if e["type"] == "content_block_delta")
    return "".join(c["delta"].get("content") or "" for e in found for c in e["choices"])
