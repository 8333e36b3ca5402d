"""The watcher's hand on private matching: values of live traffic become tokens, and warnings are matched.

In: exchanges as served, a group at a time, before their text is dropped. Out: holdings in the token index, what
`recognition` writes, and counts in `run/tokens.json`. The intake only reads values and queues them, in memory; a thread
asks the notaries and matches. A notary that is away, hostile or over budget costs tokens, which are counted and
tried again ever more slowly, and nothing else. What waits is lost with the process, and seen again with the account.
Cost: off, nothing; on, a second reading of each exchange and 7 microseconds a word of new texts.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.advisories import PulledAdvisories
from stillwatch.app.notaries import tokeniser_of
from stillwatch.app.recognition import drop_old, match_now, open_tokens
from stillwatch.app.settings import Settings
from stillwatch.app.state import master_key
from stillwatch.app.tokenqueue import TokenQueue, Waiting
from stillwatch.app.tokenvalues import MARK_PURPOSE, ValueReader
from stillwatch.gateway.published import replace_whole
from stillwatch.logs.served import read_served
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.coalition import Holding, Tokeniser
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served

STATUS_NAME: Final = "tokens.json"
_STEP_SECONDS: Final = 0.5
_LONGEST_WAIT: Final = 300.0
_SAY_SECONDS: Final = 2.0
_MATCH_SECONDS: Final = 5.0
"""Matching again because more tokens came waits this long at least; because something was pulled it does not."""
_CLOSE_SECONDS: Final = 5.0
_AT_ONCE: Final = 2048


@dataclass(slots=True, kw_only=True)
class TokenStatus:
    """What was done since this watcher began; no value, no account."""

    at: float = 0.0
    epoch: str = ""
    waiting: int = 0
    """Values that wait to be made tokens."""
    made: int = 0
    """Values that the notaries made tokens of."""
    left_out: int = 0
    """Values that did not fit into memory."""
    unread: int = 0
    """Exchanges that could not be read."""
    failed: int = 0
    """Times that the notaries, the index or the matching failed."""
    problem: str = ""
    """The last failure in words, or its kind."""
    matched: int = 0
    """Accounts that warnings match."""
    set_aside: int = 0
    """Warnings that were not used."""


@dataclass(slots=True)
class TokenKeeper:
    """Makes tokens and matches, for one watcher; `begin` starts its thread."""

    state: Path
    settings: Settings
    tokeniser: Tokeniser
    index: SqliteTokens
    clock: Callable[[], float] = time.time
    status: TokenStatus = field(default_factory=TokenStatus)
    _changed: bool = True
    _stamp: str | None = None
    _matched_at: float = -1e9
    _failures: int = 0
    _due: float = -1e9
    _said_at: float = -1e9
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        config = self.settings.matching
        self._reader = ValueReader(KeyRing(master_key(self.state)).lasting(MARK_PURPOSE))
        self._queue = TokenQueue(config.most_waiting, config.repeats)
        self._stop = threading.Event()

    _reader: ValueReader = field(init=False, repr=False)
    _queue: TokenQueue = field(init=False, repr=False)
    _stop: threading.Event = field(init=False, repr=False)

    def begin(self) -> "TokenKeeper":
        """Start the thread that asks and matches; return this."""
        self._thread = threading.Thread(target=self._run, name="tokens", daemon=True)
        self._thread.start()
        return self

    def keep(self, served: Sequence[Served], now: float) -> None:
        """Queue the values of a group; never raises and asks nobody."""
        for one in served:
            try:
                self._queue.put(self._reader.read(read_served(one)))
            except Exception:  # whatever a body holds, the intake goes on; the words of it might quote the body
                self.status.unread += 1

    def tend(self, now: float) -> None:
        """Do nothing: the thread does what is due."""

    def close(self) -> None:
        """Let the thread end, say what was done, let go of the index; never raises."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        if self._thread is None or not self._thread.is_alive():
            self.index.close()
        self._say(now=True)

    def step(self) -> None:
        """Make tokens of what waits and match what is due; never raises."""
        try:
            if (len(self._queue) or self.status.epoch) and time.monotonic() >= self._due:
                self._make_tokens()
            if self._match_due():
                self._match()
        except Exception as problem:  # a panic of the library comes as StillwatchError; nothing here may end a watcher
            self.status.failed += 1
            known = isinstance(problem, StillwatchError)
            self.status.problem = str(problem).partition("\n")[0] if known else type(problem).__name__
            self._failures += 1
            self._due = time.monotonic() + min(2.0**self._failures, _LONGEST_WAIT)
        self._say()

    def _run(self) -> None:
        while not self._stop.wait(_STEP_SECONDS):
            self.step()
        self.step()

    def _make_tokens(self) -> None:
        epoch = self.tokeniser.epoch
        if epoch != self.status.epoch:
            self._turn(epoch)
        if not len(self._queue):
            return
        taken = self._queue.take(_AT_ONCE)
        try:
            known = self.index.known(epoch, [one.mark for one in taken])
            asked = [one for one in taken if one.mark not in known]
            if asked:
                tokens = self.tokeniser.tokens([one.input for one in asked])
                known.update({one.mark: token for one, token in zip(asked, tokens, strict=True)})
                self.index.know(epoch, [(one.mark, known[one.mark]) for one in asked])
            self.index.add(epoch, self._holdings(taken, known))
        except Exception:
            self._queue.put_back(taken)
            raise
        self.status.made += len(asked)
        self._failures, self._changed = 0, True

    def _holdings(self, taken: Sequence[Waiting], known: dict[bytes, bytes]) -> list[Holding]:
        now = self.clock()
        return [
            Holding(account=account, kind=one.input.kind, token=known[one.mark], group=group, seen=now)
            for one in taken
            for account, group in one.holders
        ]

    def _turn(self, epoch: str) -> None:
        """Begin an epoch: every value is made a token anew, and what is older than the epoch before goes."""
        if self.status.epoch:
            self._queue.forget()
        drop_old(self.index, epoch)
        self.status.epoch = epoch

    def _match_due(self) -> bool:
        poll, waited = self.settings.matching.poll_seconds, time.monotonic() - self._matched_at
        grown = self._changed and waited >= min(poll, _MATCH_SECONDS)
        return grown or waited >= poll or PulledAdvisories(self.state).stamp() != self._stamp

    def _match(self) -> None:
        self._matched_at = time.monotonic()
        stamp = PulledAdvisories(self.state).stamp()
        found = match_now(self.state, self.settings, self.index, self.clock())
        self._stamp, self._changed = stamp, False
        self.status.matched, self.status.set_aside = len(found.matches), len(found.set_aside)

    def _say(self, *, now: bool = False) -> None:
        self.status.at, self.status.waiting = self.clock(), len(self._queue)
        self.status.left_out = self._queue.left_out
        if not now and time.monotonic() - self._said_at < _SAY_SECONDS:
            return
        self._said_at = time.monotonic()
        path = self.state / "run" / STATUS_NAME
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            replace_whole(path, msgspec.json.encode(self.status))
        except OSError:
            pass  # a full disk is no reason to stop


def token_keeper(state: Path, settings: Settings) -> TokenKeeper | None:
    """Return the keeper, begun; None where the settings do not want tokens of live traffic.

    Raises:
        StillwatchError: an API key of a notary is not where the settings say, or the index cannot be opened.
    """
    if not settings.matching.live:
        return None
    return TokenKeeper(state, settings, tokeniser_of(settings.matching), open_tokens(state)).begin()
