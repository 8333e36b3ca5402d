"""Twin answers: a few requests are answered twice, and a keyed coin says which answer goes to the caller.

In: a call that is about to go upstream. Out: the caller's response, untouched; and, when both answers are over, one
`Served` of kind `twin` with both. Two like requests go out together, and the coin says which of them is the caller's:
nothing but the coin tells served from withheld, whatever the upstream does. Which calls get a twin is settled before
any answer is there, a twin once begun is drawn to its end though the caller left, and a served answer that did not come
whole is handed over as empty, for the exam to count against us: else what is kept would lean on what was served.
Cost: one upstream request a twin; where no call gets one, a comparison with None.
Left to `app.vaultkeeper`: sealing. Left to `forensics.exams.withheld`: the test.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import aiohttp

from stillwatch.forensics.twins import coin
from stillwatch.gateway.answer import UPSTREAM_DIED
from stillwatch.gateway.answerhead import AnswerHead
from stillwatch.gateway.call import Call
from stillwatch.gateway.codings import CODINGS, unzip
from stillwatch.gateway.identity import Pairs
from stillwatch.gateway.jsonbytes import read_json
from stillwatch.gateway.metrics import Metrics
from stillwatch.gateway.ports import Recorder
from stillwatch.gateway.upstream import Upstream
from stillwatch.terms.served import Served

REST_SECONDS: Final = 60.0
"""No twin is begun for so long after the upstream turned one away."""
MOST_AT_ONCE: Final = 4
"""Twins under way in one worker."""
_DAY: Final = 86_400.0
_ENDPOINTS: Final = frozenset(("chat", "completions", "messages", "responses"))
_OUTSIDE: Final = frozenset((
    "mcp_servers", "container", "web_search_options", "plugins", "previous_response_id", "conversation", "extra_body",
    "audio", "use_beam_search",
))  # fmt: skip
"""Fields with which an answer does more than say something, or stands on what is stored elsewhere."""
_LAST_EVENTS: Final = (b"data: [DONE]", b'"message_stop"', b'"response.completed"', b'"response.incomplete"')
_END: Final = 65_536
"""Bytes in which a stream's last event is looked for; one of responses holds the whole answer once more."""
_ONCE: Final = frozenset(("idempotency-key", "accept-encoding"))
"""Headers that must not go out twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinPlan:
    """Which requests get a twin, in one worker."""

    share: float = 0.0
    """Of all requests to models, from 0 to 0.01."""
    confirmed: Callable[[str, float], bool] | None = None
    """Whether an account is under a verdict that a person confirmed, at a time; None: that is no reason."""
    a_day: int = 0
    """Most twins begun in a day, UTC."""
    busy: int = 16
    """No twin is begun while more requests than this are under way."""
    coin_key: bytes = field(repr=False)
    """Secret of the coins; what the ledger committed to."""
    share_key: bytes = field(repr=False)
    """Secret of the choice by `share`."""
    wall: Callable[[], float] = time.time
    """Seconds since 1970; days are counted by it."""


class Twin:
    """One second answer: drawn while the caller's is, handed over when both are over."""

    def __init__(self, owner: "Twins", call: Call) -> None:
        """Take who keeps count, and the call; nothing is sent yet."""
        self._owner = owner
        self._limit = call.limit
        self._second = coin(owner.plan_of.coin_key, call.request_id)
        self._served: Served | None = None
        self._body = b""

    async def ask(self, method: str, target: bytes, pairs: Pairs, body: bytes) -> aiohttp.ClientResponse:
        """Send the request twice and return the response that the coin gives to the caller; see `Upstream.request`."""
        own = [pair for pair in pairs if pair[0] not in _ONCE]
        own.append(("accept-encoding", "identity"))
        self._owner.start(self._draw(method, target, own, body))
        if self._second:
            await asyncio.sleep(0)  # the twin goes first
        return await self._owner.upstream.request(method, target, pairs, body)

    def settle(self, served: Served, *, answered: bool, finished: bool) -> None:
        """Take what the caller got.

        Args:
            served: The exchange.
            answered: Whether the upstream answered with success.
            finished: Whether the answer was handed over to its last byte.
        """
        # A caller that left with the last of it under way leaves a whole answer all the same.
        whole = answered and (finished or complete(served.answer))
        self._served = replace(served, kind="twin", answer=served.answer if whole else b"")
        self._hand_over()

    async def _draw(self, method: str, target: bytes, pairs: Pairs, body: bytes) -> None:
        try:
            response = await self._owner.upstream.request(method, target, pairs, body)
            try:
                self._body = await self._read(response)
            finally:
                response.close()
        except UPSTREAM_DIED:
            self._body = b""
        if self._body:
            self._hand_over()
        else:
            self._owner.turned_away()

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the start of the answer, as much as is kept of the caller's; empty where it is none."""
        head = AnswerHead(response)
        if head.status != 200 or (head.coding and head.coding not in CODINGS):
            return b""
        parts, size = [], 0
        while size < self._limit and not response.content.at_eof():
            part = await response.content.readany()
            parts.append(part)
            size += len(part)
        raw = b"".join(parts)[: self._limit]
        try:
            return unzip(raw, head.coding, self._limit) if head.coding else raw
        except ValueError:
            return b""

    def _hand_over(self) -> None:
        if self._served is not None and self._body:
            self._owner.keep(replace(self._served, twin=self._body))


class Twins:
    """Begins twins and counts them; one a worker, on its loop."""

    def __init__(self, plan: TwinPlan, upstream: Upstream, recorder: Recorder, metrics: Metrics) -> None:
        """Take which calls get a twin, who answers, where pairs go, and the counters."""
        self.plan_of, self.upstream = plan, upstream
        self._recorder, self._metrics = recorder, metrics
        self._seen = self._by_share = 0
        self._day, self._today = -1, 0
        self._rests_until = -math.inf
        self._tasks: set[asyncio.Task[None]] = set()

    def plan(self, call: Call, body: Mapping[str, Any]) -> Twin | None:
        """Return the twin that a call gets, None for nearly all; looks at nothing that an answer could say.

        Args:
            call: About to go upstream.
            body: Its request, as the caller wrote it save for fields that were taken out.
        """
        if call.route.kind != "model" or call.caller is None:
            return None
        self._seen += 1
        drawn = self._drawn(call.request_id)
        if not drawn and not self._confirmed(call.caller.account) or not fit(body, call.route.endpoint):
            return None
        if not self._room():
            return None
        self._by_share += drawn
        self._today += 1
        return Twin(self, call)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a twin be drawn beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def keep(self, pair: Served) -> None:
        """Hand a pair over."""
        self._metrics.twins["kept" if self._recorder.record(pair) else "failed"] += 1

    def turned_away(self) -> None:
        """Count a twin that the upstream did not give, and rest."""
        self._metrics.twins["failed"] += 1
        self._rests_until = time.monotonic() + REST_SECONDS

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drawn(self, request_id: str) -> bool:
        """Whether keyed chance takes this one; never more than the share of those seen, at any moment."""
        share = self.plan_of.share
        if share <= 0.0 or self._by_share + 1 > share * self._seen:
            return False
        digest = hashlib.blake2b(request_id.encode(), key=self.plan_of.share_key, digest_size=8).digest()
        return int.from_bytes(digest, "little") < share * 2.0**64

    def _confirmed(self, account: str) -> bool:
        asked = self.plan_of.confirmed
        return asked is not None and asked(account, self.plan_of.wall())

    def _room(self) -> bool:
        """Whether the day's number and the upstream allow one more."""
        day = int(self.plan_of.wall() // _DAY)
        if day != self._day:
            self._day, self._today = day, 0
        if self._today >= self.plan_of.a_day:
            self._metrics.twins["spent"] += 1
            return False
        busy = self._metrics.in_flight > self.plan_of.busy or len(self._tasks) >= MOST_AT_ONCE
        if busy or time.monotonic() < self._rests_until:
            self._metrics.twins["busy"] += 1
            return False
        return True


def complete(answer: bytes) -> bool:
    r"""Return whether an upstream's body says by itself that nothing is missing: whole JSON, or a stream's last event.

    >>> complete(b'{"choices": []}'), complete(b'{"choices": ['), complete(b"data: {}\n\ndata: [DONE]\n\n")
    (True, False, True)
    """
    if any(mark in answer[-_END:] for mark in _LAST_EVENTS):
        return True
    try:
        return bool(read_json(answer))
    except ValueError:
        return False


def fit(body: Mapping[str, Any], endpoint: str) -> bool:
    """Return whether a second answer to a request is another draw from the same model, and does nothing but be said.

    Greedy and seeded requests would be answered alike twice; tools that the provider runs would run twice.

    >>> fit({"model": "m"}, "chat"), fit({"temperature": 0}, "chat"), fit({"seed": 7}, "chat"), fit({}, "responses")
    (True, False, False, False)
    """
    if endpoint not in _ENDPOINTS or not _OUTSIDE.isdisjoint(body) or body.get("seed") is not None:
        return False
    temperature, top_p = body.get("temperature", 1.0), body.get("top_p", 1.0)
    if any(type(one) in (int, float) and one <= 0 for one in (temperature, top_p)) or body.get("top_k") == 1:
        return False
    if any(body.get(name) not in (None, 1) for name in ("n", "best_of")) or body.get("background"):
        return False
    if body.get("store", endpoint == "responses"):
        return False
    tools = body.get("tools") or ()
    return type(tools) in (list, tuple) and all(
        type(one) is dict and one.get("type") in (None, "function", "custom") for one in tools
    )
