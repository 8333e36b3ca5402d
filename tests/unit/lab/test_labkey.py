"""The key of a run folder: its owner's alone, and never half a key."""

from pathlib import Path

import pytest

from stillwatch.lab.manifest import KEY_FILE, lab_key
from stillwatch.terms.errors import StillwatchError


def test_a_run_folders_key_is_its_owners_alone_and_stays_the_same(tmp_path: Path) -> None:
    key = lab_key(tmp_path)
    assert lab_key(tmp_path) == key
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0


def test_a_key_that_was_never_written_whole_signs_nothing(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"")
    with pytest.raises(StillwatchError, match="must be 32"):
        lab_key(tmp_path)
