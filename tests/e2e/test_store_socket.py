"""One process owns the folder; the others ask it, and take over when it is gone."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from stillwatch.store.clickhouse import Store
from stillwatch.store.memory import MemoryStore
from stillwatch.store.remote import RemoteStore
from stillwatch.store.serve import ServeConfig, StoreServer, connect
from stillwatch.store.wire import SOCKET_NAME, address, receive, send
from stillwatch.terms.errors import StillwatchError, StoreBusy
from stillwatch.terms.event import EventArray, empty_events
from stillwatch.terms.ports import KEY_KINDS, SharedQuery, Window


def events(seed: int = 0, n: int = 5000) -> EventArray:
    """Return seeded events in which accounts share most things."""
    rng = np.random.default_rng(seed)
    made = empty_events(n)
    made["event_id"], made["epoch"] = rng.permutation(n) + 1 + seed * n, 1
    made["time"] = rng.uniform(0, 2e6, n)
    for name in ("account", "organisation", "payment", "network", "sdk"):
        made[name] = rng.integers(1 if name == "account" else 0, 60, n)
    made["sketch"]["anchors"] = rng.integers(0, 900, n)[:, None] * 16 + np.arange(16)
    made["sketch"]["system_anchors"] = rng.integers(1, 300, n)[:, None] * 8 + np.arange(8)
    made["sketch"]["content"] = rng.integers(1, 1000, n)
    return made


OWNER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_store_socket import events
from stillwatch.store.clickhouse import Store
from stillwatch.store.serve import StoreServer

store = Store.open(Path(sys.argv[1]))
store.ingest("first", [events()], "first")
if sys.argv[3] == "serve":
    StoreServer(store, Path(sys.argv[1]))
print("ready", flush=True)
time.sleep(300)
"""


@contextmanager
def owner(folder: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process that owns `folder`, and serves it if `how` is `serve`."""
    arguments = [sys.executable, "-c", OWNER, str(folder), str(Path(__file__).parent), how]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_another_process_gets_equal_answers_over_the_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40) / "store"  # longer than a socket address may be
    folder.mkdir(parents=True)
    window = Window(epoch=1, start=10.0, block_seconds=3600.0, fold=1)
    query = SharedQuery(window=window, min_accounts=2, max_accounts=40)
    with owner(folder, "serve"):
        store = connect(folder)
        assert isinstance(store, RemoteStore)
        assert stat.S_IMODE((folder / SOCKET_NAME).stat().st_mode) == 0o600
        assert store.ingested("first") and store.ingest("first", [events()], "again") == 0
        batches = [events(1)[:3000], events(1)[3000:], events(0)]
        assert store.ingest("second", batches, "second") == 5000
        fake = MemoryStore(np.concatenate([events(0), events(1)]))
        assert store.epochs() == fake.epochs() and store.span() == fake.span()
        np.testing.assert_array_equal(store.rollup(window), fake.rollup(window))
        keys = fake.shared_keys(query)
        np.testing.assert_array_equal(store.shared_keys(query), keys)
        for kind in KEY_KINDS:
            asked = keys["key"][keys["kind"] == KEY_KINDS.index(kind)]
            np.testing.assert_array_equal(store.carriers(kind, asked, window), fake.carriers(kind, asked, window))
            np.testing.assert_array_equal(store.popularity(kind, asked, window), fake.popularity(kind, asked, window))
        accounts = np.arange(30, dtype=np.uint64)
        assert store.events(accounts, window).tobytes() == fake.events(accounts, window).tobytes()
        store.put_names(1, {3: "three", 2**64 - 1: "last"})
        assert store.names([3, 4, 2**64 - 1]) == {3: "three", 2**64 - 1: "last"}
        store.drop_names()
        assert store.names([3]) == {}
        assert store.retain(0.0, 10e6) == 10_000
        with pytest.raises(StillwatchError, match="unknown"):
            store.carriers("colour", accounts, window)
        assert store.span().n_events == 0
        store.close()


def test_a_killed_owner_leaves_a_folder_that_the_next_command_opens(tmp_path: Path) -> None:
    with owner(tmp_path, "serve") as process:
        remote = connect(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises(StillwatchError, match="went away"):
            remote.span()
        assert (tmp_path / SOCKET_NAME).exists()
        store = connect(tmp_path)
        assert isinstance(store, Store)
        try:
            assert store.span().n_events == 5000
            with StoreServer(store, tmp_path):
                again = connect(tmp_path)
                assert isinstance(again, RemoteStore) and again.span() == store.span()
                again.close()
            assert not (tmp_path / SOCKET_NAME).exists()
        finally:
            store.close()


def test_an_owner_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with owner(tmp_path, "keep silent") as process, pytest.raises(StoreBusy) as busy:
        connect(tmp_path, patience_seconds=0.2)
    assert str(tmp_path) in str(busy.value) and str(process.pid) in str(busy.value)


def test_a_client_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[EventArray]:
        yield events()
        raise RuntimeError("source broke off")

    store = Store.open(tmp_path)
    try:
        with StoreServer(store, tmp_path, ServeConfig(silence_seconds=5.0)):
            remote = RemoteStore(tmp_path)
            with pytest.raises(RuntimeError):
                remote.ingest("broken", broken(), "broken")
            other = RemoteStore(tmp_path)
            assert other.ingest("whole", [events()], "whole") == 5000
            assert not other.ingested("broken") and other.span().n_events == 5000
            other.close()
    finally:
        store.close()


def test_strange_messages_do_not_harm_the_owner(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    try:
        with StoreServer(store, tmp_path):
            for noise in (b"GET / HTTP/1.1\r\n\r\n", b"swj1" + b"\xff" * 8, b"swj1\0\0\0\2\0\0\0\0no", b"swj1\0\0"):
                remote = RemoteStore(tmp_path)
                remote._socket.sendall(noise)
                remote.close()
            remote = RemoteStore(tmp_path)
            for header in ({}, {"op": "rollup"}, {"op": "drop_table"}, {"op": "ingest"}):
                with pytest.raises(StillwatchError):
                    remote._exchange(header)
            with pytest.raises(StillwatchError, match="uint64"):
                remote._exchange({"op": "names"}, np.zeros(3))
            send(remote._socket, {"op": "span", "layout": "another"})
            assert "version" in receive(remote._socket)[0]["error"]
            assert remote.span().n_events == 0
            remote.close()
    finally:
        store.close()


def test_a_second_store_in_one_process_is_refused_in_words(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "one")
    try:
        with pytest.raises(StoreBusy, match="One process holds one store"):
            Store.open(tmp_path / "two")
        with pytest.raises(StoreBusy, match=str(os.getpid())):
            Store.open(tmp_path / "one")
    finally:
        store.close()
    store.close()
    Store.open(tmp_path / "two").close()


def test_the_address_of_a_short_path_is_the_path(tmp_path: Path) -> None:
    with address(Path("/a")) as name:
        assert name == f"/a/{SOCKET_NAME}"
