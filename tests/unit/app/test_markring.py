"""Keys of marks: private, never lost by a rotation, seen by running workers, backed up with who was marked."""

import json
import stat
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from stillwatch.app import markring
from stillwatch.app.backup import BackupRequest, back_up
from stillwatch.app.markring import MarkKeys, load_ring, marked_in, new_ring, ring_path, rotate_ring
from stillwatch.app.restore import RestoreRequest, restore
from stillwatch.app.state import master_key
from stillwatch.cli.main import main
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.config import MarkConfig
from stillwatch.treatments.marks.order import read_order
from stillwatch.treatments.marks.signer import Marked

CONFIG = MarkConfig(vocabulary=1024, delta=1.25)


def test_keys_are_private_and_a_second_first_epoch_is_refused(tmp_path: Path) -> None:
    ring = new_ring(tmp_path, CONFIG, 5.0)
    assert load_ring(tmp_path) == ring and ring.current.delta == 1.25 and ring.current.vocab == 1024
    assert stat.S_IMODE(ring_path(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE(ring_path(tmp_path).parent.stat().st_mode) == 0o700
    with pytest.raises(StillwatchError, match="rotate"):
        new_ring(tmp_path, CONFIG, 6.0)
    assert load_ring(tmp_path) == ring


def test_a_rotation_adds_an_epoch_with_the_settings_of_now_and_keeps_the_old(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError, match="keys new"):
        rotate_ring(tmp_path, CONFIG, 5.0)
    first = new_ring(tmp_path, CONFIG, 5.0)
    second = rotate_ring(tmp_path, MarkConfig(scheme="gumbel", width=3), 7.0)
    assert second.epochs[0] == first.current and load_ring(tmp_path) == second
    assert (second.current.number, second.current.scheme, second.current.width) == (2, "gumbel", 3)
    assert second.current.secret != first.current.secret


def test_rotations_at_one_moment_lose_no_epoch(tmp_path: Path) -> None:
    new_ring(tmp_path, CONFIG, 5.0)
    made: list[bytes] = []

    def rotate() -> None:
        for _ in range(5):
            made.append(rotate_ring(tmp_path, CONFIG, 7.0).current.secret)

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {epoch.secret for epoch in load_ring(tmp_path).epochs[1:]} == set(made) and len(set(made)) == 20


def test_a_damaged_file_is_an_error_that_shows_nothing_of_it(tmp_path: Path) -> None:
    new_ring(tmp_path, CONFIG, 5.0)
    secret = load_ring(tmp_path).current.secret.hex()
    ring_path(tmp_path).write_bytes(ring_path(tmp_path).read_bytes()[:-9])
    with pytest.raises(StillwatchError) as caught:
        load_ring(tmp_path)
    assert secret[:8] not in str(caught.value)


def test_a_worker_sees_keys_when_they_are_made_and_when_they_rotate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markring, "LOOK_SECONDS", 0.0)
    keys = MarkKeys(tmp_path, 600.0, "w0")
    assert keys() is None
    new_ring(tmp_path, CONFIG, 5.0)
    marks = keys()
    assert marks is not None and keys() is marks
    order = read_order(marks.order("acme", "", 1000.0), marks.ring, 1000.0)
    assert order.account == marks.ring.current.tag("account", "acme") and not order.campaign
    rotate_ring(tmp_path, CONFIG, 6.0)
    later = keys()
    assert later is not None and later.ring.current.number == 2
    assert read_order(later.order("acme", "c1", 1000.0), later.ring, 1000.0).epoch == 2


def test_who_was_marked_is_noted_once_by_each_worker_and_survives_a_torn_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_ring(tmp_path, CONFIG, 5.0)
    for name in ("w0", "w1"):
        marks = MarkKeys(tmp_path, 600.0, name)()
        assert marks is not None
        for now in (0.0, 1.0, 700.0):
            marks.order("acme", "", now)
            marks.order("b", "c1", now)
    path = ring_path(tmp_path).parent / "marked-w0.jsonl"
    assert len(path.read_bytes().splitlines()) == 2
    with path.open("ab") as file:
        file.write(b'{"epoch": 1, "acc')
    assert marked_in(tmp_path) == (Marked(1, "acme", ""), Marked(1, "b", "c1"))


def test_orders_hold_for_at_least_the_time_that_was_set(tmp_path: Path) -> None:
    new_ring(tmp_path, CONFIG, 5.0)
    marks = MarkKeys(tmp_path, 10.0, "w0")()
    assert marks is not None
    for now in (0.0, 9.99, 10.0, 14.2):
        text = marks.order("a", "", now)
        assert 10.0 <= read_order(text, marks.ring, now).until - now <= 20.0
        with pytest.raises(StillwatchError):
            read_order(text, marks.ring, now + 20.01)


def test_threads_that_mark_at_once_note_everybody(tmp_path: Path) -> None:
    new_ring(tmp_path, CONFIG, 5.0)
    marks = MarkKeys(tmp_path, 600.0, "w0")()
    assert marks is not None
    threads = [threading.Thread(target=lambda n=n: [marks.order(f"a{n}-{i}", "", 0.0) for i in range(50)])
               for n in range(4)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.account for one in marked_in(tmp_path)} == {f"a{n}-{i}" for n in range(4) for i in range(50)}


def test_a_backup_holds_keys_and_who_was_marked_and_moves_nothing_away_for_good(tmp_path: Path) -> None:
    state, other = tmp_path / "state", tmp_path / "other"
    master_key(state)
    ring = new_ring(state, CONFIG, 5.0)
    for name in ("w0", "w1"):
        marks = MarkKeys(state, 600.0, name)()
        assert marks is not None
        marks.order(f"acme-{name}", "", 0.0)
    back_up(BackupRequest(state=state, target=tmp_path / "b.tar", now=9.0))
    restore(RestoreRequest(source=tmp_path / "b.tar", state=other, now=10.0))
    assert load_ring(other) == ring and marked_in(other) == marked_in(state)
    rotate_ring(other, CONFIG, 11.0)
    done = restore(RestoreRequest(source=tmp_path / "b.tar", state=other, replace=True, now=12.0))
    assert load_ring(other) == ring and done.aside is not None
    assert len(json.loads((done.aside / "marks" / "ring.json").read_bytes())["epochs"]) == 2


def test_the_command_line_makes_rotates_and_lists_and_never_prints_a_secret(tmp_path: Path) -> None:
    said = ""
    for verb in ("new", "rotate", "list"):
        done = CliRunner().invoke(main, ["watermark", "keys", verb, "--state", str(tmp_path), "--json"])
        assert done.exit_code == 0, done.output
        said += done.output
    assert [one["number"] for one in json.loads(done.stdout)] == [1, 2]
    table = CliRunner().invoke(main, ["watermark", "keys", "list", "--state", str(tmp_path)]).output
    for epoch in load_ring(tmp_path).epochs:
        assert epoch.secret.hex() not in said + table and epoch.commitment in said and epoch.commitment in table
    again = CliRunner().invoke(main, ["watermark", "keys", "new", "--state", str(tmp_path)])
    assert again.exit_code == 2 and "rotate" in again.output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scheme": "synthid"}, "green, gumbel"),
        ({"width": 3}, "mark.width"),
        ({"scheme": "gumbel", "width": 5}, "mark.width"),
        ({"delta": 0.0}, "mark.delta"),
        ({"provider_share": 0.9}, "sum to 1.4"),
        ({"provider_share": 1.25, "campaign_share": -0.5}, "0 or more"),
        ({"vocabulary": 10}, "mark.vocabulary"),
        ({"order_seconds": 0.0}, "mark.order_seconds"),
    ],
)
def test_settings_that_cannot_mark_are_refused_by_name(settings: dict[str, object], said: str) -> None:
    with pytest.raises(StillwatchError, match=said):
        MarkConfig(**settings)  # type: ignore[arg-type]


def test_config_check_tells_of_marks_that_nobody_would_make(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        '[mark]\nvocabulary = 1024\ndelta = 1.25\n[policy]\nshadow = false\napproved_by = "Ada"\n'
        '[[policy.rule]]\nname = "a"\naction = "mark"\nexpires_days = 7\ntreatments = ["watermark"]\n'
    )
    state = tmp_path / "state"
    ask = ["config", "check", str(file), "--state", str(state)]
    assert "keys new" in CliRunner().invoke(main, ask).output
    new_ring(state, MarkConfig(vocabulary=1024, delta=2.0), 5.0)
    said = CliRunner().invoke(main, ask).output
    assert "mark.delta = 1.25: epoch 1 was made with 2.0" in said and "keys new" not in said
    rotate_ring(state, CONFIG, 6.0)
    assert "mark" not in CliRunner().invoke(main, ask).stderr
