"""What besides events comes of live traffic: the evidence vault, served contexts of marked accounts, and tokens.

In: exchanges as served, before their text is dropped. Out: what the settings order to be kept, usually nothing.
Never raises, whatever fails. Left to `vaultkeeper`, `servedindex` and `tokenkeeper`: each of the three.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from stillwatch.app.livefolder import EventClock
from stillwatch.app.notices import Notices
from stillwatch.app.servedindex import served_keeper
from stillwatch.app.settings import Settings
from stillwatch.app.tokenkeeper import token_keeper
from stillwatch.app.vaultkeeper import VaultKeeper
from stillwatch.app.vaultmarks import mark_epochs
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.served import Served


class Keeper(Protocol):
    """One of them; no method raises."""

    def keep(self, served: Sequence[Served], now: float) -> None:
        """Look at one group."""
        ...

    def tend(self, now: float) -> None:
        """Do what is due; called often."""
        ...

    def close(self) -> None:
        """Finish what was begun."""
        ...


class Keepers:
    """All of them, for one watcher."""

    def __init__(self, state: Path, settings: Settings, clock: EventClock, notices: Notices) -> None:
        """Open what the settings order; what cannot be opened is said, and left out."""
        makers: tuple[Callable[[], Keeper | None], ...] = (
            lambda: VaultKeeper(state, settings.vault, mark_epochs(state, clock.wall_of)),
            lambda: served_keeper(state, settings, clock.wall_of),
            lambda: token_keeper(state, settings),
        )
        self._all: list[Keeper] = []
        for make in makers:
            try:
                made = make()
            except Exception as problem:  # evidence that cannot be kept must not cost the verdicts
                known = isinstance(problem, StillwatchError)
                said = str(problem).partition("\n")[0] if known else type(problem).__name__
                notices.say("evidence cannot be kept", problem=said)
                continue
            if made is not None:
                self._all.append(made)

    def keep(self, served: Sequence[Served]) -> None:
        """Look at one group, before its text is dropped."""
        got = [one for one in served if one.kind != "twin"]
        for keeper in self._all:  # the vault alone sees answers that nobody got
            keeper.keep(served if isinstance(keeper, VaultKeeper) else got, time.time())

    def tend(self) -> None:
        """Do what is due."""
        for keeper in self._all:
            keeper.tend(time.time())

    def close(self) -> None:
        """Finish what was begun."""
        for keeper in self._all:
            keeper.close()
