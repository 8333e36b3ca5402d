import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stillwatch.ledger.logfile import ENTRIES, OPENINGS, LogFile
from stillwatch.terms.canon import sha256
from stillwatch.terms.errors import StillwatchError


def log(folder: Path) -> LogFile:
    folder.mkdir(exist_ok=True)
    return LogFile(folder, lambda: 1_780_000_000.0)


def _adds(folder: Path, name: str, times: int) -> None:
    for n in range(times):
        log(folder).add("x", {"of": name, "n": n})


def test_entries_come_back_in_their_order_and_say_what_they_are_about(tmp_path: Path) -> None:
    one = log(tmp_path / "log")
    assert [one.add("a.b", {"n": n}, count=n) for n in range(3)] == [0, 1, 2]
    openings = one.openings()
    assert [(e.kind, e.count, openings[e.body].payload) for e in one.entries()] == [
        ("a.b", n, {"n": n}) for n in range(3)
    ]


def test_an_entry_does_not_tell_its_payload(tmp_path: Path) -> None:
    one = log(tmp_path / "log")
    one.add("decide.confirm", {"subject": "acme"})
    one.add("decide.confirm", {"subject": "acme"})
    first, second = one.entries()
    assert b"acme" not in b"".join(one.leaves())
    assert first.body != second.body, "the same payload twice must not look the same"


def test_a_line_cut_short_is_as_if_it_had_never_been(tmp_path: Path) -> None:
    one = log(tmp_path / "log")
    one.add("a", {"n": 1})
    whole = (one.folder / ENTRIES).read_bytes()
    one.add("a", {"n": 2})
    both = (one.folder / ENTRIES).read_bytes()
    for end in range(len(whole), len(both)):
        (one.folder / ENTRIES).write_bytes(both[:end])
        assert len(one.leaves()) == 1
    assert one.add("a", {"n": 3}) == 1
    assert [one.openings()[e.body].payload["n"] for e in one.entries()] == [1, 3]


def test_every_changed_byte_of_a_whole_line_is_told(tmp_path: Path) -> None:
    one = log(tmp_path / "log")
    for n in range(2):
        one.add("a", {"n": n})
    content = (one.folder / ENTRIES).read_bytes()
    leaves = one.leaves()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        (one.folder / ENTRIES).write_bytes(changed)
        if at == len(content) - 1:  # the last line feed: the line is then one cut short
            assert one.leaves() == leaves[:1]
            continue
        with pytest.raises(StillwatchError, match="altered"):
            one.leaves()
        with pytest.raises(StillwatchError, match="altered"):
            one.add("a", {"n": 3})


def test_writers_take_turns_and_none_loses_an_entry(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    log(folder)
    many = [multiprocessing.get_context("fork").Process(target=_adds, args=(folder, str(k), 12)) for k in range(4)]
    for process in many:
        process.start()
    for process in many:
        process.join()
    one = log(folder)
    said = [one.openings()[e.body].payload for e in one.entries()]
    assert sorted((s["of"], s["n"]) for s in said) == [(str(k), n) for k in range(4) for n in range(12)]


def test_what_was_acknowledged_outlives_a_killed_writer(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    log(folder)
    script = (
        "import sys\nfrom pathlib import Path\nfrom stillwatch.ledger.logfile import LogFile\n"
        "log, n = LogFile(Path(sys.argv[1]), lambda: 0.0), 0\n"
        "while True:\n    at = log.add('x', {'pad': 'p' * 3000, 'n': n})\n    print(at, flush=True)\n    n += 1\n"
    )
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
        time.sleep(0.6)
        os.kill(process.pid, signal.SIGKILL)
        told = [int(line) for line in process.communicate()[0].split("\n") if line]
        one = log(folder)
        entries, openings = one.entries(), one.openings()
        assert not told or len(entries) > told[-1]
        assert all(entry.body in openings for entry in entries)
        one.add("after", {})


def test_what_an_entry_is_about_can_be_forgotten_and_the_log_holds(tmp_path: Path) -> None:
    one = log(tmp_path / "log")
    for name in ("acme", "globex"):
        one.add("decide.confirm", {"subject": name})
    before, first = one.leaves(), one.entries()[0]
    assert one.forget(first.body) and not one.forget(first.body)
    assert one.leaves() == before
    assert b"acme" not in (one.folder / OPENINGS).read_bytes()
    assert [o.payload["subject"] for o in one.openings().values()] == ["globex"]


def test_files_are_of_their_owner_alone(tmp_path: Path) -> None:
    one = log(tmp_path / "log")
    one.add("a", {})
    assert all((one.folder / name).stat().st_mode & 0o077 == 0 for name in (ENTRIES, OPENINGS, "ledger.lock"))


def test_lines_are_json_that_other_programs_read(tmp_path: Path) -> None:
    one = log(tmp_path / "log")
    one.add("a", {"words": "Grüße"})
    tag, _, said = (one.folder / ENTRIES).read_bytes().strip().partition(b" ")
    assert tag.decode() == sha256(said)[:16]
    assert json.loads(said)["kind"] == "a"
