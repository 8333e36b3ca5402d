"""Send composed traffic over the real wire: each request with its account's own key, at its time of the lapse.

In: exchanges, keys, an address, a clock. Out: a `Tally`, which fills while it runs. Every request is a real HTTP
request; addresses stand in `x-forwarded-for`, which only a gateway set up to trust loopback believes.
Cost: 0.5 ms a request. Left to `standin`: answers; left to `app.show`: what is told of it.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson

from stillwatch.lab.standin import on_wire
from stillwatch.terms.exchange import Exchange

AT_ONCE: Final = 32
"""Requests under way at most."""
ANSWER_SECONDS: Final = 60.0
REFUSED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Where requests go, and with which keys."""

    url: str
    """Address of the gateway, without `/v1`."""
    keys: Mapping[str, str] = field(repr=False)
    """Account -> its API key."""
    groups: Mapping[str, str] = field(repr=False)
    """Account -> the group it is counted in."""


@dataclass(slots=True)
class Tally:
    """What came of the requests so far."""

    sent: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    """Group -> requests answered with 200."""
    refused: Counter[str] = field(default_factory=Counter)
    """Group -> requests turned away with 401 or 403."""
    failed: Counter[str] = field(default_factory=Counter)
    """Group -> requests that ended otherwise: composed failures, and connections that broke."""
    lag: float = 0.0
    """Longest time a request left later than it was due, wall seconds."""

    def clear(self) -> None:
        """Forget everything but what was sent."""
        for counts in (self.answered, self.refused, self.failed):
            counts.clear()

    def note(self, group: str, status: int) -> None:
        """Count one answer; status 0 stands for none."""
        which = self.answered if status == 200 else self.refused if status in REFUSED else self.failed
        which[group] += 1


def request_of(exchange: Exchange) -> dict[str, Any]:
    """Return the body of a chat request that asks what the exchange asked."""
    body: dict[str, Any] = {
        "model": exchange.model, "messages": on_wire(exchange.messages), **exchange.parameters,
    }  # fmt: skip
    if exchange.tools:
        body["tools"] = orjson.loads(exchange.tools)
    return body


class Sender:
    """Sends requests through one client session and counts what comes back."""

    def __init__(self, wire: Wire, tally: Tally) -> None:
        self._wire = wire
        self._tally = tally
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Sender":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_ONCE),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, exchange: Exchange) -> int:
        """Send one request, read its answer to the end and return its status; 0 when there was none."""
        assert self._session is not None
        headers = {
            "authorization": f"Bearer {self._wire.keys[exchange.account]}",
            "content-type": "application/json",
            "user-agent": exchange.agent,
            "x-forwarded-for": exchange.address,
        }
        if exchange.tls:
            headers["x-ja4"] = exchange.tls
        self._tally.sent += 1
        status = 0
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.post(
                f"{self._wire.url}/v1/chat/completions", data=orjson.dumps(request_of(exchange)), headers=headers
            ) as response:
                await response.read()
                status = response.status
        self._tally.note(self._wire.groups.get(exchange.account, ""), status)
        return status

    async def replay(self, exchanges: Sequence[Exchange], due: Callable[[float], float]) -> None:
        """Send each exchange when it is due, and return when the last one is answered.

        Args:
            exchanges: Sorted by time.
            due: From the time of an exchange to the wall clock's when it is due; those of the past are sent at once.
        """
        free = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as under_way:
            for exchange in exchanges:
                wait = due(exchange.time) - time.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                await free.acquire()
                self._tally.lag = max(self._tally.lag, time.time() - due(exchange.time))
                under_way.create_task(self._one(exchange, free))

    async def _one(self, exchange: Exchange, free: asyncio.Semaphore) -> None:
        try:
            await self.send(exchange)
        finally:
            free.release()
