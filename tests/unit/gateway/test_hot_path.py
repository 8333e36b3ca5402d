"""Shortcuts on the way of a request give what the long way gives."""

import asyncio
import os
from typing import Any

import pytest

from stillwatch.gateway.begun import Begun
from stillwatch.gateway.body import read_body
from stillwatch.gateway.errors import TurnedAway
from stillwatch.gateway.requestids import RequestIds


def test_request_ids_never_repeat_and_have_one_shape() -> None:
    ids = RequestIds()
    drawn = [ids.next() for _ in range(10_000)]
    assert len(set(drawn)) == len(drawn)
    assert all(one[:4] == "req_" and len(one) == 28 and int(one[4:], 16) >= 0 for one in drawn)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_draws_ids_of_its_own() -> None:
    ids = RequestIds()
    ids.next()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, ids.next().encode())
        finally:
            os._exit(0)
    os.close(write)
    theirs = os.read(read, 100).decode()
    os.close(read)
    os.waitpid(child, 0)
    assert len(theirs) == 28
    assert theirs not in [ids.next() for _ in range(300)]


def test_what_is_there_at_once_needs_no_loop() -> None:
    async def ready() -> int:
        return 7

    begun = Begun(ready())
    assert (begun.done, begun.value) == (True, 7)


def test_what_is_not_there_yet_is_awaited_to_its_end() -> None:
    async def later() -> list[int]:
        seen = []
        for number in range(3):
            await asyncio.sleep(0.001 if number % 2 else 0)
            seen.append(number)
        return seen

    async def run() -> Any:
        begun = Begun(later())
        assert not begun.done
        async with asyncio.timeout(5):
            return await begun

    assert asyncio.run(run()) == [0, 1, 2]


def test_an_error_of_the_first_step_is_raised_at_once_and_of_a_later_one_when_awaited() -> None:
    async def fails(after: float | None) -> None:
        if after is not None:
            await asyncio.sleep(after)
        raise KeyError("no")

    async def run() -> None:
        with pytest.raises(KeyError):
            Begun(fails(None))
        begun = Begun(fails(0.001))
        with pytest.raises(KeyError):
            await begun

    asyncio.run(run())


def test_a_cancellation_reaches_the_awaitable_and_lets_it_clean_up() -> None:
    cleaned = []

    async def patient() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    async def run() -> None:
        begun = Begun(patient())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await begun

    asyncio.run(run())
    assert cleaned == [True]


def test_a_body_that_comes_late_is_read_and_one_that_never_comes_is_refused() -> None:
    async def run(delay: float, patience: float) -> bytes:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(delay)
            return {"type": "http.request", "body": b"{}", "more_body": False}

        return await read_body(receive, 2, 100, patience)

    assert asyncio.run(run(0.01, 5.0)) == b"{}"
    with pytest.raises(TurnedAway) as turned:
        asyncio.run(run(5.0, 0.01))
    assert turned.value.fault.status == 408
