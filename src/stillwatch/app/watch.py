"""The watcher: one process that takes live traffic in, judges it at the end of each block, and publishes verdicts.

In: sealed segments of all workers. Out: events in `live/store`, which it alone owns and answers for, verdicts in
`published.json`, a report, and `run/watcher.json` with what it did. Judging runs in a thread, beside taking in.
A stop at any moment loses nothing and counts nothing twice. Left to `livetake` and `livejudge`: the two halves.
"""

import contextlib
import math
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from stillwatch.app.accountkeys import AccountKeys
from stillwatch.app.addresses import packaged_addresses
from stillwatch.app.judgepace import JudgePace
from stillwatch.app.keepers import Keepers
from stillwatch.app.livefolder import EventClock, LiveFolder
from stillwatch.app.livejudge import LiveJudge
from stillwatch.app.livetake import LiveIntake
from stillwatch.app.notices import Notices
from stillwatch.app.processplan import ProcessPlan, stop_on_signal
from stillwatch.app.report import main_epoch
from stillwatch.app.settings import Settings
from stillwatch.app.state import master_key
from stillwatch.app.watchstatus import StatusBook
from stillwatch.detect.grid import block_seconds
from stillwatch.gateway.segments import closed_segments
from stillwatch.gateway.spoolcount import adopt, living
from stillwatch.logs.tally import Tally
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.clickhouse import Store
from stillwatch.store.serve import StoreServer, connect
from stillwatch.terms.errors import StillwatchError, StoreBusy

_STATUS_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 1.0
_RETAIN_SECONDS: Final = 3_600.0
_PATIENCE_SECONDS: Final = 60.0
"""How long to wait for another process that holds the store: `explain`, or a watcher that is ending."""
_NICE: Final = 5
"""Answers come first."""
_LAST_JUDGEMENT_SECONDS: Final = 10.0
"""How long a judgement under way may take when the watcher is told to stop."""


class Watcher:
    """Takes in and judges until told to stop."""

    def __init__(self, folder: LiveFolder, settings: Settings, clock: EventClock, key: bytes, notices: Notices) -> None:
        self._folder, self._settings, self._clock, self._key, self._notices = folder, settings, clock, key, notices
        self._config = settings.watch
        self._judge = LiveJudge(folder, settings, KeyRing(master_key(folder.state)))
        self._book = StatusBook(folder)
        self._judging: threading.Thread | None = None
        self._pace = JudgePace(settings.watch.rest_share)
        self._first = math.inf
        """Earliest event held, seconds since 1970."""
        self._said_at = self._retained_at = -math.inf

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then take what is left.

        Raises:
            StillwatchError: another process owns the store, or it cannot be opened.
        """
        store = _own(self._folder.store)
        keepers = Keepers(self._folder.state, self._settings, self._clock, self._notices)
        try:
            with StoreServer(store, self._folder.store):
                self._begin(store)
                reducer = Reducer(self._judge.ring, packaged_addresses())
                intake = replace(
                    LiveIntake.open(store, reducer, self._folder, self._key), keep=keepers.keep,
                    mask=AccountKeys(self._folder.state, self._judge.ring).mask,
                )  # fmt: skip
                while not stop.is_set():
                    if not self._take(intake):
                        stop.wait(self._config.poll_seconds)
                    self._judge_when_due(store, intake)
                    self._retain_when_due(store)
                    keepers.tend()
                    self._say_when_due()
                self._drain(intake)
                if self._judging is not None:
                    self._judging.join(_LAST_JUDGEMENT_SECONDS)
        finally:
            keepers.close()
            self.say()
            if self._judging is None or not self._judging.is_alive():
                store.close()

    def _begin(self, store: Store) -> None:
        before = self._judge.before()
        self._book.go_on(before)
        epoch = main_epoch(store)
        if epoch is not None:
            self._first = store.span(epoch).first
        self._notices.say("watching", held=len(before.held), generation=before.generation)

    def _take(self, intake: LiveIntake) -> bool:
        """Take one group in; return whether there was one."""
        try:
            for end in adopt(self._folder.spool):
                self._book.ended(end)
                if end.lost or end.dropped:
                    self._notices.say("events lost with a worker", lost=end.lost, dropped=end.dropped)
            took = intake.take(closed_segments(self._folder.spool))
        except (OSError, StillwatchError) as problem:
            self._book.failed_to_take()
            self._notices.say("cannot take segments in; trying again", problem=type(problem).__name__)
            time.sleep(_RETRY_SECONDS)
            return False
        self._first = min(self._first, took.first)
        self._book.took(took)
        if took.unreadable:
            self._notices.say("segments of another key or version dropped", exchanges=took.unreadable)
        return took.segments > 0

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
            self._pace.end()
        until = self._closed_block(time.time())
        if until is None or until <= self._book.judged_until or self._pace.resting:
            return
        tally = replace(intake.tally, fields=dict(intake.tally.fields), reasons=dict(intake.tally.reasons))
        self._judging = threading.Thread(target=self._judge_once, args=(store, until, tally), name="judge", daemon=True)
        self._pace.begin()
        self._judging.start()

    def _closed_block(self, wall: float) -> float | None:
        """Return the end of the last block that is over and settled; None where no event lies before it."""
        settled = self._clock.at(wall - self._config.settle_seconds)
        step = block_seconds(self._first, settled, longest=self._settings.detect.block_seconds)
        until = math.floor(settled / step) * step
        return until if self._first < until else None

    def _judge_once(self, store: Store, until: float, tally: Tally) -> None:
        begun, published = time.monotonic(), None
        self._book.begin_judging()
        try:
            published = self._judge.run(store, store.snapshot(), until, tally, time.time())
        except Exception as problem:  # a judgement that fails must not end the intake; the old verdicts stay, and age
            self._notices.say("judging failed; verdicts stay as they were", problem=type(problem).__name__)
        else:
            accused = sum(one.accused for one in published.held.values())
            self._notices.say("judged", until=until, held=len(published.held), accused=accused)
        self._book.end_judging(time.monotonic() - begun, published)

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
        self._said_at = time.monotonic()
        self._book.say(self._clock, time.time())


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


def run_watcher(plan: ProcessPlan) -> None:
    """Be the watcher until told to stop; what the supervisor starts."""
    stop = threading.Event()
    stop_on_signal(stop.set)
    with contextlib.suppress(OSError):  # a sandbox may forbid it, which is no reason not to watch
        os.nice(_NICE)
    notices = Notices(role="watcher", as_json=plan.as_json)
    try:
        Watcher(plan.folder, plan.settings, plan.clock, plan.key, notices).run(stop)
    except StillwatchError as problem:
        notices.say("watcher cannot run", problem=str(problem).partition("\n")[0])
        os._exit(problem.exit_code)
    notices.say("watcher ended")
    os._exit(0)  # the engine's threads must not keep the process, nor a judgement that is not over
