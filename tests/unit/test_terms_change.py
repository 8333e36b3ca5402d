"""A change of a database is kept whole or not at all, and a failure leaves nothing open."""

import sqlite3

import pytest

from stillwatch.terms.change import one_change


@pytest.fixture
def db() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("PRAGMA foreign_keys = ON")
    made.execute("CREATE TABLE a (id INTEGER PRIMARY KEY)")
    made.execute("CREATE TABLE b (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)")
    return made


def rows(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)").fetchone()[0])


def test_what_fails_within_is_taken_back(db: sqlite3.Connection) -> None:
    with pytest.raises(KeyboardInterrupt), one_change(db):
        db.execute("INSERT INTO a VALUES (1)")
        raise KeyboardInterrupt
    assert rows(db) == 0 and not db.in_transaction


def test_what_cannot_be_kept_is_taken_back_and_the_next_change_is_made(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError), one_change(db):
        db.execute("INSERT INTO b VALUES (7)")  # told when it is to be kept, not before
    assert rows(db) == 0 and not db.in_transaction
    with one_change(db):
        db.execute("INSERT INTO a VALUES (7)")
    assert rows(db) == 1
