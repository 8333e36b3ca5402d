"""A backup is whole, private and checked; putting it back loses nothing and overwrites nothing."""

import os
import tarfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from stillwatch.app.backup import BackupRequest, back_up
from stillwatch.app.control import key_secret, open_control
from stillwatch.app.keys import NewKey, create_key
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.restore import RestoreRequest, restore
from stillwatch.app.state import master_key
from stillwatch.app.twinbooks import COINS, PAIRS, Batch, batches
from stillwatch.gateway.published import Published, read_published, write_published
from stillwatch.sketch.keys import KeyRing
from stillwatch.store.clickhouse import Store
from stillwatch.store.serve import StoreServer
from stillwatch.terms.account import Decision, key_digest
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import empty_events
from stillwatch.terms.ports import Window

EPOCHS, N = (230, 231), 300


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with open_control(folder) as book:
        create_key(book, key_secret(folder), NewKey(account="acme"), 1.0)
        book.add_decision(Decision(subject="x", kind="account", accounts=("x",), verb="confirm", by="b", reason="r",
                                   at=1.0, expires=2.0))  # fmt: skip
    write_published(folder / "published.json", Published(generation=4, made_at=1.0, judged_until=2.0))
    return folder


def filled(state: Path) -> None:
    """Put live events of two epochs, with names, into a state."""
    events = empty_events(N)
    events["event_id"], events["time"] = np.arange(N) + 1, 1.79e9 + np.arange(N)
    events["epoch"] = np.where(np.arange(N) % 3, *EPOCHS)
    ring = KeyRing(master_key(state))
    events["account"] = [ring.for_epoch(int(e)).hash("account", f"a{i % 7}") for i, e in enumerate(events["epoch"])]
    events["sketch"]["anchors"] = np.arange(N)[:, None] + np.arange(16)
    store = Store.open(LiveFolder(state).store)
    store.ingest("x", [events], "x")
    for epoch in EPOCHS:
        store.put_names(epoch, {ring.for_epoch(epoch).hash("account", f"a{n}"): f"a{n}" for n in range(7)})
    store.close()


def everything(state: Path) -> dict[int, tuple[bytes, dict[int, str]]]:
    store = Store.open(LiveFolder(state).store)
    try:
        found = {}
        for epoch in store.epochs():
            window = Window(epoch=epoch)
            accounts = store.rollup(window)["account"]
            found[epoch] = store.events(accounts, window).tobytes(), store.names(accounts)
        return found
    finally:
        store.close()


def contents(state: Path) -> tuple[object, ...]:
    with open_control(state, new=False) as book:
        return (book.keys(), book.accounts(), book.decisions(), book.appeals(), master_key(state), key_secret(state),
                read_published(state / "published.json"))  # fmt: skip


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
def test_what_is_put_back_is_what_was_there_and_private(name: str, state: Path, tmp_path: Path) -> None:
    settings, target = tmp_path / "my.toml", tmp_path / name
    settings.write_text("[detect]\nq = 0.1\n")
    before = os.umask(0)
    try:
        made = back_up(BackupRequest(state=state, target=target, config=settings, now=5.0))
        done = restore(RestoreRequest(source=target, state=tmp_path / "new", now=6.0))
    finally:
        os.umask(before)
    assert contents(tmp_path / "new") == contents(state)
    assert (tmp_path / "new" / "settings.toml").read_text() == settings.read_text()
    assert made.counts == {"keys": 1, "accounts": 1, "decisions": 1, "appeals": 0} and done.aside is None
    for top in (target, tmp_path / "new"):
        for path in (top, *top.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0, path
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["state", "new", "my.toml", name]), (
        "nothing is left over"
    )


def test_live_events_and_names_are_taken_along_bit_for_bit(state: Path, tmp_path: Path) -> None:
    filled(state)
    made = back_up(BackupRequest(state=state, target=tmp_path / "b.tar", now=5.0))
    assert made.counts["events"] == N
    done = restore(RestoreRequest(source=tmp_path / "b.tar", state=tmp_path / "new", now=6.0))
    assert done.events == N and everything(tmp_path / "new") == everything(state)


def test_a_backup_is_taken_while_the_store_is_owned_and_restoring_over_it_is_refused(
    state: Path, tmp_path: Path
) -> None:
    filled(state)
    folder = LiveFolder(state).store
    store = Store.open(folder)
    try:
        with StoreServer(store, folder), open_control(state) as book, book.changing():
            assert back_up(BackupRequest(state=state, target=tmp_path / "b", now=5.0)).counts["events"] == N
        with pytest.raises(StillwatchError, match="a process still uses it; stop"):
            restore(RestoreRequest(source=tmp_path / "b", state=state, replace=True, now=6.0))
    finally:
        store.close()
    contents(state)


def test_a_state_that_has_a_key_is_not_overwritten_and_never_lost(state: Path, tmp_path: Path) -> None:
    back_up(BackupRequest(state=state, target=tmp_path / "b", now=5.0))
    old = contents(state)
    with open_control(state) as book:
        later = create_key(book, key_secret(state), NewKey(account="later"), 2.0)
    with pytest.raises(StillwatchError, match="has a key of its own.*--replace"):
        restore(RestoreRequest(source=tmp_path / "b", state=state, now=6.0))
    done = restore(RestoreRequest(source=tmp_path / "b", state=state, replace=True, now=6.0))
    assert contents(state) == old and done.aside is not None and done.aside.name.startswith("replaced-1970")
    with open_control(done.aside, new=False) as book:
        assert book.keys()[-1].digest == key_digest(later.key, key_secret(done.aside))


def test_books_of_twins_that_a_ledger_commits_to_are_put_back_where_there_are_none_and_never_set_back(
    state: Path, tmp_path: Path
) -> None:
    (state / "twins").mkdir()
    (state / COINS).write_bytes(b'{"made": 1.0}')
    first = msgspec.json.encode(Batch(1, 1.0, ("aa",))) + b"\n"
    (state / PAIRS).write_bytes(first)
    back_up(BackupRequest(state=state, target=tmp_path / "kept", now=1.0))
    (state / PAIRS).write_bytes(first + msgspec.json.encode(Batch(2, 2.0, ("bb",))) + b"\n")
    key = master_key(state)
    restore(RestoreRequest(source=tmp_path / "kept", state=state, now=3.0, replace=True))
    assert master_key(state) == key and [batch.number for batch in batches(state)] == [1, 2]
    restore(RestoreRequest(source=tmp_path / "kept", state=tmp_path / "new", now=3.0))
    assert [batch.number for batch in batches(tmp_path / "new")] == [1]


def test_a_changed_or_missing_file_is_named_and_nothing_is_put_back(state: Path, tmp_path: Path) -> None:
    for name, damage in (("control.sqlite", b"x"), ("master.key", b"y" * 32), ("published.json", None)):
        target = tmp_path / name
        back_up(BackupRequest(state=state, target=target, now=5.0))
        (target / name).unlink()
        if damage is not None:
            (target / name).write_bytes(damage)
        with pytest.raises(StillwatchError, match=f"{name} is missing or was changed"):
            restore(RestoreRequest(source=target, state=tmp_path / "new", now=6.0))
        assert not (tmp_path / "new").exists()


def test_a_tar_file_that_reaches_out_is_refused(state: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.write_text("x")
    for name in ("../evil", "/evil", "live/../../evil", "master.key/.."):
        with tarfile.open(tmp_path / "evil.tar", "w") as tar:
            tar.add(inner, name)
        with pytest.raises(StillwatchError, match="holds what no backup holds"):
            restore(RestoreRequest(source=tmp_path / "evil.tar", state=tmp_path / "new", now=6.0))
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        link = tarfile.TarInfo("master.key")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(StillwatchError):
        restore(RestoreRequest(source=tmp_path / "evil.tar", state=tmp_path / "new", now=6.0))
    assert not (tmp_path / "new").exists() and not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_what_is_no_backup_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    (tmp_path / "folder").mkdir()
    for source in (tmp_path / "b.tar", tmp_path / "folder"):
        with pytest.raises(StillwatchError, match="take another backup"):
            restore(RestoreRequest(source=source, state=tmp_path / "new", now=6.0))


def test_a_backup_never_overwrites_and_leaves_nothing_half_made(state: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "precious").write_text("x")
    (tmp_path / "there.tar").write_text("x")
    for name in ("there", "there.tar", "there/precious"):
        with pytest.raises(StillwatchError, match="is there already"):
            back_up(BackupRequest(state=state, target=tmp_path / name, now=5.0))
    with pytest.raises(StillwatchError, match="nothing to back up"):
        back_up(BackupRequest(state=tmp_path / "empty", target=tmp_path / "b", now=5.0))
    (state / "control.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(StillwatchError, match="it is damaged"):
        back_up(BackupRequest(state=state, target=tmp_path / "b", now=5.0))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state", "there", "there.tar"]


def test_nothing_is_put_back_under_a_gateway_that_has_just_started(tmp_path: Path, state: Path) -> None:
    back_up(BackupRequest(state=state, target=tmp_path / "b", now=5.0))
    before = (state / "control.sqlite").read_bytes()
    with LiveFolder(state).made().taken(), pytest.raises(StillwatchError, match="uses it; stop"):
        restore(RestoreRequest(source=tmp_path / "b", state=state, replace=True, now=6.0))
    assert (state / "control.sqlite").read_bytes() == before
    assert not list(state.glob("replaced-*"))
