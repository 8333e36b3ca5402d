"""The watcher and the person of one cell: judgements on event time, and decisions that follow them.

In: what the gateway recorded, the background of honest traffic, how often is judged and how long a person takes. Out:
published verdicts, decisions in the control file, and when they came. Judging is `LiveJudge`, which the product runs;
deciding is `decide`, which the command runs. Assumed, and said in the row: the person confirms every accusation.
Cost: a second or two a judgement. Left to `labcell`: asking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, cast

import numpy as np

from stillwatch.app.addresses import packaged_addresses
from stillwatch.app.claims import claims_of
from stillwatch.app.decide import Ask, decide
from stillwatch.app.intake import note_names
from stillwatch.app.labgateway import LabGateway
from stillwatch.app.livejudge import LiveJudge
from stillwatch.app.livetake import reduced
from stillwatch.app.state import master_key
from stillwatch.gateway.published import read_published
from stillwatch.logs.served import read_all_served
from stillwatch.logs.tally import Tally
from stillwatch.policy.decisions import in_force
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EventArray
from stillwatch.terms.exchange import Exchange
from stillwatch.terms.ports import Journal, KeyList

HOUR: Final = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Honest traffic beside the task, reduced once as the watcher reduces it."""

    events: EventArray = field(repr=False)
    names: dict[int, str] = field(repr=False)
    """Account hash -> name."""
    accounts: frozenset[str] = field(repr=False)


def background_of(exchanges: Sequence[Exchange], key: bytes) -> Background:
    """Return composed honest exchanges as events under the state folder's key."""
    events, kept, _ = reduced(Reducer(KeyRing(key), packaged_addresses()), list(exchanges))
    return Background(events=events, names=_named(events, kept), accounts=frozenset(x.account for x in kept))


def _named(events: EventArray, kept: list[Exchange]) -> dict[int, str]:
    by_epoch: dict[int, dict[int, str]] = {}
    note_names(by_epoch, events, kept)
    return {account: name for names in by_epoch.values() for account, name in names.items()}


class NamedStore(MemoryStore):
    """Events in memory with the names of their accounts."""

    def __init__(self, events: EventArray, names: dict[int, str]) -> None:
        super().__init__(events)
        self._names = names

    def names(self, accounts: Sequence[int] | KeyList) -> dict[int, str]:
        """Return the names that are known of these account hashes."""
        return {int(one): self._names[int(one)] for one in accounts if int(one) in self._names}


@dataclass(slots=True, kw_only=True)
class Watch:
    """Judges and decides as event time passes."""

    gateway: LabGateway
    background: Background
    judge_hours: float
    decide_hours: float
    begins: float
    """Event time of the first judgement that makes sense, seconds since 1970."""
    accused_at: dict[str, float] = field(default_factory=dict)
    """Account -> event time of the first judgement that accused it."""
    confirmed_at: dict[str, float] = field(default_factory=dict)
    _next: float = inf
    _due: dict[str, float] = field(default_factory=dict)
    """Campaign or account -> when the person gets to it."""
    _taken: int = 0
    _events: list[EventArray] = field(default_factory=list, repr=False)
    _names: dict[int, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._next = self.begins
        self._names = dict(self.background.names)
        self._reducer = Reducer(KeyRing(master_key(self.gateway.folder.state)), packaged_addresses())
        self._judge = LiveJudge(
            self.gateway.folder, self.gateway.settings, KeyRing(master_key(self.gateway.folder.state))
        )

    _reducer: Reducer = field(init=False, repr=False)
    _judge: LiveJudge = field(init=False, repr=False)

    def until(self, time: float) -> None:
        """Do everything that is due before an event time, in order."""
        while True:
            decision = min(self._due.values(), default=inf)
            moment = min(self._next, decision)
            if moment > time:
                return
            self.gateway.at(moment)
            if moment == self._next:
                self._next += self.judge_hours * HOUR
                self._judged(moment)
            else:
                self._decided(moment)

    def _judged(self, now: float) -> None:
        """Take in what was served, judge it, publish, and note what waits for the person."""
        self._take()
        events = np.concatenate([self.background.events, *self._events])
        store = NamedStore(events, self._names)
        self._judge.run(cast(Journal, store), store, now, Tally(importer="gateway"), now)
        self.gateway.refresh()
        for account, held in read_published(self.gateway.folder.published).held.items():
            if held.accused:
                self.accused_at.setdefault(account, now)
        decided = set(in_force(self.gateway.book.decisions(), now))
        for claim in claims_of(self.gateway.folder.state):
            if claim.accused and claim.source == "published" and not set(claim.accounts) <= decided:
                if claim.kind == "campaign" or not claim.campaign:
                    self._due.setdefault(claim.subject, now + self.decide_hours * HOUR)

    def _take(self) -> None:
        new = self.gateway.recorded.exchanges[self._taken :]
        self._taken += len(new)
        exchanges, _ = read_all_served(new)
        events, kept, _ = reduced(self._reducer, exchanges)
        if len(events):
            self._events.append(events)
            self._names.update(_named(events, kept))

    def _decided(self, now: float) -> None:
        """Confirm what the person has got to."""
        claims = claims_of(self.gateway.folder.state)
        for subject in [one for one, due in self._due.items() if due <= now]:
            del self._due[subject]
            ask = Ask(subject=subject, verb="confirm", by="lab", reason="the plan's person confirms every accusation")
            try:
                done = decide(self.gateway.book, ask, claims, now)
            except StillwatchError:
                continue  # the verdict ended before the person got to it
            for account in done.decision.accounts:
                self.confirmed_at.setdefault(account, now)
        self.gateway.refresh()
