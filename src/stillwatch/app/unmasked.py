"""The live store as detection reads it: account hashes as a scan of the same logs would have them, not their masks.

In: a store whose account column holds masks, and the accounts' own keys. Out: the same answers, by hash, in the order
that `terms.ports.EventSource` states, so that live traffic and a scan of its log are judged to the bit alike.
Accounts whose key was destroyed keep their mask: they are still somebody, whom nobody knows.
Cost: two hashes an account and epoch when it is made; a search and a sort an answer.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.app.accountkeys import as_arrays, masks_of
from stillwatch.sketch.keys import KeyRing
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import (
    CarrierArray,
    EventSource,
    Journal,
    KeyArray,
    KeyList,
    RollupArray,
    SharedQuery,
    Span,
    Window,
)

U64 = npt.NDArray[np.uint64]

_ORDER: Final = {
    "rollup": ("account",),
    "carriers": ("kind", "key", "account"),
    "events": ("time", "account", "event_id"),
}


class _Masks:
    """Hashes and masks of one epoch, both ways."""

    def __init__(self, pairs: Mapping[int, int]) -> None:
        self._hashes, self._to_mask = as_arrays(pairs)
        self._masks, self._to_hash = as_arrays({mask: account for account, mask in pairs.items()})

    def masked(self, accounts: U64) -> U64:
        """Return the masks of hashes; what has none stays."""
        return _looked_up(accounts, self._hashes, self._to_mask)

    def unmasked(self, masks: U64) -> U64:
        """Return the hashes of masks; what is none stays."""
        return _looked_up(masks, self._masks, self._to_hash)


class Unmasked:
    """`terms.ports.EventSource` over one that holds masks."""

    def __init__(self, inner: EventSource, ring: KeyRing, keys: Mapping[str, str]) -> None:
        """Take what does not change.

        Args:
            inner: Holds masks.
            ring: The state's keys.
            keys: Account -> its own key.
        """
        self._inner, self._ring, self._keys = inner, ring, keys
        self._epochs: dict[int, _Masks] = {}

    def epochs(self) -> tuple[int, ...]:
        """Return the key epochs that hold events, ascending."""
        return self._inner.epochs()

    def span(self, epoch: int | None = None) -> Span:
        """Return what is held of `epoch`; of the newest when None."""
        return self._inner.span(epoch)

    def rollup(self, window: Window) -> RollupArray:
        """Return one row for each account with a request in the window."""
        return self._read("rollup", self._inner.rollup(window), window.epoch)

    def shared_keys(self, query: SharedQuery) -> KeyArray:
        """Return the keys that the asked number of holders carried in the window."""
        return self._inner.shared_keys(query)

    def popularity(self, kind: str, keys: KeyList, window: Window) -> KeyArray:
        """Return the counts for these keys, whoever carried them; keys never carried are left out."""
        return self._inner.popularity(kind, keys, window)

    def carriers(self, kind: str, keys: KeyList, window: Window) -> CarrierArray:
        """Return who carried these keys in the window, one row a (key, account)."""
        return self._read("carriers", self._inner.carriers(kind, keys, window), window.epoch)

    def events(self, accounts: KeyList, window: Window) -> EventArray:
        """Return these accounts' events in the window, ordered by (time, account, event_id)."""
        asked = self._of(window.epoch).masked(np.asarray(accounts, np.uint64))
        return self._read("events", self._inner.events(asked, window), window.epoch)

    def _of(self, epoch: int) -> _Masks:
        if epoch not in self._epochs:
            self._epochs[epoch] = _Masks(masks_of(self._ring.for_epoch(epoch), self._keys))
        return self._epochs[epoch]

    def _read(self, kind: str, rows: npt.NDArray[Any], epoch: int) -> npt.NDArray[Any]:
        rows, masks = rows.copy(), self._of(epoch)
        rows["account"] = masks.unmasked(rows["account"])
        if kind == "carriers":
            rows["holder"] = masks.unmasked(rows["holder"])  # an account without an organisation holds by itself
        return rows[np.lexsort([rows[name] for name in reversed(_ORDER[kind])])]


class UnmaskedNames:
    """Names of accounts by their hash, from a store that has them by mask."""

    def __init__(self, store: Journal, ring: KeyRing, keys: Mapping[str, str]) -> None:
        """Take the store, the state's keys and the accounts' own."""
        self._store, self._ring, self._keys = store, ring, keys

    def names(self, accounts: KeyList) -> dict[int, str]:
        """Return the names that are known of these account hashes."""
        masks: dict[int, int] = {}
        for epoch in self._store.epochs():
            masks.update(masks_of(self._ring.for_epoch(epoch), self._keys))
        wanted = {masks.get(int(account), int(account)): int(account) for account in accounts}
        found = self._store.names(np.fromiter(wanted, np.uint64, len(wanted)))
        return {wanted[mask]: name for mask, name in found.items()}


def _looked_up(values: U64, keys: U64, into: U64) -> U64:
    if not len(keys) or not len(values):
        return values.copy()
    at = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
    return np.where(keys[at] == values, into[at], values)
