"""A store that another process owns, asked over the socket in its folder.

In: the same calls as `clickhouse.Store`. Out: the same answers.
Cost: one copy of each array on each side. Left to `serve`: answering.
"""

import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.store.pieces import pieces
from stillwatch.store.schema import layout
from stillwatch.store.wire import Array, address, receive, send
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import CarrierArray, KeyArray, KeyList, RollupArray, SharedQuery, Span, Window

_NAMES_AT_ONCE: Final = 10_000


class RemoteStore:
    """A client of the process that owns `folder`. Methods may be called from any thread, one at a time."""

    def __init__(self, folder: Path, answer_seconds: float = 600.0) -> None:
        """Connect to the owner.

        Args:
            folder: The store's folder.
            answer_seconds: How long to wait for one answer, seconds, above 0.

        Raises:
            OSError: nobody answers there.
        """
        self._folder = folder
        self._turn = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(answer_seconds)
        try:
            with address(folder) as name:
                self._socket.connect(name)
        except BaseException:
            self._socket.close()
            raise

    def epochs(self) -> tuple[int, ...]:
        """Return the key epochs that hold events, ascending."""
        return tuple(self._value("epochs"))

    def span(self, epoch: int | None = None) -> Span:
        """Return what is held of `epoch`; of the newest when None."""
        return Span(**self._value("span", epoch=epoch))

    def rollup(self, window: Window) -> RollupArray:
        """Return one row for each account with a request in the window."""
        return self._array("rollup", window=asdict(window))

    def shared_keys(self, query: SharedQuery) -> KeyArray:
        """Return the keys that the asked number of holders carried in the window."""
        return self._array("shared_keys", query=asdict(query))

    def popularity(self, kind: str, keys: KeyList, window: Window) -> KeyArray:
        """Return the counts for these keys, whoever carried them; keys never carried are left out."""
        return self._array("popularity", _hashes(keys), kind=kind, window=asdict(window))

    def carriers(self, kind: str, keys: KeyList, window: Window) -> CarrierArray:
        """Return who carried these keys in the window, one row a (key, account)."""
        return self._array("carriers", _hashes(keys), kind=kind, window=asdict(window))

    def events(self, accounts: KeyList, window: Window) -> EventArray:
        """Return these accounts' events in the window, ordered by (time, account, event_id)."""
        return self._array("events", _hashes(accounts), window=asdict(window))

    def ingested(self, digest: str) -> bool:
        """Return whether a source with this digest was kept whole."""
        return bool(self._value("ingested", digest=digest))

    def ingest(self, digest: str, batches: Iterable[EventArray], source: str) -> int:
        """Keep the events of one source, whole or not at all; return how many were new.

        The owner asks for one piece after the other. If this process or `batches` fails, the owner
        forgets what it was sent.
        """
        with self._turn:
            reply, _ = self._exchange({"op": "ingest", "digest": digest, "source": source})
            try:
                for piece in pieces(batches) if "next" in reply else ():
                    reply, _ = self._exchange({"more": True}, piece)
                while "next" in reply:
                    reply, _ = self._exchange({"more": False})
            except BaseException:
                self._socket.close()  # the owner takes a lost connection for a failed source
                raise
        return int(reply["value"])

    def retain(self, keep_seconds: float, now: float) -> int:
        """Drop what is older than `keep_seconds` before `now`; return how many events went."""
        return int(self._value("retain", keep_seconds=keep_seconds, now=now))

    def put_names(self, epoch: int, mapping: Mapping[int, str]) -> None:
        """Keep the names of accounts, apart from their events."""
        pairs = [[int(account), name] for account, name in mapping.items()]
        for start in range(0, len(pairs), _NAMES_AT_ONCE):
            self._value("put_names", epoch=epoch, pairs=pairs[start : start + _NAMES_AT_ONCE])

    def names(self, accounts: Sequence[int] | KeyList) -> dict[int, str]:
        """Return the names that are known of these account hashes."""
        asked = np.unique(_hashes(accounts))
        found: dict[int, str] = {}
        for start in range(0, len(asked), _NAMES_AT_ONCE):
            with self._turn:
                reply, _ = self._exchange({"op": "names"}, asked[start : start + _NAMES_AT_ONCE])
            found.update((account, name) for account, name in reply["value"])
        return found

    def drop_names(self) -> None:
        """Forget every name; the events stay."""
        self._value("drop_names")

    def forget_names(self, accounts: Sequence[int] | KeyList) -> None:
        """Forget the names of these account hashes; the events stay."""
        with self._turn:
            self._exchange({"op": "forget_names"}, _hashes(accounts))

    def close(self) -> None:
        """End the connection; the owner keeps the store. Twice does no harm."""
        self._socket.close()

    def _value(self, op: str, **arguments: Any) -> Any:
        with self._turn:
            return self._exchange({"op": op, **arguments})[0].get("value")

    def _array(self, op: str, keys: Array | None = None, **arguments: Any) -> Array:
        with self._turn:
            reply, array = self._exchange({"op": op, **arguments}, keys)
        if array is None:
            raise StillwatchError(f"store {self._folder}: its owner answered {op} without an array ({sorted(reply)}).")
        return array

    def _exchange(self, header: dict[str, Any], array: Array | None = None) -> tuple[dict[str, Any], Array | None]:
        try:
            send(self._socket, {"layout": layout(), **header}, array)
            reply, answer = receive(self._socket)
        except (OSError, EOFError) as error:
            self._socket.close()
            raise StillwatchError(
                f"store {self._folder}: the process that owns it went away before it answered "
                f"({type(error).__name__}).\nRun the command again; it opens the folder itself if nobody owns it."
            ) from None
        if "error" in reply:
            raise StillwatchError(str(reply["error"]))
        return reply, answer


def _hashes(keys: Sequence[int] | KeyList) -> KeyList:
    return np.asarray(keys, np.uint64)
