"""What is held of an account is given out whole; once it is erased nobody can tell its events, with every key left."""

import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stillwatch.app.accountkeys import AccountKeys, held_as
from stillwatch.app.control import open_control
from stillwatch.app.keys import NewKey, create_key
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.livetake import LiveIntake
from stillwatch.app.privacy import Erasure, erase_account, export_account
from stillwatch.app.state import master_key
from stillwatch.app.unmasked import Unmasked, UnmaskedNames
from stillwatch.app.vault import Reader
from stillwatch.gateway.segmentfiles import SpoolConfig
from stillwatch.gateway.segments import closed_segments
from stillwatch.gateway.spool import SpoolWriter
from stillwatch.sketch.address import AddressTable
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.clickhouse import Store
from stillwatch.store.control import SqliteControl
from stillwatch.store.memory import MemoryStore
from stillwatch.terms.account import AccountRecord, Decision
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.exchange import Exchange, Message
from stillwatch.terms.ports import SharedQuery, Window
from tests.served_calls import served_of

SPOOL_KEY = bytes(range(32))
START = 1_767_571_200.0
ACCOUNTS = ("acme", "bolt", "crane")
ERASE = Erasure(account="acme", reader=Reader(by="ann", reason="request 12"))


def calls(first: int, n: int) -> list[Exchange]:
    return [
        Exchange(time=START + i, account=ACCOUNTS[i % 3], key_id=f"k_{ACCOUNTS[i % 3]}", model="m", endpoint="chat",
                 messages=(Message(role="user", text=f"How heavy is stone {i // 3}?"),), answer="Ask it.")
        for i in range(first, first + n)
    ]  # fmt: skip


class Home:
    """A state folder with live traffic of three accounts."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.folder = LiveFolder(state).made()
        self.ring = KeyRing(master_key(state))
        self.book: SqliteControl = open_control(state)

    def take(self, exchanges: list[Exchange]) -> None:
        writer = SpoolWriter(self.folder.spool, SPOOL_KEY, "w0", SpoolConfig(write_seconds=0.0))
        for exchange in exchanges:
            writer.record(served_of(exchange))
        writer.close()
        with_store = Store.open(self.folder.store)
        try:
            reducer = Reducer(self.ring, AddressTable.empty())
            intake = LiveIntake.open(with_store, reducer, self.folder, SPOOL_KEY)
            intake = replace(intake, mask=AccountKeys(self.state, self.ring).mask)
            while paths := closed_segments(self.folder.spool):
                intake.take(paths)
        finally:
            with_store.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    made = Home(tmp_path_factory.mktemp("home") / "state")
    made.take(calls(0, 60))
    yield made
    made.book.close()


def test_a_store_with_masks_reads_as_one_without(home: Home) -> None:
    plain = MemoryStore(Reducer(home.ring, AddressTable.empty()).reduce_all(calls(0, 60)))
    masked = Store.open(home.folder.store)
    try:
        read = Unmasked(masked, home.ring, home.book.account_keys())
        assert read.epochs() == plain.epochs()
        for epoch in plain.epochs():
            window = Window(epoch=epoch)
            assert read.span(epoch) == plain.span(epoch)
            np.testing.assert_array_equal(read.rollup(window), plain.rollup(window))
            accounts = plain.rollup(window)["account"]
            got, wanted = read.events(accounts, window), plain.events(accounts, window)
            unlike = {"latency"}
            for name in set(wanted.dtype.names or ()) - unlike:
                np.testing.assert_array_equal(got[name], wanted[name], err_msg=name)
            query = SharedQuery(window=window, kinds=("content", "head"), min_accounts=2)
            keys = plain.shared_keys(query)
            assert len(keys)
            np.testing.assert_array_equal(read.shared_keys(query), keys)
            for kind in ("content", "head"):
                np.testing.assert_array_equal(
                    read.carriers(kind, keys["key"], window), plain.carriers(kind, keys["key"], window)
                )
            assert not set(masked.rollup(window)["account"].tolist()) & set(accounts.tolist()), "held by mask alone"
        names = UnmaskedNames(masked, home.ring, home.book.account_keys()).names(accounts)
        assert sorted(names.values()) == sorted(ACCOUNTS)
    finally:
        masked.close()


def test_everything_under_a_name_is_given_out_and_no_key(home: Home, tmp_path: Path) -> None:
    home.book.put_account(AccountRecord(account="bolt", payment="tok_1"))
    issued = create_key(home.book, b"s" * 32, NewKey(account="bolt", label="ci"), time.time())
    done = export_account(home.book, home.state, "bolt", tmp_path / "out")
    held = json.loads((tmp_path / "out" / "account.json").read_text())
    assert (held["record"]["payment"], held["keys"][0]["label"]) == ("tok_1", "ci")
    lines = (tmp_path / "out" / "events.jsonl").read_text().splitlines()
    assert len(lines) == done.events >= 20
    everything = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert issued.key not in everything and issued.record.digest not in everything
    assert all(path.stat().st_mode & 0o77 == 0 for path in (tmp_path / "out").iterdir())
    with pytest.raises(StillwatchError, match="new one"):
        export_account(home.book, home.state, "bolt", tmp_path / "out")
    with pytest.raises(StillwatchError, match="nothing is held"):
        export_account(home.book, home.state, "nobody", tmp_path / "other")


def contents(control: Path) -> dict[str, list[str]]:
    """Return every row of every table as text."""
    with sqlite3.connect(control) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: [repr(row) for row in db.execute(f"SELECT * FROM {table}")] for table in tables}


def held_rows(home: Home, hashes: dict[int, tuple[int, ...]]) -> int:
    store = Store.open(home.folder.store)
    try:
        return sum(len(store.events(np.array(h, np.uint64), Window(epoch=e))) for e, h in hashes.items())
    finally:
        store.close()


def test_an_erased_account_cannot_be_told_by_whoever_holds_every_key_that_is_left(home: Home) -> None:
    now = time.time()
    create_key(home.book, b"s" * 32, NewKey(account="acme"), now)
    epochs = (max(1, int(START // 7_776_000)) - 1, int(START // 7_776_000), int(START // 7_776_000) + 1)
    before = {e: held_as(home.state, home.ring.for_epoch(e), "acme") for e in epochs}
    rows = held_rows(home, before)
    assert rows >= 20
    done = erase_account(home.book, home.state, ERASE, now)
    assert any("its own key" in line for line in done.destroyed)
    assert held_rows(home, before) == rows, "events go with their partition"
    after = {e: held_as(home.state, home.ring.for_epoch(e), "acme") for e in epochs}
    assert held_rows(home, after) == 0
    assert not any(key.account == "acme" for key in home.book.keys())
    for table, rows_ in contents(home.state / "control.sqlite").items():
        for row in rows_:
            assert not ("acme" in row and "k_" in row), f"{table} ties the name to a key, whose hash events bear"
            assert table == "trail" or "acme" not in row, f"{table} still has the name"
    store = Store.open(home.folder.store)
    try:
        assert "acme" not in store.names(np.array([h for hs in before.values() for h in hs], np.uint64)).values()
    finally:
        store.close()
    with pytest.raises(StillwatchError, match="nothing is held"):
        erase_account(home.book, home.state, ERASE, now)
    home.take(calls(60, 30))
    again = {e: held_as(home.state, home.ring.for_epoch(e), "acme") for e in epochs}
    assert held_rows(home, again) == 10 * (rows // 20), "whoever comes back is somebody new"
    assert not {h for hs in again.values() for h in hs[1:]} & {h for hs in before.values() for h in hs}


def test_evidence_of_an_open_claim_is_not_erased_by_the_way(home: Home) -> None:
    now = time.time()
    ask = replace(ERASE, account="crane")
    home.book.add_decision(
        Decision(subject="crane", kind="account", accounts=("crane",), verb="confirm", by="bob", reason="seen",
                 at=now - 5, expires=now + 1e6)
    )  # fmt: skip
    with pytest.raises(StillwatchError, match="confirmed a verdict"):
        erase_account(home.book, home.state, ask, now)
    done = erase_account(home.book, home.state, replace(ask, despite=True), now)
    assert any("Decisions" in line for line in done.stays)
