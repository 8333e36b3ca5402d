"""Many processes, one owner: the owner answers on a socket in the store's folder.

In: a `Store` and its folder. Out: a socket readable by its user alone, and `connect`, which gives
every command a store: its own where the folder is free, else the owner's over that socket.
Cost: one thread a connection. Left to `wire`: the bytes; to `remote`: the asking side.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.store.clickhouse import Store
from stillwatch.store.engine import Caps
from stillwatch.store.remote import RemoteStore
from stillwatch.store.schema import layout
from stillwatch.store.wire import Array, address, receive, send
from stillwatch.terms.errors import StillwatchError, StoreBusy
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import SharedQuery, Window

_POLL_SECONDS: Final = 0.25

Reply = tuple[Any, Array | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """How the owner treats those who ask."""

    max_connections: int = 16
    """Processes answered at a time; more wait."""
    silence_seconds: float = 60.0
    """How long a connection may say nothing, in an ingest too; then it is closed and forgotten."""


def connect(folder: Path, *, patience_seconds: float = 2.0, caps: Caps | None = None) -> Store | RemoteStore:
    """Return the store in `folder`: opened here if it is free, else its owner's.

    Args:
        folder: Where the store is, or will be made.
        patience_seconds: How long to try while an owner starts or ends, seconds.
        caps: What one query may use, where the store is opened here.

    Raises:
        StoreBusy: another process owns the folder and answers to nobody.
        StillwatchError: the folder holds events of another version.
    """
    give_up = time.monotonic() + patience_seconds
    while True:
        try:
            return Store.open(folder, caps)
        except StoreBusy:
            with contextlib.suppress(OSError):
                return RemoteStore(folder)
            if time.monotonic() >= give_up:
                raise
        time.sleep(min(0.05, patience_seconds))


class StoreServer:
    """Answers other processes for the owner of a store, until closed; use it with `with`.

    Close it before the store.
    """

    def __init__(self, store: Store, folder: Path, config: ServeConfig | None = None) -> None:
        self._store = store
        self._folder = folder
        self._config = config or ServeConfig()
        self._places = threading.Semaphore(self._config.max_connections)
        self._stopping = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._listener = _listen(folder)
        self._accepting = threading.Thread(target=self._accept, name="store-accept", daemon=True)
        self._accepting.start()

    def __enter__(self) -> "StoreServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering: connections end, what they were sending is forgotten. Twice does no harm."""
        self._stopping.set()
        self._accepting.join()
        self._listener.close()
        for thread, connection in list(self._connections.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()
        with contextlib.suppress(FileNotFoundError), address(self._folder) as name:
            os.unlink(name)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            if not self._places.acquire(timeout=_POLL_SECONDS):
                continue
            try:
                connection, _ = self._listener.accept()
            except OSError:  # nobody came within the poll, or the caller was gone again
                self._places.release()
                continue
            connection.settimeout(self._config.silence_seconds)
            thread = threading.Thread(target=self._converse, args=(connection,), name="store-answer", daemon=True)
            self._connections[thread] = connection
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            while not self._stopping.is_set():
                header, array = receive(connection)
                try:
                    value, answer = self._answer(connection, header, array)
                except StillwatchError as error:
                    send(connection, {"error": str(error)})
                else:
                    send(connection, {"value": value}, answer)
        except (OSError, EOFError, StillwatchError):
            pass  # the other side went, fell silent or does not speak this version: let it go
        finally:
            connection.close()
            self._connections.pop(threading.current_thread(), None)
            self._places.release()

    def _answer(self, connection: socket.socket, header: dict[str, Any], array: Array | None) -> Reply:
        asked = header.get("op")
        if header.get("layout") != layout():
            raise StillwatchError("store socket: the owner runs another version; use the same version on both sides.")
        if asked == "ingest":
            digest, source = header.get("digest"), header.get("source")
            if not isinstance(digest, str) or not isinstance(source, str):
                raise StillwatchError("store socket: ingest without a digest or without a source.")
            return self._store.ingest(digest, _batches(connection), source), None
        if asked not in ANSWERS:
            raise StillwatchError(f"store socket: {asked!r} is no question; must be one of {', '.join(ANSWERS)}.")
        keys = np.zeros(0, np.uint64) if array is None else array
        if keys.dtype != np.uint64 or keys.ndim != 1:
            raise StillwatchError(f"store socket: keys of dtype {keys.dtype}: must be uint64 in one dimension.")
        try:
            return ANSWERS[asked](self._store, header, keys)
        except (KeyError, TypeError, ValueError) as error:
            raise StillwatchError(f"store socket: {asked} with wrong arguments ({type(error).__name__}).") from None


def _listen(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with address(folder) as name:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # left by an owner that was killed: whoever serves holds the folder's lock
        with contextlib.suppress(OSError):
            os.fchmod(listener.fileno(), 0o600)  # on Linux the file is made with this mode, never wider
        listener.bind(name)
        os.chmod(name, 0o600)
    listener.settimeout(_POLL_SECONDS)
    listener.listen()
    return listener


def _batches(connection: socket.socket) -> Iterator[EventArray]:
    """Ask for one batch after the other; a connection that is lost ends the ingest with an error."""
    while True:
        send(connection, {"next": True})
        header, batch = receive(connection)
        if not header.get("more"):
            return
        if batch is None:
            raise StillwatchError("store socket: a batch without events.")
        yield batch


def _window(header: dict[str, Any]) -> Window:
    return Window(**header["window"])


def _query(header: dict[str, Any]) -> SharedQuery:
    given = header["query"]
    return SharedQuery(**{**given, "window": Window(**given["window"]), "kinds": tuple(given["kinds"])})


def _put_names(store: Store, header: dict[str, Any]) -> Reply:
    store.put_names(header["epoch"], dict(header["pairs"]))
    return None, None


def _drop_names(store: Store) -> Reply:
    store.drop_names()
    return None, None


def _forget_names(store: Store, accounts: Array) -> Reply:
    store.forget_names(accounts)
    return None, None


ANSWERS: Final[dict[str, Callable[[Store, dict[str, Any], Array], Reply]]] = {
    "epochs": lambda store, _, __: (store.epochs(), None),
    "span": lambda store, header, _: (asdict(store.span(header["epoch"])), None),
    "rollup": lambda store, header, _: (None, store.rollup(_window(header))),
    "shared_keys": lambda store, header, _: (None, store.shared_keys(_query(header))),
    "popularity": lambda store, header, keys: (None, store.popularity(header["kind"], keys, _window(header))),
    "carriers": lambda store, header, keys: (None, store.carriers(header["kind"], keys, _window(header))),
    "events": lambda store, header, keys: (None, store.events(keys, _window(header))),
    "ingested": lambda store, header, _: (store.ingested(header["digest"]), None),
    "retain": lambda store, header, _: (store.retain(header["keep_seconds"], header["now"]), None),
    "names": lambda store, _, keys: (list(store.names(keys).items()), None),
    "put_names": lambda store, header, _: _put_names(store, header),
    "drop_names": lambda store, _, __: _drop_names(store),
    "forget_names": lambda store, _, accounts: _forget_names(store, accounts),
}
"""Every question but `ingest`, which is a conversation."""
