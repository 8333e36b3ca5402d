"""The spool's key is random, the owner's alone, and in memory where there is such a place."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.app import spoolkey
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.spoolkey import spool_key
from stillwatch.terms.errors import StillwatchError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveFolder]:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    made = LiveFolder(tmp_path / "state").made()
    yield made
    shutil.rmtree(Path("/dev/shm") / f"stillwatch-{made.name()}", ignore_errors=True)


def test_the_key_is_made_once_and_is_the_owners_alone(folder: LiveFolder) -> None:
    first = spool_key(folder)
    assert spool_key(folder) == first and len(first.key) == 32
    assert first.path.stat().st_mode & 0o077 == 0
    assert first.path.parent.stat().st_mode & 0o077 == 0
    assert first.key.hex() not in repr(first) and str(first.key) not in repr(first)


def test_it_is_not_below_the_state_folder_where_there_is_memory(folder: LiveFolder) -> None:
    key = spool_key(folder)
    if not key.in_memory:
        pytest.skip("this system has no memory file system")
    assert not key.path.is_relative_to(folder.state)
    disk = b"".join(path.read_bytes() for path in folder.state.rglob("*") if path.is_file())
    assert key.key not in disk


def test_two_state_folders_have_two_keys(folder: LiveFolder, tmp_path: Path) -> None:
    other = LiveFolder(tmp_path / "other").made()
    try:
        assert spool_key(folder).key != spool_key(other).key
    finally:
        shutil.rmtree(Path("/dev/shm") / f"stillwatch-{other.name()}", ignore_errors=True)


def test_without_a_memory_file_system_it_says_so(folder: LiveFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoolkey, "_in_memory", lambda _: False)
    key = spool_key(folder)
    assert not key.in_memory and key.path == folder.run / "spool.key"


def test_a_runtime_folder_on_disk_is_not_taken_for_memory(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spoolkey, "_MOUNTS", tmp_path / "mounts")
        (tmp_path / "mounts").write_text(f"disk / ext4 rw 0 0\ntmpfs {tmp_path}/shm tmpfs rw 0 0\n")
        (tmp_path / "shm").mkdir()
        assert spoolkey._in_memory(tmp_path / "shm")
        assert not spoolkey._in_memory(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_somebody_else_prepared_is_not_used(folder: LiveFolder) -> None:
    trap = Path("/dev/shm") / f"stillwatch-{folder.name()}"
    trap.mkdir()
    os.chown(trap, 12345, 12345)
    assert spool_key(folder).path == folder.run / "spool.key"


def test_a_damaged_key_is_refused(folder: LiveFolder) -> None:
    spool_key(folder).path.write_bytes(b"short")
    with pytest.raises(StillwatchError, match="5 bytes; must be 32"):
        spool_key(folder)
