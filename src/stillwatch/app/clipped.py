"""A source of events seen up to a moment: what a scan with `--until` would have read.

In: any `EventSource` and an end. Out: the same questions, answered from events before it.
Cost: the first `span` of an epoch costs a rollup; it is remembered, so `source` must not change meanwhile.
Left to the source: everything else.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import (
    CarrierArray,
    EventSource,
    KeyArray,
    KeyList,
    RollupArray,
    SharedQuery,
    Span,
    Window,
)

_NEVER: Final = 1e300


@dataclass(frozen=True, slots=True)
class ClippedSource:
    """Events of `source` with `time < end`."""

    source: EventSource
    end: float
    """Seconds since 1970, excluded."""
    _spans: dict[int, Span] = field(default_factory=dict, init=False, repr=False, compare=False)

    def epochs(self) -> tuple[int, ...]:
        """Return the key epochs that hold events before the end, ascending."""
        return tuple(epoch for epoch in self.source.epochs() if self.span(epoch).n_events)

    def span(self, epoch: int | None = None) -> Span:
        """Return what is held of `epoch` before the end; of the newest when None."""
        if epoch is None:
            held = self.epochs()
            epoch = held[-1] if held else 0
        if epoch not in self._spans:
            self._spans[epoch] = self._span(epoch)
        return self._spans[epoch]

    def _span(self, epoch: int) -> Span:
        roll = self.rollup(Window(epoch=epoch))
        if len(roll) == 0:
            return Span(epoch=epoch, first=0.0, last=0.0, n_events=0, n_accounts=0)
        return Span(
            epoch=epoch, first=float(roll["first"].min()), last=float(roll["last"].max()),
            n_events=int(roll["n_requests"].sum(dtype="u8")), n_accounts=len(roll),
        )  # fmt: skip

    def rollup(self, window: Window) -> RollupArray:
        """Return one row for each account with a request in the window."""
        return self.source.rollup(self._clip(window))

    def shared_keys(self, query: SharedQuery) -> KeyArray:
        """Return the keys that the asked number of holders carried in the window."""
        return self.source.shared_keys(replace(query, window=self._clip(query.window)))

    def popularity(self, kind: str, keys: KeyList, window: Window) -> KeyArray:
        """Return the counts for these keys, whoever carried them; keys never carried are left out."""
        return self.source.popularity(kind, keys, self._clip(window))

    def carriers(self, kind: str, keys: KeyList, window: Window) -> CarrierArray:
        """Return who carried these keys in the window, one row a (key, account)."""
        return self.source.carriers(kind, keys, self._clip(window))

    def events(self, accounts: KeyList, window: Window) -> EventArray:
        """Return these accounts' events in the window, ordered by (time, account, event_id)."""
        return self.source.events(accounts, self._clip(window))

    def _clip(self, window: Window) -> Window:
        if window.start >= self.end:
            return replace(window, start=_NEVER, end=2 * _NEVER)  # a window in which nothing lies
        return replace(window, end=min(window.end, self.end))
