"""What detection asks of a store, and the shape of each answer; a store is anything that gives them.

In: a `Window` of event time and, for shared keys, a `SharedQuery`. Out: structured NumPy arrays in
a fixed order, so that two stores holding the same events give equal bytes.
Cost: 49 bytes a carrier, 21 bytes a key, 168 bytes an account. Left to `store`: answering.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import ASKS, EventArray

KEY_KINDS: Final = (
    "anchor", "head", "tail", "skeleton", "system", "tools", "payment", "network", "client", "content",
    "system_anchor",
)  # fmt: skip
"""What accounts may share. The index is the `kind` of every answer; `client` joins SDK, TLS and parameters."""
CONTENT_KINDS: Final = ("anchor", "head", "tail", "skeleton", "system", "tools", "content", "system_anchor")
"""Kinds that are read from the request itself; the others are infrastructure."""
SECONDS_PER_DAY: Final = 86_400.0

KeyList = npt.NDArray[np.uint64]
"""Keys or account hashes, shape (n,), any order, repeats allowed."""
KeyArray = npt.NDArray[Any]
"""Structured array of `KEY_DTYPE`, ordered by (kind, key)."""
CarrierArray = npt.NDArray[Any]
"""Structured array of `CARRIER_DTYPE`, ordered by (kind, key, account)."""
RollupArray = npt.NDArray[Any]
"""Structured array of `ROLLUP_DTYPE`, ordered by account; one row an account."""

KEY_DTYPE: Final = np.dtype(
    [("kind", "u1"), ("key", "<u8"), ("accounts", "<u4"), ("holders", "<u4"), ("requests", "<u4")]
)
"""A key and how many distinct accounts, distinct holders and requests carried it."""

CARRIER_DTYPE: Final = np.dtype(
    [
        ("kind", "u1"),
        ("key", "<u8"),
        ("account", "<u8"),
        ("holder", "<u8"),
        ("requests", "<u4"),
        ("contents", "<u4"),
        ("first", "<f8"),
        ("last", "<f8"),
    ]
)
"""One account carrying one key: requests, distinct contents among them, first and last time."""

ROLLUP_DTYPE: Final = np.dtype(
    [
        ("account", "<u8"),
        ("organisation", "<u8"),
        ("key_id", "<u8"),
        ("payment", "<u8"),
        ("network", "<u8"),
        ("sdk", "<u8"),
        ("tls", "<u8"),
        ("system", "<u8"),
        ("tools", "<u8"),
        ("model", "<u8"),
        ("n_requests", "<u4"),
        ("first", "<f8"),
        ("last", "<f8"),
        ("tokens_in", "<i8"),
        ("tokens_out", "<i8"),
        ("n_days", "<u4"),
        ("n_blocks", "<u4"),
        ("n_contents", "<u4"),
        ("n_skeletons", "<u4"),
        ("n_networks", "<u4"),
        ("single_turn", "<u4"),
        ("datacentre", "<u4"),
        ("asks", "<u4", (len(ASKS),)),
    ]
)
"""One account in a window.

`organisation` to `model` hold the value most requests carried: 0 only when none was ever said, the
largest on a tie. `tokens_*` add up what the source said. `n_days` and `n_blocks` count UTC days and
blocks with a request; `n_contents`, `n_skeletons` and `n_networks` count distinct values, unsaid
left out. `single_turn` counts requests of at most one turn, `datacentre` those from a data centre,
`asks[i]` those with bit i of `ASKS`.
"""

MOST_COMMON_FIELDS: Final = (
    "organisation", "key_id", "payment", "network", "sdk", "tls", "system", "tools", "model",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a store holds of one key epoch; all zero when it holds nothing."""

    epoch: int
    first: float
    """Time of the first event, seconds since 1970-01-01 UTC."""
    last: float
    n_events: int
    n_accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Events of one key epoch with `start <= time < end`, and of one fold of blocks if asked."""

    epoch: int
    start: float = -math.inf
    """Seconds since 1970-01-01 UTC, included."""
    end: float = math.inf
    """Seconds, excluded."""
    block_seconds: float = SECONDS_PER_DAY
    """Grid of event-time blocks, seconds; block i covers [i, i + 1) times this."""
    fold: int | None = None
    """0 keeps even blocks, 1 odd ones, None both."""

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise StillwatchError(f"window.start = {self.start}: must lie before window.end = {self.end}.")
        if not 0.0 < self.block_seconds < math.inf:
            raise StillwatchError(f"window.block_seconds = {self.block_seconds}: must be above 0 and finite.")
        if self.fold not in (None, 0, 1):
            raise StillwatchError(f"window.fold = {self.fold}: must be 0 (even blocks), 1 (odd blocks) or None.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedQuery:
    """Which keys to look for: those that few, but more than one, holders carry.

    A holder is an organisation, or an account that has none: accounts of one organisation share
    keys for an honest reason and count once. The bounds `min_accounts` and `max_accounts` therefore
    count holders.
    """

    window: Window
    kinds: tuple[str, ...] = KEY_KINDS
    min_accounts: int = 2
    max_accounts: int = 1_000_000
    min_requests_per_account: int = 1
    """An account counts for a key only if it carried it with at least so many distinct contents."""

    def __post_init__(self) -> None:
        for kind in self.kinds:
            kind_index(kind)
        if not 1 <= self.min_accounts <= self.max_accounts:
            bounds = f"{self.min_accounts}..{self.max_accounts}"
            raise StillwatchError(f"shared.min_accounts..max_accounts = {bounds}: must rise and start at 1 or more.")
        if self.min_requests_per_account < 1:
            given = self.min_requests_per_account
            raise StillwatchError(f"shared.min_requests_per_account = {given}: must be at least 1.")


def kind_index(kind: str) -> int:
    """Return the number of a key kind, as the answers hold it.

    Raises:
        StillwatchError: `kind` is none of `KEY_KINDS`.

    >>> kind_index("network")
    7
    """
    if kind not in KEY_KINDS:
        raise StillwatchError(f"key kind {kind!r}: unknown; must be one of {', '.join(KEY_KINDS)}.")
    return KEY_KINDS.index(kind)


class EventSource(Protocol):
    """What detection asks of a store; every method sees whole ingests only."""

    def epochs(self) -> tuple[int, ...]:
        """Return the key epochs that hold events, ascending."""
        ...

    def span(self, epoch: int | None = None) -> Span:
        """Return what is held of `epoch`; of the newest when None."""
        ...

    def rollup(self, window: Window) -> RollupArray:
        """Return one row for each account with a request in the window."""
        ...

    def shared_keys(self, query: SharedQuery) -> KeyArray:
        """Return the keys that the asked number of holders carried in the window."""
        ...

    def popularity(self, kind: str, keys: KeyList, window: Window) -> KeyArray:
        """Return the counts for these keys, whoever carried them; keys never carried are left out."""
        ...

    def carriers(self, kind: str, keys: KeyList, window: Window) -> CarrierArray:
        """Return who carried these keys in the window, one row a (key, account)."""
        ...

    def events(self, accounts: KeyList, window: Window) -> EventArray:
        """Return these accounts' events in the window, ordered by (time, account, event_id)."""
        ...


class Journal(EventSource, Protocol):
    """A store that can also be written to."""

    def ingest(self, digest: str, batches: Iterable[EventArray], source: str) -> int:
        """Keep the events of one source, whole or not at all; return how many were new."""
        ...

    def ingested(self, digest: str) -> bool:
        """Return whether a source with this digest was kept whole."""
        ...

    def retain(self, keep_seconds: float, now: float) -> int:
        """Drop what is older than `keep_seconds` before `now`; return how many events went."""
        ...

    def put_names(self, epoch: int, mapping: Mapping[int, str]) -> None:
        """Keep the names of accounts, apart from their events."""
        ...

    def names(self, accounts: Sequence[int] | KeyList) -> dict[int, str]:
        """Return the names that are known of these account hashes."""
        ...

    def drop_names(self) -> None:
        """Forget every name; the events stay."""
        ...

    def forget_names(self, accounts: Sequence[int] | KeyList) -> None:
        """Forget the names of these account hashes; the events stay."""
        ...

    def close(self) -> None:
        """Let go of the folder or the connection; twice does no harm."""
        ...


class Ledger(Protocol):
    """A log that can only be added to, in which others can be shown what was there when."""

    def append(self, kind: str, payload: Mapping[str, object]) -> int:
        """Log one thing and return its index, from 0; on disk when the call returns.

        Args:
            kind: Lower-case words with dots, such as `vault.read`; shown to whoever is shown the log.
            payload: What `terms.canon` takes; only a salted digest of it is shown until it is opened. No prompt, no
                answer, no secret.

        Raises:
            StillwatchError: the ledger cannot be written, or what stands in it was altered.
        """
        ...
