"""A caller's departure is heard from any server's `receive`, and nothing is left waiting for it."""

import asyncio
from typing import Any

import pytest

from stillwatch.gateway.call import Call
from stillwatch.gateway.departure import Departure
from stillwatch.gateway.routes import find_route


def made() -> Call:
    return Call({}, None, find_route("/v1/messages"), "r", 10)  # type: ignore[arg-type]


async def work(receive: Any, call: Call, seconds: float = 1.0) -> str:
    departure = Departure(call, receive)
    try:
        await asyncio.sleep(seconds)
        return "done"
    except asyncio.CancelledError:
        return "stopped"
    finally:
        departure.stop()


def test_a_departure_is_heard_after_other_messages_and_bare_yields() -> None:
    messages = ["http.request", "http.request", "http.disconnect"]

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return {"type": messages.pop(0)}

    call = made()
    assert asyncio.run(work(receive, call)) == "stopped"
    assert call.gone


def test_one_that_left_before_the_watch_began_is_heard() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    call = made()
    assert asyncio.run(work(receive, call)) == "stopped"
    assert call.gone


@pytest.mark.parametrize("finished", [False, True])
def test_work_that_ends_first_is_not_disturbed_and_leaves_no_task(finished: bool) -> None:
    async def test() -> None:
        event = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await event.wait()
            return {"type": "http.disconnect"}

        call = made()
        call.finished = finished
        if finished:
            asyncio.get_running_loop().call_later(0.01, event.set)
        assert await work(receive, call, 0.05) == "done"
        event.set()
        await asyncio.sleep(0.01)
        assert not call.gone
        assert not getattr(event, "_waiters", None)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(test())


def test_a_server_that_cannot_say_leaves_the_work_alone() -> None:
    async def receive() -> dict[str, Any]:
        raise RuntimeError

    assert asyncio.run(work(receive, made(), 0.01)) == "done"
