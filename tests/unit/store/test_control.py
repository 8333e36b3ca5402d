"""The control file: private, durable, shared by processes, and clear about what ails it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stillwatch
from stillwatch.store.control import SqliteControl
from stillwatch.store.controlschema import MIGRATIONS
from stillwatch.terms.account import AccountRecord, Decision, KeyRecord
from stillwatch.terms.errors import StillwatchError

SOURCE = str(Path(stillwatch.__file__).parents[1])
CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from stillwatch.store.control import SqliteControl
from stillwatch.terms.account import AccountRecord, Decision
from dataclasses import replace

book, who, n = SqliteControl(Path(sys.argv[2]), busy_seconds=60.0), sys.argv[3], int(sys.argv[4])
for step in range(n):
    with book.changing():
        record = next((r for r in book.accounts() if r.account == "shared"), AccountRecord(account="shared"))
        book.put_account(replace(record, workload_tokens=record.workload_tokens + 1))
        made = Decision(subject=who, kind="account", accounts=(who,), verb="confirm", by=who, reason="r", at=1.0,
                        expires=2.0)
        book.add_decision(made)
    print(step, flush=True)
"""


def child(path: Path, who: str, n: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CHILD, SOURCE, str(path), who, str(n)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def decision(who: str = "a") -> Decision:
    return Decision(
        subject=who, kind="account", accounts=(who,), verb="confirm", by="b", reason="r", at=1.0, expires=2.0
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "control.sqlite"


def test_the_file_and_all_beside_it_are_for_the_owner_only(path: Path) -> None:
    before = os.umask(0)
    try:
        with SqliteControl(path) as book:
            book.add_decision(decision())
            modes = {p.name: p.stat().st_mode & 0o777 for p in path.parent.iterdir()}
            book.copy_to(path.parent / "copy.sqlite")
    finally:
        os.umask(before)
    assert len(modes) == 3 and set(modes.values()) == {0o600}
    assert (path.parent / "copy.sqlite").stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_could_read_is_made_private(path: Path) -> None:
    SqliteControl(path).close()
    path.chmod(0o644)
    SqliteControl(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_processes_that_begin_at_once_make_one_file_and_lose_no_change(path: Path) -> None:
    children = [child(path, f"p{number}", 8) for number in range(3)]
    for one in children:
        _, errors = one.communicate(timeout=60)
        assert one.returncode == 0, errors
    with SqliteControl(path) as book:
        assert book.accounts()[0].workload_tokens == 24
        assert [d.id for d in book.decisions()] == list(range(1, 25))
        book.check()


def test_a_process_sees_the_changes_of_another_and_of_its_own(path: Path) -> None:
    with SqliteControl(path) as one, SqliteControl(path) as other:
        seen = [other.generation()]
        one.put_account(AccountRecord(account="a"))
        seen.append(other.generation())
        other.put_account(AccountRecord(account="b"))
        seen.append(other.generation())
        assert len(set(seen)) == 3 and one.generation() == seen[-1]
        assert [r.account for r in one.accounts()] == ["a", "b"]


def test_what_a_call_returned_from_survives_kill_9_and_the_rest_is_whole_or_absent(path: Path) -> None:
    for round_ in range(3):
        with child(path, f"p{round_}", 10_000) as running:
            assert running.stdout is not None
            while int(running.stdout.readline()) < 3 + 4 * round_:
                pass
            running.send_signal(signal.SIGKILL)
            said = [int(line) for line in running.stdout.read().split()]
            assert running.wait(10) == -signal.SIGKILL
        with SqliteControl(path) as book:
            book.check()
            ours = [d for d in book.decisions() if d.subject == f"p{round_}"]
            assert len(ours) >= max([3 + 4 * round_, *said]) + 1
            assert book.accounts()[0].workload_tokens == len(book.decisions()), "a change is whole or absent"


def test_nobody_can_change_or_delete_a_decision_even_around_the_api(path: Path) -> None:
    with SqliteControl(path) as book:
        book.add_decision(decision())
    with sqlite3.connect(path) as raw:
        for statement in ("DELETE FROM decisions", "UPDATE decisions SET verb = 'release'"):
            with pytest.raises(sqlite3.IntegrityError, match="only be added"):
                raw.execute(statement)
    raw.close()


def test_a_change_around_the_api_still_raises_the_generation(path: Path) -> None:
    with SqliteControl(path) as book:
        book.put_account(AccountRecord(account="a"))
        before = book.generation()
        raw = sqlite3.connect(path)
        raw.execute("DELETE FROM accounts")
        raw.commit()
        raw.close()
        assert book.generation() > before and book.accounts() == ()


@pytest.mark.parametrize("content", [b"no database at all" * 500, b"\0" * 8192])
def test_a_file_that_is_no_database_is_named_and_left_alone(content: bytes, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StillwatchError, match="control.sqlite: it is damaged.*stillwatch restore"):
        SqliteControl(path)
    assert path.read_bytes() == content


def test_damage_within_the_file_is_found_and_named(path: Path) -> None:
    with SqliteControl(path) as book:
        for number in range(200):
            book.put_key(KeyRecord(key_id=f"k_{number}", digest=f"{number:064x}", account="a" * 50, created=1.0))
    content = bytearray(path.read_bytes())
    content[8192:20000] = b"\xff" * (20000 - 8192)
    path.write_bytes(bytes(content))
    with SqliteControl(path) as book, pytest.raises(StillwatchError, match="it is damaged.*stillwatch restore"):
        book.check()
        book.keys()


def test_another_programs_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE other (x)")
    raw.close()
    with pytest.raises(StillwatchError, match="another program's"):
        SqliteControl(path)


def test_a_file_of_a_later_version_is_refused(path: Path) -> None:
    SqliteControl(path).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(StillwatchError, match=f"version 99; this release reads up to {len(MIGRATIONS)}"):
        SqliteControl(path)


def test_a_file_that_another_process_holds_for_too_long_is_named_and_nothing_changes(path: Path) -> None:
    with SqliteControl(path, busy_seconds=0.1) as book, SqliteControl(path) as other:
        with other.changing():
            start = time.monotonic()
            with pytest.raises(StillwatchError, match="another process has been writing for too long"):
                book.add_decision(decision())
            assert time.monotonic() - start < 5.0
            assert book.decisions() == (), "reading goes on meanwhile"
        assert book.add_decision(decision()) == 1


def test_a_full_disk_is_named_and_nothing_changes(path: Path) -> None:
    with SqliteControl(path) as book:
        book.put_account(AccountRecord(account="before"))
        pages = book._rows("PRAGMA page_count")[0][0]
        book._rows(f"PRAGMA max_page_count = {pages}")  # as SQLite sees a disk that has no room left
        with pytest.raises(StillwatchError, match="the disk is full and nothing was changed"), book.changing():
            for number in range(2000):
                book.put_account(AccountRecord(account=f"a{number}" * 20))
        assert [r.account for r in book.accounts()] == ["before"]
        book._rows("PRAGMA max_page_count = 1000000")
        book.put_account(AccountRecord(account="after"))


@pytest.mark.skipif(not Path("/dev/full").exists() or os.geteuid() != 0, reason="wants to mount a small disk")
def test_a_disk_that_is_really_full_is_named(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no mounts here")
    try:
        with SqliteControl(small / "control.sqlite") as book:
            book.put_account(AccountRecord(account="before"))
            (small / "filler").write_bytes(b"\0" * 20_000)
            with pytest.raises(StillwatchError, match="full|room|does not read or write"):
                for number in range(2000):
                    book.put_account(AccountRecord(account=f"a{number}" * 20))
            n_before = len(book.accounts())
            (small / "filler").unlink()
            book.put_account(AccountRecord(account="zz after"))
            assert len(book.accounts()) == n_before + 1
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StillwatchError, match="--state"):
        SqliteControl(tmp_path / "file" / "control.sqlite")


def test_a_closed_file_says_so(path: Path) -> None:
    book = SqliteControl(path)
    book.close()
    with pytest.raises(StillwatchError, match="was closed"):
        book.generation()


def test_a_copy_is_consistent_while_another_process_writes(path: Path) -> None:
    with child(path, "writer", 40) as running, SqliteControl(path) as book:
        assert running.stdout is not None
        running.stdout.readline()
        for number in range(3):
            copy = path.parent / f"copy{number}.sqlite"
            book.copy_to(copy)
            with SqliteControl(copy) as copied:
                copied.check()
                assert copied.accounts()[0].workload_tokens == len(copied.decisions()) > 0
        running.communicate(timeout=60)


def test_no_message_repeats_what_a_record_holds(path: Path) -> None:
    with SqliteControl(path) as book:
        book.put_key(KeyRecord(key_id="k_1", digest="a" * 64, account="zqcanary", created=1.0, label="zqcanary"))
        with pytest.raises(StillwatchError) as caught:
            book.put_key(KeyRecord(key_id="k_1", digest="b" * 64, account="zqcanary", created=1.0, label="zqcanary"))
    assert "zqcanary" not in str(caught.value)
