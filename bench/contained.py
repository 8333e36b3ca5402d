"""One live run in which a person confirms the campaign while it asks: what it still gets, and who else is hurt.

In: a seed, an empty folder, the wall seconds of the replay. Out: a `Contained`. It is what `stillwatch run` sets up,
without a model: real `serve` processes, a key for each account, every request over HTTP. The person knows nothing
of the truth: whenever verdicts are published that name an account of a campaign without a decision, the campaign
is confirmed as `stillwatch decide confirm` does it. What is left of the plan after the replay is sent as well.
Cost: the replay and some 25 seconds. Left to `containment`: tables, and what is promised.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from stillwatch.app.cast import CAMPAIGN, DAY, Cast
from stillwatch.app.claims import claims_of
from stillwatch.app.control import Book
from stillwatch.app.decide import Ask, decide, waiting
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.runrequest import RunRequest, Told
from stillwatch.app.runstage import Stage, set_up
from stillwatch.gateway.published import read_published
from stillwatch.lab.replay import Sender, Tally, Wire
from stillwatch.terms.exchange import Exchange

PORT: Final = 18_190
LOOK_SECONDS: Final = 0.25
"""Wall seconds between two looks for new verdicts."""
VERDICT_SECONDS: Final = 45.0
"""Wall seconds that the last verdicts may take after the replay."""
NOTICE_SECONDS: Final = 2.5
"""Wall seconds after the last decision before the rest is sent: workers look each second."""
AT_ONCE: Final = 10
"""Requests of the rest that are sent together, one of the campaign and one of an honest account by turns."""
OURS: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one request."""

    account: str
    at: float
    """Wall time of the answer."""
    status: int
    composed: int
    """Status that the model was composed to answer with."""

    @property
    def answered(self) -> bool:
        """A whole answer was handed out."""
        return self.status == 200

    @property
    def refused(self) -> bool:
        """The gateway, not the model, turned it away."""
        return self.status in OURS or (self.status == 429 and self.composed != 429)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contained:
    """Counts of one run; requests where nothing else is said."""

    seed: int
    label: str
    seconds: float
    """Wall seconds of the replay."""
    hours_a_second: float
    """Event hours that pass in one of them."""
    judged_days: tuple[float, ...]
    """Days of the traffic up to which verdicts were published that the person looked at."""
    confirmed_days: tuple[float, ...]
    """Those after which something was confirmed; the first is the first confirmation."""
    members: int
    named_first: int
    """Members that the first confirmation names."""
    named: int
    """Members confirmed at the end."""
    plan: int
    before: int
    """Answered before the first confirmation."""
    late: int
    """Answered afterwards, to members that were confirmed by then."""
    early: int
    """Answered afterwards, to members before they were confirmed."""
    never: int
    """Answered afterwards, to members that never were."""
    refused: int
    honest: int
    """Honest accounts."""
    honest_named: int
    """Honest accounts that the person confirmed along with the campaign."""
    honest_answered: int
    honest_refused: int
    refusal_seconds: float
    """Wall seconds from the first confirmation to the first refusal; infinite without one."""

    @property
    def recall(self) -> float:
        """Share of the members confirmed at the end."""
        return self.named / self.members

    @property
    def recall_first(self) -> float:
        """Share of the members that the first confirmation names."""
        return self.named_first / self.members

    @property
    def harvest(self) -> float:
        """Share of the plan that was answered after the first confirmation."""
        return (self.late + self.early + self.never) / self.plan


class CountingSender(Sender):
    """Sends, and keeps what came of each request."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire, Tally())
        self.outcomes: list[Outcome] = []

    async def send(self, exchange: Exchange) -> int:
        """Send one request and note its end."""
        status = await super().send(exchange)
        self.outcomes.append(Outcome(account=exchange.account, at=time.time(), status=status, composed=exchange.status))
        return status


@dataclass(slots=True)
class Person:
    """Confirms every campaign that the published verdicts name, and does so again when they name more of it."""

    live: LiveFolder
    book: Book
    start: float
    """Event time of the first day."""
    confirmed_at: dict[str, float] = field(default_factory=dict)
    """Account -> wall time of the first decision that names it."""
    judged_days: list[float] = field(default_factory=list)
    confirmed_days: list[float] = field(default_factory=list)
    judged_until: float = 0.0
    _generation: int = -1

    async def look(self) -> None:
        """Look once; where nothing new is published, nothing is done."""
        published = read_published(self.live.published)
        if published.generation <= self._generation:
            return
        self._generation, self.judged_until = published.generation, published.judged_until
        self.judged_days.append((published.judged_until - self.start) / DAY)
        if published.held:
            claims = await asyncio.to_thread(claims_of, self.live.state)  # may read a report: requests go on meanwhile
            now, before = time.time(), len(self.confirmed_at)
            for claim in waiting(claims, self.book.decisions(), now):
                if claim.kind == "campaign":
                    ask = Ask(subject=claim.subject, verb="confirm", by="bench", reason="read the report")
                    decided = decide(self.book, ask, claims, now).decision
                    for account in decided.accounts:
                        self.confirmed_at.setdefault(account, decided.at)
            if len(self.confirmed_at) > before:
                self.confirmed_days.append(self.judged_days[-1])


async def contained(seed: int, folder: Path, seconds: float) -> Contained:
    """Run `seed` once.

    Args:
        seed: Draws accounts, campaign and texts.
        folder: Emptied first.
        seconds: Wall seconds of the replay's seven days.

    Raises:
        StillwatchError: the folder cannot be written, or the gateway did not start or ended.
    """
    request = RunRequest(seed=seed, folder=folder, port=PORT, seconds=seconds, teacher=False, fresh=True)
    async with AsyncExitStack() as stack:
        stage = await set_up(request, Told(say=_unsaid, tick=_unsaid), stack)
        wire = Wire(url=stage.url, keys=stage.keys, groups=stage.cast.groups)
        sender = CountingSender(wire)
        await stack.enter_async_context(sender)
        person = Person(stage.folder.live, stage.book, stage.cast.start)
        await _replayed(stage, sender, person)
        await asyncio.sleep(NOTICE_SECONDS)
        for some in _together(stage.cast.further):
            stage.check()
            await asyncio.gather(*(sender.send(x) for x in some))
        return counted(stage.cast, request, person, sender.outcomes)


async def _replayed(stage: Stage, sender: CountingSender, person: Person) -> None:
    """Send the replay with the person looking on, until the verdicts on all of it were looked at."""
    replay = asyncio.create_task(sender.replay(stage.waiting(), stage.clock.wall_of))
    until = float("inf")
    try:
        while time.monotonic() < until and person.judged_until < stage.cast.end:
            stage.check()
            await person.look()
            if replay.done() and until == float("inf"):
                await replay
                until = time.monotonic() + VERDICT_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        replay.cancel()


def _together(exchanges: Sequence[Exchange]) -> Iterator[list[Exchange]]:
    left = iter(exchanges)
    while some := list(islice(left, AT_ONCE)):
        yield some


def counted(cast: Cast, request: RunRequest, person: Person, outcomes: Sequence[Outcome]) -> Contained:
    """Hold what came of the requests against the truth and against who was confirmed when."""
    hostile = {name for name, group in cast.groups.items() if group == CAMPAIGN}
    theirs = [one for one in outcomes if one.account in hostile]
    others = [one for one in outcomes if one.account not in hostile]
    never = float("inf")
    named = {account: at for account, at in person.confirmed_at.items() if account in hostile}
    first = min(person.confirmed_at.values(), default=never)
    after = [one for one in theirs if one.answered and one.at > first]
    late = sum(one.at > named.get(one.account, never) for one in after)
    unnamed = sum(one.account not in named for one in after)
    bites = min((one.at for one in theirs if one.refused), default=never)
    return Contained(
        seed=request.seed, label=cast.label, seconds=request.seconds,
        hours_a_second=(cast.end - cast.start) / request.seconds / 3600.0,
        judged_days=tuple(person.judged_days), confirmed_days=tuple(person.confirmed_days),
        members=len(cast.members()), named_first=sum(at == first for at in named.values()), named=len(named),
        plan=len(theirs), before=sum(one.answered and one.at <= first for one in theirs),
        late=late, early=len(after) - late - unnamed, never=unnamed, refused=sum(one.refused for one in theirs),
        honest=len({one.account for one in others}), honest_named=len(person.confirmed_at.keys() - hostile),
        honest_answered=sum(one.answered for one in others), honest_refused=sum(one.refused for one in others),
        refusal_seconds=bites - first if first < never else never,
    )  # fmt: skip


def _unsaid(_: str) -> None:
    """Say nothing: what is counted says it."""
