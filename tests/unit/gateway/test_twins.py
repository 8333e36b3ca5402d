"""Twin answers: the caller gets one answer as ever, the other is nobody's, and what is kept does not lean on either."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from stillwatch.forensics.twins import coin
from stillwatch.gateway.app import Gateway
from stillwatch.gateway.call import Call
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.metrics import Metrics
from stillwatch.gateway.ports import Caller
from stillwatch.gateway.routes import ROUTES
from stillwatch.gateway.twins import MOST_AT_ONCE, TwinPlan, Twins, fit
from stillwatch.gateway.upstream import Upstream
from tests.gateway_rig import CHAT, Events, Rig, raw_upstream, read_request, rig, run, until

BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
KEYS: dict[str, Any] = {"coin_key": bytes(32), "share_key": bytes(range(32))}
TWICE: dict[str, Any] = {"confirmed": lambda account, now: True, "a_day": 1_000, **KEYS}


class Teacher:
    """An upstream that never answers alike twice; `asked` holds heads and bodies as they came."""

    def __init__(self, *, statuses: tuple[int, ...] = (), slow: float = 0.0) -> None:
        self.asked: list[bytes] = []
        self._number, self._statuses, self._slow = count(), list(statuses), slow

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = await read_request(reader)
        self.asked.append(raw)
        number, status = next(self._number), self._statuses.pop(0) if self._statuses else 200
        streamed = b'"stream": true' in raw or b'"stream":true' in raw
        if self._slow and streamed:
            await self._slowly(writer, number)
            return
        body = _stream(number) if streamed else _whole(number)
        kind = b"text/event-stream" if streamed else b"application/json"
        writer.write(b"HTTP/1.1 %d OK\r\ncontent-type: %s\r\nconnection: close\r\n" % (status, kind))
        writer.write(b"content-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async def _slowly(self, writer: asyncio.StreamWriter, number: int) -> None:
        body = _stream(number)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n" % len(body) + body[:20])
        await writer.drain()
        await asyncio.sleep(self._slow)
        writer.write(body[20:])
        await writer.drain()


def _whole(number: int) -> bytes:
    return json.dumps({"choices": [{"message": {"content": f"answer {number}"}}]}).encode()


def _stream(number: int) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": f"answer {number}"}}]}).encode() + b"\n\n"


@asynccontextmanager
async def twinned(teacher: Teacher, **plan: Any) -> AsyncIterator[Rig]:
    async with raw_upstream(teacher) as url, rig(url) as gateway:
        gateway.app.draw_twins(TwinPlan(**(TWICE | plan)))
        yield gateway


def pairs(events: Events) -> list[Any]:
    return [one for one in events if one.kind == "twin"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_caller_gets_one_answer_and_the_pair_holds_it_and_another(stream: bool) -> None:
    async def test() -> None:
        teacher = Teacher()
        async with twinned(teacher) as gateway:
            got = [(await gateway.ask(CHAT, BODY | {"stream": stream})).body for _ in range(12)]
            await until(lambda: len(pairs(gateway.events)) == 12)
            assert len(teacher.asked) == 24 and gateway.app.metrics.twins == {"kept": 12}
            found = pairs(gateway.events)
            assert sorted(one.answer for one in found) == sorted(got)
            assert all(one.twin and one.twin != one.answer for one in found)
            assert {one.twin for one in found}.isdisjoint(got)
            wire = {one.request_id: one for one in gateway.events if one.kind == "wire"}
            assert len(wire) == 12 and all(wire[one.request_id].answer == one.answer for one in found)
            assert all(one.request == wire[one.request_id].request for one in found)
            assert gateway.desk.taken == [gateway.desk.taken[0]] * 12, "the account pays for what it got"

    run(test)


def test_both_requests_are_alike_and_nothing_goes_out_twice_that_must_not() -> None:
    async def test() -> None:
        teacher = Teacher()
        async with twinned(teacher) as gateway:
            await gateway.ask(CHAT, BODY, headers={"idempotency-key": "once", "x-mine": "1"})
            await until(lambda: len(teacher.asked) == 2)
            heads = [raw.split(b"\r\n\r\n")[0].lower() for raw in teacher.asked]
            assert [b"idempotency-key" in head for head in heads].count(True) == 1
            assert all(b"x-mine: 1" in head and b"sk-upstream" in head for head in heads)
            assert teacher.asked[0].split(b"\r\n\r\n")[1] == teacher.asked[1].split(b"\r\n\r\n")[1]

    run(test)


def test_the_coin_says_which_of_the_two_requests_goes_out_first() -> None:
    class Slow:
        """Notes who asks, and answers nobody."""

        order: list[bool] = []

        async def request(self, method: str, target: bytes, pairs: Any, body: bytes) -> Any:
            self.order.append(("accept-encoding", "identity") not in pairs)
            await asyncio.sleep(0)
            raise ConnectionResetError

    async def test() -> None:
        second = []
        for number in range(16):
            upstream = Slow()
            upstream.order = []
            twins = Twins(TwinPlan(**TWICE), upstream, Events(), Metrics())  # type: ignore[arg-type]
            call = call_of(number)
            twin = twins.plan(call, {})
            assert twin is not None
            with pytest.raises(ConnectionResetError):
                await twin.ask("POST", b"/", [], b"{}")
            await twins.close()
            second.append(coin(KEYS["coin_key"], call.request_id))
            assert upstream.order == ([False, True] if second[-1] else [True, False])
        assert set(second) == {False, True}

    run(test)


def test_off_means_that_nothing_is_asked_twice_and_nothing_is_planned() -> None:
    async def test() -> None:
        teacher = Teacher()
        async with raw_upstream(teacher) as url, rig(url) as gateway:
            for _ in range(5):
                await gateway.ask(CHAT, BODY)
            await gateway.event(5)
            assert len(teacher.asked) == 5 and not pairs(gateway.events) and not gateway.app.metrics.twins

    run(test)


def test_a_caller_that_leaves_leaves_a_pair_without_its_answer_and_not_no_pair() -> None:
    async def test() -> None:
        async with twinned(Teacher(slow=0.2)) as gateway:
            task = asyncio.create_task(gateway.ask(CHAT, BODY | {"stream": True}))
            await until(lambda: gateway.app.metrics.in_flight == 1)
            await asyncio.sleep(0.05)
            task.cancel()
            await until(lambda: len(pairs(gateway.events)) == 1)
            (found,) = pairs(gateway.events)
            assert found.answer == b"" and b"answer" in found.twin and found.status == 499

    run(test)


def test_a_twin_that_is_turned_away_costs_the_caller_nothing_and_no_other_is_asked_for_a_while() -> None:
    async def test() -> None:
        for refused in (0, 1):
            teacher = Teacher(statuses=(503, 200) if refused == 0 else (200, 503))
            async with twinned(teacher) as gateway:
                got = await gateway.ask(CHAT, BODY, headers={"idempotency-key": "mine"})
                mine = [b"idempotency-key" in raw for raw in teacher.asked].index(True)
                await until(lambda: len(teacher.asked) == 2)  # noqa: B023
                assert got.status == (503 if mine == refused else 200)
                if mine == refused:
                    await until(lambda: len(pairs(gateway.events)) == 1)
                    assert pairs(gateway.events)[0].answer == b"", "lost, and to be counted against us"
                    continue
                await until(lambda: gateway.app.metrics.twins["failed"] == 1)
                await gateway.ask(CHAT, BODY)
                assert len(teacher.asked) == 3 and gateway.app.metrics.twins["busy"] == 1
                assert not pairs(gateway.events)

    run(test)


def twins_of(**plan: Any) -> Twins:
    config = GatewayConfig(upstream="http://127.0.0.1:1")
    return Twins(TwinPlan(**(KEYS | plan)), Upstream(config, ""), Events(), Metrics())


def call_of(number: int, account: str = "acme") -> Call:
    async def send(message: Any) -> None:
        raise AssertionError

    call = Call({}, send, ROUTES[CHAT], f"req_{number:024x}", 1_000)
    call.caller = Caller(account=account, key_id="k")
    return call


def test_a_share_is_never_passed_at_any_moment_and_is_drawn_by_the_key() -> None:
    twins, other = twins_of(share=0.01, a_day=10**6), twins_of(share=0.01, a_day=10**6, share_key=bytes(32))
    got, differ = 0, 0
    for number in range(1, 30_001):
        mine, theirs = twins.plan(call_of(number), {}), other.plan(call_of(number), {})
        got += mine is not None
        differ += (mine is None) != (theirs is None)
        assert got <= 0.01 * number
    assert 200 <= got <= 300 and differ > got, "another key draws others"


def test_confirmed_accounts_alone_are_asked_of_where_there_is_no_share() -> None:
    twins = twins_of(confirmed=lambda account, now: account == "bolt", a_day=100)
    assert twins.plan(call_of(1), {}) is None and twins.plan(call_of(2, "bolt"), {}) is not None
    assert twins.plan(call_of(3, "bolt"), {"temperature": 0}) is None


def test_a_day_has_its_number_and_the_next_has_it_again() -> None:
    now = [86_400.0 * 3 + 5.0]
    twins = twins_of(**(TWICE | {"a_day": 3, "wall": lambda: now[0]}))
    assert sum(twins.plan(call_of(n), {}) is not None for n in range(9)) == 3
    now[0] += 86_400.0
    assert sum(twins.plan(call_of(n), {}) is not None for n in range(9)) == 3
    assert twins._metrics.twins["spent"] == 12


def test_twins_are_the_first_to_go_when_much_is_under_way() -> None:
    twins = twins_of(**(TWICE | {"busy": 4}))
    twins._metrics.in_flight = 4
    assert twins.plan(call_of(1), {}) is not None
    twins._metrics.in_flight = 5
    assert twins.plan(call_of(2), {}) is None

    async def test() -> None:
        full = twins_of(**TWICE)
        for _ in range(MOST_AT_ONCE):
            full.start(asyncio.sleep(60))
        assert full.plan(call_of(3), {}) is None
        await full.close()
        assert full.plan(call_of(4), {}) is not None

    run(test)


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 0}, {"temperature": 0.0}, {"seed": 1}, {"top_p": 0}, {"top_k": 1}, {"n": 2}, {"store": True},
        {"best_of": 4}, {"tools": [{"type": "web_search"}]}, {"mcp_servers": []}, {"previous_response_id": "r"},
        {"tools": "x"}, {"extra_body": {"seed": 1}}, {"background": True},
    ],
)  # fmt: skip
def test_requests_whose_second_answer_would_be_no_free_draw_are_left_out(body: dict[str, Any]) -> None:
    assert not fit({"model": "m", "store": False} | body, "responses" if "background" in body else "chat")


def test_requests_that_only_ask_for_words_are_taken() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    assert fit(BODY | {"tools": [tool], "temperature": 0.7, "n": 1, "seed": None}, "chat")
    assert fit({"input": "x", "store": False}, "responses") and not fit({"input": "x"}, "responses")
    assert fit({"tools": [{"name": "f", "input_schema": {}}]}, "messages") and not fit(BODY, "embeddings")


def test_what_a_gateway_has_under_way_ends_with_it() -> None:
    async def test() -> None:
        async with twinned(Teacher(slow=30.0)) as gateway:
            task = asyncio.create_task(gateway.ask(CHAT, BODY | {"stream": True}))
            await until(lambda: gateway.app.metrics.in_flight == 1)
            await asyncio.sleep(0.05)
            task.cancel()
        assert isinstance(gateway.app, Gateway) and not pairs(gateway.events)

    run(test)
