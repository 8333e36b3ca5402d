"""Whole: a hub, a notary, pages and what was told to others are in a backup; what must not be copied is not."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stillwatch.app.backup import BackupRequest, back_up
from stillwatch.app.bundle import Manifest
from stillwatch.app.coalitionhub import member_secret, open_hub
from stillwatch.app.coalitionmember import open_received
from stillwatch.app.coalitionmembers import NewMember, add_member
from stillwatch.app.control import key_secret, open_control
from stillwatch.app.hubconfig import HubConfig
from stillwatch.app.keys import NewKey, create_key
from stillwatch.app.ledger import make_ledger
from stillwatch.app.notary import make_notary, notary_keys, open_members
from stillwatch.app.restore import Restored, RestoreRequest, restore
from stillwatch.app.trailledger import commit_trail, contradicted, restores
from stillwatch.exchange.notary.keyroom import KeyRoom
from stillwatch.store.databasecopy import copy_database, is_open_elsewhere
from stillwatch.store.pageindex import PageIndex
from stillwatch.store.people import People
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.person import Person
from tests.e2e.command_line import Place

NOW = 1.79e9


def taken(state: Path, target: Path) -> Manifest:
    return back_up(BackupRequest(state=state, target=target, now=NOW))


def put(target: Path, state: Path, *, replace: bool = False) -> Restored:
    return restore(RestoreRequest(source=target, state=state, replace=replace, now=NOW + 1))


@pytest.mark.parametrize("name", ["b", "b.tar"])
def test_a_hub_is_taken_whole_while_it_runs_and_members_are_known_again(name: str, tmp_path: Path) -> None:
    state = tmp_path / "hub"
    hub = open_hub(HubConfig(), state)
    with hub.file:
        new = NewMember(name="acme", organisation="Acme Ltd", verified="papers", certificate=None, expires=None,
                        collections=(), read=True, write=True)  # fmt: skip
        add_member(hub, member_secret(state), new, NOW)
        before = hub.register.members()
        made = taken(state, tmp_path / name)
    assert made.counts["members of the hub"] == 1 and made.counts["objects of the hub"] >= 1
    put(tmp_path / name, tmp_path / "new")
    again = open_hub(HubConfig(), tmp_path / "new", new=False)
    with again.file:
        assert again.register.members() == before and member_secret(tmp_path / "new") == member_secret(state)


def test_nothing_is_put_back_under_a_hub_that_runs(tmp_path: Path) -> None:
    state = tmp_path / "hub"
    hub = open_hub(HubConfig(), state)
    with hub.file:
        taken(state, tmp_path / "b")
        with pytest.raises(StillwatchError, match=r"a process still uses hub\.sqlite; stop it"):
            put(tmp_path / "b", state, replace=True)
    assert put(tmp_path / "b", state, replace=True).aside is not None


def test_a_notarys_identity_and_members_are_taken_and_no_key_of_an_epoch_ever(tmp_path: Path) -> None:
    state = tmp_path / "notary"
    make_notary(state, NOW)
    with closing(open_members(state)) as members:
        key = members.add("acme", 1000, NOW)
        made = taken(state, tmp_path / "b")
    assert set(made.files) == {"identity.key", "members.sqlite"} and made.counts == {"members of the notary": 1}
    seeds = {path.read_bytes() for path in state.glob("epoch-*.seed")}
    copied = b"".join(path.read_bytes() for path in (tmp_path / "b").rglob("*") if path.is_file())
    assert seeds and not any(seed in copied for seed in seeds)
    put(tmp_path / "b", tmp_path / "new")
    KeyRoom.open(tmp_path / "new").turn(NOW)
    assert notary_keys(tmp_path / "new", NOW).identity == notary_keys(state, NOW).identity
    with closing(open_members(tmp_path / "new", new=False)) as members:
        assert members.find(key) is not None
    aside = put(tmp_path / "b", state, replace=True).aside
    assert aside is not None and not list(aside.glob("epoch-*")), "moved aside it would outlive its epoch"
    assert {path.read_bytes() for path in state.glob("epoch-*.seed")} == seeds


def gateway(folder: Path) -> Path:
    with open_control(folder) as book:
        create_key(book, key_secret(folder), NewKey(account="acme"), 1.0)
    return folder


def test_what_was_told_to_others_is_taken_and_what_they_told_is_not(tmp_path: Path) -> None:
    state = gateway(tmp_path / "state")
    with closing(open_received(state)) as received:
        received.put_own([{"id": "campaign--1", "type": "campaign"}], "C-1", "ada", NOW)
        heard = {"type": "campaign", "spec_version": "2.1", "id": "campaign--0a5b2a0e-95a5-4b3c-9a5e-0f7f7f6f8b11",
                 "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
                 "name": "heard"}  # fmt: skip
        assert received.take("hub", "warnings", [heard], "2026-01-01T00:00:00Z") == 1
        made = taken(state, tmp_path / "b")
    assert made.counts["objects told to a hub"] == 1
    assert b"heard" not in (tmp_path / "b" / "coalition.sqlite").read_bytes()
    put(tmp_path / "b", tmp_path / "new")
    with closing(open_received(tmp_path / "new")) as received:
        assert received.own("C-1") == [("C-1", {"id": "campaign--1", "type": "campaign"})]
        assert received.objects() == [] and received.place("hub", "warnings") == "", "it is pulled from the beginning"


def test_what_was_told_since_the_backup_is_not_forgotten_by_going_back(tmp_path: Path) -> None:
    state = gateway(tmp_path / "state")
    with closing(open_received(state)) as received:
        taken(state, tmp_path / "b")
        received.put_own([{"id": "campaign--2", "type": "campaign"}], "C-2", "ada", NOW)
    put(tmp_path / "b", state, replace=True)
    with closing(open_received(state)) as received:
        assert received.own("C-2")


def test_pages_come_back_with_their_history(tmp_path: Path) -> None:
    state = gateway(tmp_path / "state")
    (state / "live").mkdir(exist_ok=True)
    with closing(PageIndex(state / "live" / "pages.sqlite")):
        pass
    with closing(sqlite3.connect(state / "live" / "pages.sqlite")) as db:
        db.execute("INSERT INTO history VALUES ('account', 'acme', 1.0, 2.5, 9.0, 0)")
        db.commit()
    taken(state, tmp_path / "b.tar")
    put(tmp_path / "b.tar", tmp_path / "new")
    with closing(PageIndex(tmp_path / "new" / "live" / "pages.sqlite")) as pages:
        assert pages.history("account", "acme") == [(1.0, 2.5, 9.0, False)]


def test_people_and_the_trail_come_back_without_sessions_and_the_trail_says_so(tmp_path: Path) -> None:
    state = gateway(tmp_path / "state")
    with open_control(state) as book:
        people = People(book)
        people.add(Person(name="ada", role="admin", created=NOW), "")
        people.begin_session("secret", "ada", "c", NOW, NOW + 3600)
        head = people.trail_head()
    taken(state, tmp_path / "b")
    put(tmp_path / "b", tmp_path / "new")
    with open_control(tmp_path / "new") as book:
        people = People(book)
        assert [p.name for p in people.everyone()] == ["ada"]
        assert people.session("secret", NOW, 600.0) is None, "who was signed out since must not be let in again"
        newest = people.trail(limit=1)[0]
        assert newest.what == "restored from a backup" and newest.before == head[1] and people.trail_broken() is None


def test_a_trail_that_was_put_back_is_told_in_the_ledger_and_one_made_anew_is_still_found(tmp_path: Path) -> None:
    state = gateway(tmp_path / "state")
    make_ledger(state)
    with open_control(state) as book:
        commit_trail(People(book), state)
    taken(state, tmp_path / "b")
    with open_control(state) as book:
        create_key(book, key_secret(state), NewKey(account="later"), 2.0)
        later = commit_trail(People(book), state)
    assert later is not None
    put(tmp_path / "b", state, replace=True)
    back = restores(state)
    assert len(back) == 1 and back[0] > later
    checked = Place(tmp_path).run_here("console", "audit", "--check", "--state", str(state))
    assert checked.exit_code == 0 and f"put back from a backup at entry {back[0]} of the ledger" in checked.stdout
    with open_control(state) as book:
        assert contradicted(People(book), state) is None
        copy_to_roll_back = tmp_path / "rolled.sqlite"
        book.copy_to(copy_to_roll_back)
        create_key(book, key_secret(state), NewKey(account="after"), 3.0)
        told = commit_trail(People(book), state)
    (state / "control.sqlite").write_bytes(copy_to_roll_back.read_bytes())
    with open_control(state) as book:
        assert contradicted(People(book), state) == told, "a file that is put back by hand is a contradiction"


def test_a_copy_is_whole_while_others_write_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE t (a INTEGER)")
        writer.execute("BEGIN")
        writer.execute("INSERT INTO t VALUES (1)")
        copy_database(path, tmp_path / "copy.sqlite")
        assert is_open_elsewhere(path)
        writer.execute("COMMIT")
    assert not is_open_elsewhere(path)
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as copy:
        assert copy.execute("SELECT count(*) FROM t").fetchone() == (0,), "what was not committed is not there"
    assert (tmp_path / "copy.sqlite").stat().st_mode & 0o077 == 0
    path.write_bytes(b"no database" * 500)
    with pytest.raises(StillwatchError, match="must be a whole database"):
        copy_database(path, tmp_path / "other.sqlite")
    assert not is_open_elsewhere(path)
