"""The stand-in upstream keeps to its budget, answers as composed, and never lets the teacher break a conversation."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from stillwatch.lab.replay import Sender, Tally, Wire, request_of
from stillwatch.lab.standin import KEPT_FOR_VISITORS, LONGEST_ANSWER, MOST_ASKED, NO_TEACHER, StandIn
from stillwatch.terms.exchange import Exchange, Message


def exchange(text: str, answer: str = "recorded", *, account: str = "a", status: int = 200, time: float = 0.0,
             history: tuple[Message, ...] = ()) -> Exchange:  # fmt: skip
    messages = (*history, Message(role="user", text=text))
    return Exchange(time=time, account=account, model="m", messages=messages, answer=answer, status=status)


class FakeTeacher:
    """Answers like the model, and notes what it was asked."""

    def __init__(self, seconds: float = 0.0, status: int = 200) -> None:
        self.asked: list[dict[str, Any]] = []
        self._seconds, self._status = seconds, status

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Bearer inner"
        self.asked.append(await request.json())
        await asyncio.sleep(self._seconds)
        return web.json_response({"choices": [{"message": {"content": "from the model"}}]}, status=self._status)


async def _within(
    exchanges: list[Exchange],
    teacher: FakeTeacher | None,
    work: Callable[[str, StandIn], Awaitable[None]],
    spent: int = 0,
) -> StandIn:
    app = web.Application()
    if teacher is not None:
        app.router.add_post("/v1/chat/completions", teacher.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}" if teacher is not None else ""
    standin = StandIn(exchanges, url, "inner", spent)
    try:
        async with standin.listening() as upstream:
            await work(upstream, standin)
    finally:
        await runner.cleanup()
    return standin


async def _post(url: str, body: dict[str, Any]) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/chat/completions", json=body) as response:
        return response.status, await response.read()


def said(raw: bytes) -> str:
    text: str = orjson.loads(raw)["choices"][0]["message"]["content"]
    return text


def test_at_most_250_requests_of_at_most_24_tokens_ever_reach_the_model() -> None:
    exchanges = [exchange(f"question {n}") for n in range(MOST_ASKED + 40)]
    teacher = FakeTeacher()

    async def work(url: str, standin: StandIn) -> None:
        for x in exchanges:
            assert (await _post(url, request_of(x) | {"max_tokens": 2048}))[0] == 200
        for n in range(KEPT_FOR_VISITORS + 5):
            status, raw = await _post(url, {"messages": [{"role": "user", "content": f"visit {n}"}]})
            assert status == 200 and said(raw) in ("from the model", NO_TEACHER)

    standin = asyncio.run(_within(exchanges, teacher, work))
    assert len(teacher.asked) == MOST_ASKED == standin.answered.teacher
    assert all(body["max_tokens"] <= LONGEST_ANSWER for body in teacher.asked)
    assert standin.answered.replayed == len(exchanges) - (MOST_ASKED - KEPT_FOR_VISITORS)
    assert standin.answered.visitors == KEPT_FOR_VISITORS + 5


def test_what_earlier_runs_asked_counts() -> None:
    exchanges = [exchange(f"question {n}") for n in range(8)]
    teacher = FakeTeacher()

    async def work(url: str, standin: StandIn) -> None:
        for x in exchanges:
            await _post(url, request_of(x))

    asyncio.run(_within(exchanges, teacher, work, spent=MOST_ASKED - KEPT_FOR_VISITORS - 3))
    assert len(teacher.asked) == 3


def test_an_answer_that_a_later_request_quotes_is_the_recorded_one() -> None:
    first = exchange("How heavy?", "Ten pounds.")
    history = (*first.messages, Message(role="assistant", text="Ten pounds."))
    second = exchange("And how long?", "A yard.", history=history, time=1.0)
    teacher = FakeTeacher()

    async def work(url: str, standin: StandIn) -> None:
        assert said((await _post(url, request_of(first)))[1]) == "Ten pounds."
        assert said((await _post(url, request_of(second)))[1]) == "from the model"

    asyncio.run(_within([first, second], teacher, work))


def test_a_slow_or_failing_model_delays_nobody_but_the_one_it_answers() -> None:
    exchanges = [exchange(f"question {n}") for n in range(20)]

    async def work(url: str, standin: StandIn) -> None:
        answers = await asyncio.gather(*(_post(url, request_of(x)) for x in exchanges))
        texts = [said(raw) for _, raw in answers]
        assert texts.count("recorded") >= 19 and all(status == 200 for status, _ in answers)

    asyncio.run(_within(exchanges, FakeTeacher(seconds=0.5), work))
    failing = asyncio.run(_within(exchanges, FakeTeacher(status=500), work))
    assert failing.answered.teacher == 0 and failing.answered.replayed == 20


def test_composed_failures_come_before_the_answer_that_was_tried_again_for() -> None:
    failed = exchange("again", "", status=429)
    answered = exchange("again", "at last", time=1.5)

    async def work(url: str, standin: StandIn) -> None:
        assert (await _post(url, request_of(failed)))[0] == 429
        assert said((await _post(url, request_of(answered)))[1]) == "at last"

    asyncio.run(_within([failed, answered], None, work))


def test_a_stream_carries_the_same_answer_in_pieces() -> None:
    answer = " ".join(f"word{n}" for n in range(35))
    one = exchange("tell", answer)

    async def work(url: str, standin: StandIn) -> None:
        _, raw = await _post(url, request_of(one) | {"stream": True})
        lines = [line[6:] for line in raw.splitlines() if line.startswith(b"data: ")]
        assert lines[-1] == b"[DONE]"
        pieces = [orjson.loads(line)["choices"][0]["delta"].get("content", "") for line in lines[:-1]]
        assert "".join(pieces) == answer and len(pieces) > 3

    asyncio.run(_within([one], None, work))


def test_the_client_sends_each_request_with_its_own_key_address_and_time_and_counts_refusals() -> None:
    seen: list[tuple[str, str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        who = request.headers["authorization"]
        seen.append((who, request.headers["x-forwarded-for"], (await request.json())["messages"][-1]["content"]))
        return web.json_response({}, status=403 if who == "Bearer key-b" else 200)

    async def work() -> Tally:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        keys = {"a": "key-a", "b": "key-b"}
        wire = Wire(
            url=f"http://127.0.0.1:{runner.addresses[0][1]}", keys=keys, groups={"a": "honest", "b": "campaign"}
        )
        tally = Tally()
        loop = asyncio.get_running_loop()
        import time as wall

        begin, at = loop.time(), wall.time()
        async with Sender(wire, tally) as sender:
            await sender.replay([first, second], lambda event: at + event / 10)
        assert loop.time() - begin >= 0.25
        await runner.cleanup()
        return tally

    first = Exchange(time=0.0, account="a", address="198.51.100.7", messages=(Message(role="user", text="one"),))
    second = Exchange(time=3.0, account="b", address="203.0.113.9", messages=(Message(role="user", text="two"),))
    tally = asyncio.run(work())
    assert seen == [("Bearer key-a", "198.51.100.7", "one"), ("Bearer key-b", "203.0.113.9", "two")]
    assert (tally.sent, tally.answered["honest"], tally.refused["campaign"]) == (2, 1, 1)
    assert "key-a" not in repr(wire_of := Wire(url="u", keys={"a": "key-a"}, groups={})) and wire_of.url == "u"
