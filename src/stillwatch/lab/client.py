"""The thief over the wire: one request at a time, from the account whose turn it is, until the budget is spent.

In: an address, keys, turns, a budget. Out: answers, and a `Ledger` of what they took. A real HTTP client on real
sockets; the only thing that is the lab's is the time, which `advance` sets before each request.
A passive thief goes on with accounts that were turned away; an adaptive one drops an account after the second time,
and where it has accounts in reserve it gives up all that it used so far and goes on with those, a day later.
Cost: 1 ms a request beside the gateway's. Left to `app.labcell`: time, verdicts, honest users.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import aiohttp
import orjson

from stillwatch.lab.cell import Spent
from stillwatch.lab.slots import Slot
from stillwatch.lab.task import Answer, Ask, Bench, Body, Item

PATIENCE: Final = 600.0
TURNED_AWAY: Final = frozenset({401, 403, 429})
DROPPED_AFTER: Final = 2
"""Times in a row that an adaptive thief is turned away before it gives an account up."""
GIVEN_UP: Final = 2
"""Accounts that are dropped before a thief with others in reserve takes the whole part for lost."""
DAY: Final = 86_400.0

Advance = Callable[[float], Awaitable[None]]
"""Called with the event time of the next request before it is sent."""


@dataclass(slots=True)
class Ledger:
    """What was spent, and when answers came."""

    queries: int = 0
    refused: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    accounts: set[str] = field(default_factory=set)
    first: float = -1.0
    last: float = -1.0
    answered: list[float] = field(default_factory=list, repr=False)
    """Event times of answers to items, cover left out."""
    statuses: Counter[int] = field(default_factory=Counter)

    def note(self, slot: Slot, answer: Answer) -> None:
        """Count one request."""
        self.queries += 1
        self.statuses[answer.status] += 1
        self.refused += answer.status != 200
        self.tokens_in += answer.tokens_in
        self.tokens_out += answer.tokens_out
        self.accounts.add(slot.account)
        self.first = slot.time if self.first < 0 else self.first
        self.last = slot.time
        if answer.status == 200 and not slot.cover:
            self.answered.append(slot.time)

    def spent(self) -> Spent:
        """Return the sums."""
        return Spent(
            queries=self.queries, refused=self.refused, tokens_in=self.tokens_in, tokens_out=self.tokens_out,
            accounts=len(self.accounts), days=max(0.0, self.last - self.first) / DAY,
        )  # fmt: skip


@dataclass(slots=True)
class Wire:
    """One client session before one gateway."""

    url: str
    keys: Mapping[str, str] = field(repr=False)
    session: aiohttp.ClientSession

    async def send(self, slot: Slot, body: Body) -> Answer:
        """Send a chat request as the slot's account and return what came back."""
        headers = {**slot.headers, "authorization": f"Bearer {self.keys[slot.account]}"}
        async with self.session.post(
            f"{self.url}/v1/chat/completions", data=orjson.dumps(body), headers=headers
        ) as response:
            return answer_of(response.status, await response.read())


def wire_session() -> aiohttp.ClientSession:
    """Return a session as programs have it: kept alive, without cookies."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=PATIENCE), cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=4, keepalive_timeout=60.0),
    )  # fmt: skip


class ThiefClient:
    """`task.Client` over the wire."""

    def __init__(self, wire: Wire, bench: Bench, slots: Sequence[Slot], budget: int, advance: Advance) -> None:
        self.ledger = Ledger()
        self.drops = False
        """Whether accounts that are turned away are given up."""
        self._wire, self._bench, self._advance = wire, bench, advance
        self._slots: Iterator[Slot] = iter(slots)
        self._budget = budget
        self.reserve: list[Sequence[Slot]] = []
        """Turns of further accounts, each to begin when those before are given up; an adaptive thief's."""
        self.moved: list[float] = []
        """Event times at which accounts in reserve took over."""
        self._strikes: Counter[str] = Counter()
        self._spent = False

    @property
    def left(self) -> int:
        """Requests that the budget still allows."""
        return 0 if self._spent else self._budget - self.ledger.queries

    async def ask(self, item: Item, how: Ask) -> Answer | None:
        """Ask at the next turn; cover that is due before goes first. None when the budget or the turns are spent."""
        while self.left > 0:
            slot = next(self._slots, None)
            if slot is None:
                break
            if self.drops and self._strikes[slot.account] >= DROPPED_AFTER:
                continue
            await self._advance(slot.time)
            body = _cover(slot) if slot.cover else self._bench.request(item, _worded(how, slot))
            answer = await self._wire.send(slot, body)
            self.ledger.note(slot, answer)
            self._strikes[slot.account] = self._strikes[slot.account] + 1 if answer.status in TURNED_AWAY else 0
            self._move(slot.time)
            if not slot.cover:
                return answer
        self._spent = True
        return None

    def _move(self, now: float) -> None:
        """Go on with accounts in reserve where those in use are being turned away."""
        if not (self.drops and self.reserve) or sum(n >= DROPPED_AFTER for n in self._strikes.values()) < GIVEN_UP:
            return
        later = self.reserve.pop(0)
        shift = now + DAY - later[0].time
        self._slots = iter([replace(slot, time=slot.time + shift) for slot in later])
        self._strikes.clear()
        self.moved.append(now)


def _worded(how: Ask, slot: Slot) -> Ask:
    if how.before or not slot.words:
        return how
    return replace(how, before=slot.words)


def _cover(slot: Slot) -> Body:
    return {"model": "lab-teacher", "messages": [{"role": "user", "content": slot.cover}], "max_tokens": 64}


def answer_of(status: int, raw: bytes) -> Answer:
    """Return what an answer's bytes say; nothing but the status where it is no chat completion."""
    if status != 200:
        return Answer(status=status)
    try:
        found: Any = orjson.loads(raw)
        choices = found["choices"]
        usage = found.get("usage") or {}
        message = choices[0]["message"]
        return Answer(
            status=200,
            texts=tuple(str(choice["message"].get("content") or "") for choice in choices),
            reasoning=str(message.get("reasoning_content") or message.get("reasoning") or ""),
            logprobs=_positions((choices[0].get("logprobs") or {}).get("content")),
            tokens_in=int(usage.get("prompt_tokens") or 0), tokens_out=int(usage.get("completion_tokens") or 0),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, IndexError):
        return Answer(status=502)


def _positions(entries: Any) -> tuple[dict[str, float], ...]:
    found = []
    for entry in entries or ():
        known = {str(one["token"]): float(one["logprob"]) for one in entry.get("top_logprobs") or ()}
        if entry.get("logprob") is not None:
            known.setdefault(str(entry["token"]), float(entry["logprob"]))
        found.append(known)
    return tuple(found)
