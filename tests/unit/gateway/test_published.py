"""Published verdicts are read whole or not at all, and of this version only."""

import json
import threading
from pathlib import Path

import pytest

from stillwatch.gateway.published import Published, read_published, write_published
from stillwatch.terms.action import Held
from stillwatch.terms.errors import StillwatchError


def published(generation: int, accounts: int = 3) -> Published:
    held = {
        f"a{n}": Held(account=f"a{n}", log_e=1.5, accused=True, campaign="c-1", families=("content",), since=1.0,
                      effective=2.0, expires=3.0)
        for n in range(accounts)
    }  # fmt: skip
    return Published(generation=generation, made_at=10.0, judged_until=5.0, held=held)


def test_what_was_published_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "published.json"
    write_published(path, published(4))
    assert read_published(path) == published(4)
    assert path.stat().st_mode & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir()] == ["published.json"]


def test_nothing_published_yet_is_no_error(tmp_path: Path) -> None:
    assert read_published(tmp_path / "published.json") == Published()
    assert Published().generation == -1 and not Published().held


def test_another_version_is_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "published.json"
    write_published(path, published(1))
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 2, "held": "of another shape"}))
    with pytest.raises(StillwatchError, match="version 2; must be 1"):
        read_published(path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b'{"version": 1}', b'{"version": 1, "generation": "x"}']
)
def test_damage_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "published.json"
    path.write_bytes(content)
    with pytest.raises(StillwatchError, match="delete it"):
        read_published(path)


def test_a_write_that_fails_leaves_the_old_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "published.json"
    write_published(path, published(1))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stillwatch.gateway.published.os.fsync", full)
    with pytest.raises(OSError):
        write_published(path, published(2))
    assert read_published(path).generation == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path, stop = tmp_path / "published.json", threading.Event()
    write_published(path, published(0, 400))

    def write() -> None:
        for generation in range(1, 60):
            write_published(path, published(generation, 400))
        stop.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = []
    while not stop.is_set():
        found = read_published(path)
        assert len(found.held) == 400
        seen.append(found.generation)
    thread.join()
    assert seen == sorted(seen)
