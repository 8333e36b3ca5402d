"""A key of its own for each account of live traffic, so that what is held of it can be cut loose from it for good.

In: account names and the hashes that their events would bear. Out: masks, hashes of the name and its own key, which the
store holds instead. Once the key is destroyed nobody, not even the holder of the master key, can tell whose events they
were, or join later ones to them.
Cost: a lookup an account; a write and one fsync for each group that holds new ones; about 100 bytes an account.
Left to `unmasked`: reading the store as if there were no masks. Left to `privacy`: destroying keys. A scan of logs has
no such keys: whoever has the logs has the names.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.app.control import Book, open_control
from stillwatch.sketch.keys import EpochKeys, KeyRing
from stillwatch.store.control import FILE_NAME
from stillwatch.terms.event import EventArray

KEY_BYTES: Final = 16
_BETWEEN: Final = "\x1f"
"""Stands between a key, which is hex digits, and a name."""


class AccountKeys:
    """The keys of a state folder as one process has read them; made for accounts that have none."""

    def __init__(self, state: Path, ring: KeyRing) -> None:
        """Read nothing yet."""
        self._state, self._ring = state, ring
        self._known: dict[str, str] = {}
        self._generation: int | None = None

    def mask(self, events: EventArray, names: Mapping[int, Mapping[int, str]]) -> dict[int, dict[int, str]]:
        """Put masks in the place of account hashes, and return the names by mask.

        Args:
            events: Changed in place, shape (n,).
            names: Epoch -> hash -> name, of every account in `events`.

        Raises:
            StillwatchError: the control file cannot be read or written; nothing is changed then.
        """
        keys = self._of({name for mapping in names.values() for name in mapping.values()})
        masked: dict[int, dict[int, str]] = {}
        for epoch, mapping in names.items():
            hasher = self._ring.for_epoch(epoch)
            masks = {account: mask_of(hasher, name, keys[name]) for account, name in mapping.items()}
            masked[epoch] = {masks[account]: name for account, name in mapping.items()}
            rows = events["epoch"] == epoch
            events["account"][rows] = [masks[account] for account in events["account"][rows].tolist()]
        return masked

    def _of(self, accounts: set[str]) -> dict[str, str]:
        with open_control(self._state) as book:
            generation = book.generation()
            if generation != self._generation:
                self._known, self._generation = dict(book.account_keys()), generation
            if accounts - self._known.keys():
                self._make(book, accounts - self._known.keys())
        return self._known

    def _make(self, book: Book, accounts: set[str]) -> None:
        book.add_account_keys({account: secrets.token_hex(KEY_BYTES) for account in accounts})
        self._known = dict(book.account_keys())  # another process may have been first


def mask_of(keys: EpochKeys, account: str, key: str) -> int:
    """Return what the store holds in the place of an account's hash.

    Args:
        keys: Of the epoch.
        account: Name.
        key: The account's own, 32 hex digits.
    """
    return keys.hash("account", f"{key}{_BETWEEN}{account}")


def masks_of(keys: EpochKeys, known: Mapping[str, str]) -> dict[int, int]:
    """Return hash -> mask of every account with a key, in one epoch."""
    return {keys.hash("account", account): mask_of(keys, account, key) for account, key in known.items()}


def held_as(state: Path, keys: EpochKeys, account: str) -> tuple[int, ...]:
    """Return under what a store may hold an account: its hash, as a scan does, and its mask where it has a key."""
    plain = keys.hash("account", account)
    if not (state / FILE_NAME).exists():
        return (plain,)
    with open_control(state) as book:
        key = book.account_keys().get(account)
    return (plain,) if key is None else (plain, mask_of(keys, account, key))


def as_arrays(pairs: Mapping[int, int]) -> tuple["np.ndarray[tuple[int], np.dtype[np.uint64]]", ...]:
    """Return keys and values as two arrays, ordered by key."""
    keys = np.fromiter(pairs.keys(), np.uint64, len(pairs))
    values = np.fromiter(pairs.values(), np.uint64, len(pairs))
    order = np.argsort(keys)
    return keys[order], values[order]
