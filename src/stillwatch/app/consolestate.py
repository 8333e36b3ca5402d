"""What the console holds open and remembers: control file, people, page index, verdicts in force.

In: the state folder and settings. Out: `Facts`, made once and until something changed. Nothing here reads events.
Cost: a page finds facts ready; after a decision only what is new is read. A thousand campaigns of a hundred accounts
take 30 MB.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.consolepages import Judged, decode_claim, publish_pages
from stillwatch.app.control import key_secret, open_control
from stillwatch.app.decide import waiting_under
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.settings import Settings
from stillwatch.app.state import has_key, master_key
from stillwatch.app.subjects import Claim
from stillwatch.console.records import Head
from stillwatch.gateway.published import Published, read_published
from stillwatch.policy.decisions import latest
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.pageindex import PageIndex
from stillwatch.store.people import People
from stillwatch.terms.account import Appeal, Decision
from stillwatch.terms.action import Held
from stillwatch.terms.errors import StillwatchError

COUNT_SECONDS: Final = 600.0
WAITING_SECONDS: Final = 5.0
"""How long the list of what waits is kept where nothing changed: decisions and verdicts also end by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What pages know besides the index, as of one generation of the control file and one judgement."""

    stamp: tuple[int, int, tuple[int, int] | None]
    made: float
    decisions: tuple[Decision, ...] = field(repr=False)
    latest: Mapping[str, Decision] = field(repr=False)
    """By account, in force or not."""
    by_account: Mapping[str, tuple[Decision, ...]] = field(repr=False)
    appeals: tuple[Appeal, ...] = field(repr=False)
    held: Mapping[str, Held] = field(repr=False)
    claims: tuple[Claim, ...] = field(repr=False)
    """What can wait for a person."""
    waiting: tuple[Claim, ...] = field(repr=False)

    def in_force(self, account: str, now: float) -> Decision | None:
        """Return the decision on an account that holds at `now`."""
        found = self.latest.get(account)
        return found if found is not None and now < found.expires else None


class ConsoleState:
    """Everything that the console has open; close it when done. May be used from any thread."""

    def __init__(self, state: Path, settings: Settings) -> None:
        """Open the control file, made where there is none, and the index.

        Raises:
            StillwatchError: one of them cannot be opened.
        """
        self.state, self.settings = state, settings
        self.folder = LiveFolder(state).made()
        self.book = open_control(state)
        try:
            self.people = People(self.book)
            self.folder.pages.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.index = PageIndex(self.folder.pages)
            self.secret = key_secret(state)
        except BaseException:
            self.book.close()
            raise
        self._lock = threading.RLock()
        self._facts: Facts | None = None
        self._counts: tuple[int, float, dict[str, int]] | None = None

    def close(self) -> None:
        """Let go of everything."""
        self.index.close()
        self.book.close()

    def stamp(self) -> tuple[int, int, tuple[int, int] | None]:
        """Return what changes with every change that facts rest on."""
        return self.book.generation(), self.index.generation(), self._published_stamp()

    def facts(self, now: float | None = None) -> Facts:
        """Return what is known now; what did not change is taken over from before."""
        now = time.time() if now is None else now
        with self._lock:
            stamp, before = self.stamp(), self._facts
            if before is not None and before.stamp == stamp and now - before.made < WAITING_SECONDS:
                return before
            old = before or _NOTHING
            decisions, known, by_account, appeals = old.decisions, old.latest, old.by_account, old.appeals
            if stamp[0] != old.stamp[0]:
                fresh = self.book.decisions_after(decisions[-1].id if decisions else 0)
                decisions, appeals = (*decisions, *fresh), self.book.appeals()
                known, by_account = _with_latest(known, fresh), _with_accounts(by_account, fresh)
            held = old.held if stamp[2] == old.stamp[2] else self._held()
            claims = old.claims
            if stamp[1] != old.stamp[1]:
                claims = tuple(decode_claim(body) for body in self.index.claims())
            force = {account: one for account, one in known.items() if now < one.expires}
            self._facts = Facts(
                stamp=stamp, made=now, decisions=decisions, latest=known, by_account=by_account, appeals=appeals,
                held=held, claims=claims, waiting=waiting_under(claims, force, now),
            )  # fmt: skip
            return self._facts

    def key_counts(self, now: float) -> dict[str, int]:
        """Return how many API keys are good, ended and ending soon; counted again once something changed."""
        with self._lock:
            generation = self.book.generation()
            if self._counts is None or self._counts[0] != generation or now - self._counts[1] > COUNT_SECONDS:
                self._counts = (generation, now, self.people.key_counts(now))
            return self._counts[2]

    def head(self) -> Head | None:
        """Return what all pages say of the newest judgement; None before the first."""
        body = self.index.head()
        return msgspec.json.decode(body, type=Head, strict=False) if body else None

    def claims_on(self, subject: str) -> tuple[Claim, ...]:
        """Return what is held against one account or campaign, as the command line would find it."""
        return tuple(decode_claim(body) for body in self.index.claims_on(subject))

    def ring(self) -> KeyRing | None:
        """Return the keys of sketches; None where there are none yet."""
        return KeyRing(master_key(self.state)) if has_key(self.state) else None

    def _published_stamp(self) -> tuple[int, int] | None:
        try:
            status = self.folder.published.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def _held(self) -> Mapping[str, Held]:
        try:
            return read_published(self.folder.published).held
        except StillwatchError:
            return {}  # damaged: the watcher writes it anew, and pages say how old the verdicts are


_NOTHING: Final = Facts(
    stamp=(-1, -2, (-1, -1)),
    made=0.0,
    decisions=(),
    latest={},
    by_account={},
    appeals=(),
    held={},
    claims=(),
    waiting=(),
)


def _with_latest(known: Mapping[str, Decision], fresh: tuple[Decision, ...]) -> Mapping[str, Decision]:
    """Return the last decision by account, once these were added; `policy.decisions.latest` says the same of all."""
    found = dict(known)
    for account, one in latest(fresh).items():
        before = found.get(account)
        if before is None or (before.at, before.id) <= (one.at, one.id):
            found[account] = one
    return found


def _with_accounts(
    known: Mapping[str, tuple[Decision, ...]], fresh: tuple[Decision, ...]
) -> Mapping[str, tuple[Decision, ...]]:
    found = dict(known)
    for decision in fresh:
        for account in decision.accounts:
            found[account] = (*found.get(account, ()), decision)
    return found


def index_report(state: ConsoleState) -> bool:
    """Fill an index that is empty from the live report that lies there; return whether there was one.

    For a state folder of an earlier release, until its next judgement. Skeletons and the last week need events and are
    left out.
    """
    from stillwatch.app.report import read_report

    if state.index.generation() >= 0 or not (state.folder.report / "explain.json").is_file():
        return False
    try:
        report, published = read_report(state.folder.report), read_published(state.folder.published)
    except StillwatchError:
        return False
    shown = published if published.generation >= 0 else Published(generation=0, made_at=report.made_at)
    publish_pages(state.index, Judged(report=report, published=shown, skeletons={}, week=()))
    return True
