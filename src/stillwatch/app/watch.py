"""The watcher: one process that takes live traffic in, judges it at the end of each block, and publishes verdicts.

In: sealed segments of all workers. Out: events in `live/store`, which it alone owns and answers for, verdicts in
`published.json`, a report, and `run/watcher.json` with what it did. Judging runs in a thread, beside taking in.
A stop at any moment loses nothing and counts nothing twice. Left to `livetake` and `livejudge`: the two halves.
"""

import math
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.addresses import packaged_addresses
from stillwatch.app.livefolder import EventClock, LiveFolder
from stillwatch.app.livejudge import LiveJudge
from stillwatch.app.livetake import LiveIntake, Took
from stillwatch.app.notices import Notices
from stillwatch.app.processplan import ProcessPlan, stop_on_signal
from stillwatch.app.report import main_epoch
from stillwatch.app.settings import Settings
from stillwatch.app.state import master_key
from stillwatch.detect.grid import block_seconds
from stillwatch.gateway.segments import closed_segments
from stillwatch.gateway.spoolcount import adopt, living
from stillwatch.logs.tally import Tally
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.clickhouse import Store
from stillwatch.store.serve import StoreServer, connect
from stillwatch.terms.errors import StillwatchError, StoreBusy

STATUS_NAME: Final = "watcher.json"
_STATUS_SECONDS: Final = 1.0
_RETAIN_SECONDS: Final = 3_600.0
_PATIENCE_SECONDS: Final = 60.0
"""How long to wait for another process that holds the store: `explain`, or a watcher that is ending."""
_NICE: Final = 5
"""Answers come first."""
_LAST_JUDGEMENT_SECONDS: Final = 10.0
"""How long a judgement under way may take when the watcher is told to stop."""


@dataclass(slots=True, kw_only=True)
class WatchStatus:
    """What the watcher did; counts go on over restarts. No text, no account."""

    pid: int = 0
    at: float = 0.0
    """Wall time of this status, seconds since 1970."""
    exchanges: int = 0
    events: int = 0
    bad: dict[str, int] = field(default_factory=Counter)
    lost: int = 0
    """Exchanges that were answered by workers that were killed, and never reached a segment."""
    dropped: int = 0
    """Exchanges that workers that ended had dropped because disk or memory were full."""
    unreadable: int = 0
    torn: int = 0
    segments: int = 0
    backlog_segments: int = 0
    backlog_bytes: int = 0
    backlog_age_seconds: float = 0.0
    """Age of the oldest segment that waits."""
    take_failures: int = 0
    judge_failures: int = 0
    judgements: int = 0
    judging: bool = False
    judge_seconds: float = 0.0
    """What the last judgement took."""
    judged_until: float = 0.0
    """Event time, seconds since 1970."""
    published_at: float = 0.0
    """Wall time, seconds since 1970."""
    verdict_age_seconds: float | None = None
    """Event time that no judgement covers yet, in event seconds; None before the first."""
    generation: int = -1
    held: int = 0


class Watcher:
    """Takes in and judges until told to stop."""

    def __init__(self, folder: LiveFolder, settings: Settings, clock: EventClock, key: bytes, notices: Notices) -> None:
        self._folder, self._settings, self._clock, self._key, self._notices = folder, settings, clock, key, notices
        self._config = settings.watch
        self._judge = LiveJudge(folder, settings, KeyRing(master_key(folder.state)))
        self._status = _read_status(folder.run / STATUS_NAME)
        self._lock = threading.Lock()
        self._judging: threading.Thread | None = None
        self._rest_until = 0.0
        self._first = math.inf
        """Earliest event held, seconds since 1970."""
        self._said_at = self._retained_at = -math.inf

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then take what is left.

        Raises:
            StillwatchError: another process owns the store, or it cannot be opened.
        """
        store = _own(self._folder.store)
        try:
            with StoreServer(store, self._folder.store):
                self._begin(store)
                reducer = Reducer(self._judge.ring, packaged_addresses())
                intake = LiveIntake.open(store, reducer, self._folder, self._key)
                while not stop.is_set():
                    if not self._take(intake):
                        stop.wait(self._config.poll_seconds)
                    self._judge_when_due(store, intake)
                    self._retain_when_due(store)
                    self._say_when_due()
                self._drain(intake)
                if self._judging is not None:
                    self._judging.join(_LAST_JUDGEMENT_SECONDS)
        finally:
            self.say()
            if self._judging is None or not self._judging.is_alive():
                store.close()

    def _begin(self, store: Store) -> None:
        before = self._judge.before()
        with self._lock:
            self._status.judged_until, self._status.published_at = before.judged_until, before.made_at
            self._status.generation, self._status.held = before.generation, len(before.held)
        epoch = main_epoch(store)
        if epoch is not None:
            self._first = store.span(epoch).first
        self._notices.say("watching", held=len(before.held), generation=before.generation)

    def _take(self, intake: LiveIntake) -> bool:
        """Take one group in; return whether there was one."""
        try:
            for end in adopt(self._folder.spool):
                with self._lock:
                    self._status.lost += end.lost
                    self._status.dropped += end.dropped
                if end.lost or end.dropped:
                    self._notices.say("events lost with a worker", lost=end.lost, dropped=end.dropped)
            took = intake.take(closed_segments(self._folder.spool))
        except (OSError, StillwatchError) as problem:
            with self._lock:
                self._status.take_failures += 1
            self._notices.say("cannot take segments in; trying again", problem=type(problem).__name__)
            time.sleep(1.0)
            return False
        self._count(took)
        return took.segments > 0

    def _count(self, took: Took) -> None:
        self._first = min(self._first, took.first)
        with self._lock:
            status = self._status
            status.segments += took.segments
            status.exchanges += took.exchanges
            status.events += took.events
            status.unreadable += took.unreadable
            status.torn += took.torn
            for reason, count in took.bad.items():
                status.bad[reason] = status.bad.get(reason, 0) + count
        if took.unreadable:
            self._notices.say("segments of another key or version dropped", exchanges=took.unreadable)

    def _drain(self, intake: LiveIntake) -> None:
        """Take everything that the writers leave behind which are alive now; later ones are another watcher's."""
        give_up = time.monotonic() + self._config.drain_seconds
        writers = living(self._folder.spool)
        while writers & living(self._folder.spool) and time.monotonic() < give_up:
            if not self._take(intake):
                time.sleep(0.05)
        while self._take(intake) and time.monotonic() < give_up:
            pass

    def _judge_when_due(self, store: Store, intake: LiveIntake) -> None:
        if self._judging is not None:
            if self._judging.is_alive():
                return
            self._judging = None
        until = self._closed_block(time.time())
        if until is None or until <= self._status.judged_until or time.monotonic() < self._rest_until:
            return
        tally = replace(intake.tally, fields=dict(intake.tally.fields), reasons=dict(intake.tally.reasons))
        self._judging = threading.Thread(
            target=self._judge_once, args=(store, until, tally), name="judge", daemon=True
        )
        self._judging.start()

    def _closed_block(self, wall: float) -> float | None:
        """Return the end of the last block that is over and settled; None where no event lies before it."""
        settled = self._clock.at(wall - self._config.settle_seconds)
        step = block_seconds(self._first, settled, longest=self._settings.detect.block_seconds)
        until = math.floor(settled / step) * step
        return until if self._first < until else None

    def _judge_once(self, store: Store, until: float, tally: Tally) -> None:
        begun = time.monotonic()
        with self._lock:
            self._status.judging = True
        try:
            published = self._judge.run(store, store.snapshot(), until, tally, time.time())
        except Exception as problem:  # a judgement that fails must not end the intake; the old verdicts stay, and age
            with self._lock:
                self._status.judge_failures += 1
            self._notices.say("judging failed; verdicts stay as they were", problem=type(problem).__name__)
        else:
            accused = sum(one.accused for one in published.held.values())
            with self._lock:
                self._status.judgements += 1
                self._status.judged_until, self._status.published_at = until, published.made_at
                self._status.generation, self._status.held = published.generation, len(published.held)
            self._notices.say("judged", until=until, held=len(published.held), accused=accused)
        took = time.monotonic() - begun
        self._rest_until = time.monotonic() + took * self._config.rest_share
        with self._lock:
            self._status.judging, self._status.judge_seconds = False, took

    def _retain_when_due(self, store: Store) -> None:
        now = time.monotonic()
        if self._judging is not None or now - self._retained_at < _RETAIN_SECONDS:
            return
        self._retained_at = now
        try:
            gone = store.retain(self._config.keep_days * 86_400.0, self._clock.at(time.time()))
        except StillwatchError as problem:
            self._notices.say("old events could not be dropped", problem=type(problem).__name__)
            return
        if gone:
            self._notices.say("old events dropped", events=gone)

    def _say_when_due(self) -> None:
        if time.monotonic() - self._said_at >= _STATUS_SECONDS:
            self.say()

    def say(self) -> None:
        """Write what was done so far to `run`, for the supervisor."""
        self._said_at, wall = time.monotonic(), time.time()
        waiting = [path.stat() for path in closed_segments(self._folder.spool) if path.exists()]
        with self._lock:
            status = self._status
            status.pid, status.at = os.getpid(), wall
            status.backlog_segments, status.backlog_bytes = len(waiting), sum(found.st_size for found in waiting)
            status.backlog_age_seconds = max((wall - found.st_mtime for found in waiting), default=0.0)
            if status.generation >= 0:
                status.verdict_age_seconds = max(0.0, self._clock.at(wall) - status.judged_until)
            content = msgspec.json.encode(status)
        draft = self._folder.run / f".{STATUS_NAME}"
        try:
            draft.write_bytes(content)
            draft.replace(self._folder.run / STATUS_NAME)
        except OSError:
            pass  # a full disk must not end the watcher


def _own(folder: Path) -> Store:
    """Return the store, opened here; waits for a process that holds it: `explain`, or a watcher that is ending.

    Raises:
        StillwatchError: it stayed busy.
    """
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            store = connect(folder)
        except StoreBusy:
            if time.monotonic() >= give_up:
                raise
        else:
            if isinstance(store, Store):
                return store
            store.close()
            if time.monotonic() >= give_up:
                raise StillwatchError(f"store {folder}: another watcher owns it; run one at a time on a state folder.")
        time.sleep(0.1)


def _read_status(path: Path) -> WatchStatus:
    try:
        status = msgspec.json.decode(path.read_bytes(), type=WatchStatus)
    except (OSError, msgspec.MsgspecError):
        return WatchStatus()
    status.judging = False
    return status


def run_watcher(plan: ProcessPlan) -> None:
    """Be the watcher until told to stop; what the supervisor starts."""
    stop = threading.Event()
    stop_on_signal(stop.set)
    os.nice(_NICE)
    notices = Notices(role="watcher", as_json=plan.as_json)
    try:
        Watcher(plan.folder, plan.settings, plan.clock, plan.key, notices).run(stop)
    except StillwatchError as problem:
        notices.say("watcher cannot run", problem=str(problem).partition("\n")[0])
        os._exit(problem.exit_code)
    notices.say("watcher ended")
    os._exit(0)  # the engine's threads must not keep the process, nor a judgement that is not over
