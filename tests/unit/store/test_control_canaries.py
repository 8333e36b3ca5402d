"""The registry of canaries: fixed once kept, in files of every age, and in every copy."""

import sqlite3
from pathlib import Path

import pytest

from stillwatch.store.control import SqliteControl
from stillwatch.store.controlschema import APPLICATION_ID, MIGRATIONS
from tests.planted_canaries import records


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM canaries", "UPDATE canaries SET commitment = nonce || nonce", "UPDATE canaries SET made = 0",
     "UPDATE canaries SET nonce = 'ffffffffffffffffffffffffffffffff'", "UPDATE canaries SET accounts = '[\"b\"]'",
     "UPDATE canaries SET template = 'name-cook'", "UPDATE canaries SET retired = NULL WHERE retired IS NOT NULL"],
)  # fmt: skip
def test_nobody_can_change_a_commitment_or_anything_it_rests_on_even_around_the_api(
    statement: str, tmp_path: Path
) -> None:
    path = tmp_path / "control.sqlite"
    with SqliteControl(path) as book:
        for one in records(count=2):
            book.add_canary(one)
        book.retire_canary(one.id, 5.0, "ada")
        before = book.canaries()
        raw = sqlite3.connect(path)
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(statement)
        raw.close()
        assert book.canaries() == before


def test_a_file_of_the_first_version_gets_its_registry_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "control.sqlite"
    raw = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        raw.execute(statement)
    raw.execute("INSERT INTO accounts VALUES ('a', '', '', '', '', 0, '', 0, '[]')")
    raw.execute("PRAGMA user_version = 1")
    raw.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    raw.commit()
    raw.close()
    with SqliteControl(path) as book:
        assert [record.account for record in book.accounts()] == ["a"] and book.canaries() == ()
        book.add_canary(records(count=1)[0])
    with SqliteControl(path) as book:
        assert book.canaries() == records(count=1)


def test_the_registry_holds_no_value_and_goes_into_every_copy(tmp_path: Path) -> None:
    kept = records(subject="a1")
    with SqliteControl(tmp_path / "control.sqlite") as book:
        with book.changing():
            for one in kept:
                book.add_canary(one)
        book.copy_to(tmp_path / "copy.sqlite")
    with SqliteControl(tmp_path / "copy.sqlite") as copy:
        assert copy.canaries() == kept
    raw = (tmp_path / "copy.sqlite").read_bytes()
    assert b"name-baker" in raw and all(name not in raw for name in (b"Mira", b"Paloma", b"Caspar", b"hearts"))
