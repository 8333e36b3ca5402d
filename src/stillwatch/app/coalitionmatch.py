"""`stillwatch coalition match`: tokens of an export, if one is given, and what other providers' warnings match.

In: a state folder, settings, lines of an export. Out: what was made tokens of, and the matches. The workers and the
queue of analysts see the same. Cost: one token a value that is new in this epoch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillwatch.app.accountsfile import Export
from stillwatch.app.recognition import drop_old, match_now, open_tokens
from stillwatch.app.settings import Settings
from stillwatch.app.state import master_key
from stillwatch.app.tokenvalues import MARK_PURPOSE, Seen, ValueReader
from stillwatch.policy.coalition import Recognised
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.coalition import Holding, Tokeniser
from stillwatch.terms.errors import StillwatchError

_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What one run did."""

    accounts: int
    """Accounts of the export."""
    values: int
    passed_over: int
    asked: int
    """Values that the notaries made tokens of; the others were known."""
    found: Recognised


@dataclass(frozen=True, slots=True)
class MatchRun:
    """What a run needs."""

    state: Path
    settings: Settings
    tokeniser: Tokeniser | None
    """None where no export is given."""
    progress: Callable[[str], None] = lambda _: None

    def run(self, lines: Iterable[str] | None, now: float) -> Matched:
        """Make tokens of the lines, then match.

        Raises:
            InputTooBad: a line is no account.
            StillwatchError: a notary is away or over budget: what was made so far is kept, and a second run goes on.
        """
        export = Export(ValueReader(KeyRing(master_key(self.state)).lasting(MARK_PURPOSE)))
        index = open_tokens(self.state)
        try:
            if self.tokeniser is not None:
                drop_old(index, self.tokeniser.epoch)
            asked = self._take(export, index, lines, now) if lines is not None else 0
            found = match_now(self.state, self.settings, index, now)
        finally:
            index.close()
        return Matched(
            accounts=export.accounts, values=export.values, passed_over=export.passed_over, asked=asked, found=found
        )

    def _take(self, export: Export, index: SqliteTokens, lines: Iterable[str], now: float) -> int:
        asked, part = 0, []
        for one in export.read(lines):
            part.append(one)
            if len(part) >= _AT_ONCE:
                asked += self._make(index, part, now)
                part = []
                self.progress(f"tokens: {export.accounts:,} accounts, {export.values:,} values, {asked:,} asked for")
        return asked + (self._make(index, part, now) if part else 0)

    def _make(self, index: SqliteTokens, part: list[Seen], now: float) -> int:
        if self.tokeniser is None:
            raise StillwatchError("coalition match: an export needs notaries; name them under [matching].")
        epoch = self.tokeniser.epoch
        inputs = {one.mark: one.input for one in part}
        known = index.known(epoch, list(inputs))
        new = [mark for mark in inputs if mark not in known]
        if new:
            tokens = self.tokeniser.tokens([inputs[mark] for mark in new])
            known.update(zip(new, tokens, strict=True))
            index.know(epoch, [(mark, known[mark]) for mark in new])
        index.add(epoch, [
            Holding(account=one.account, kind=one.input.kind, token=known[one.mark], group=one.group, seen=now)
            for one in part
        ])  # fmt: skip
        return len(new)
