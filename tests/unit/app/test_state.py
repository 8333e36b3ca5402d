"""The master key is made once, whole, and for its owner; a damaged one is never replaced."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stillwatch.app.state import KEY_BYTES, master_key
from stillwatch.terms.errors import StillwatchError


def test_the_key_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    key = master_key(state)
    assert len(key) == KEY_BYTES and master_key(state) == key
    assert (state / "master.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in state.iterdir()] == ["master.key"]


def test_two_states_have_two_keys(tmp_path: Path) -> None:
    assert master_key(tmp_path / "a") != master_key(tmp_path / "b")


def test_first_runs_at_the_same_time_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: master_key(tmp_path / "state"), range(64)))) == 1


@pytest.mark.parametrize("damage", [b"", b"x" * (KEY_BYTES - 1), b"x" * (KEY_BYTES + 1)])
def test_a_damaged_key_is_refused_and_left_as_it_is(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "master.key").write_bytes(damage)
    with pytest.raises(StillwatchError, match="Restore"):
        master_key(tmp_path)
    assert (tmp_path / "master.key").read_bytes() == damage


def test_a_state_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StillwatchError, match="--state"):
        master_key(tmp_path / "state")
