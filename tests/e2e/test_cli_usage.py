"""Wrong use of any command: exit code 2 and a message that says what is wrong and what to do next."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from stillwatch.cli import main
from tests.e2e.command_line import Place, pair, write_rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("usage")
    write_rows(folder / "log.jsonl", [pair("u", n) for n in range(5)])
    (folder / "empty").mkdir()
    (folder / "table.toml").write_text("[detekt]\nq = 0.1\n")
    (folder / "name.toml").write_text("[detect]\nqq = 0.1\n")
    (folder / "value.toml").write_text("[detect]\nq = 5.0\n")
    (folder / "kind.toml").write_text('[detect]\nq = "much"\n')
    (folder / "broken.toml").write_text("[detect\n")
    (folder / "map.toml").write_text('[fields]\naccount = "u"\ntime = "t"\nsesion = "s"\n')
    return Place(folder)


WRONG = {
    "unknown option": ("scan log.jsonl --fast", "--fast"),
    "unknown command": ("scann log.jsonl", "scann"),
    "no path": ("scan", "PATHS"),
    "missing path": ("scan nowhere.jsonl", "nowhere.jsonl"),
    "empty folder": ("scan empty", "no log file"),
    "unknown table": ("scan log.jsonl --config table.toml", "[detekt]"),
    "unknown setting": ("scan log.jsonl --config name.toml", "detect.qq"),
    "setting out of range": ("scan log.jsonl --config value.toml", "detect.q = 5.0"),
    "setting of the wrong kind": ("scan log.jsonl --config kind.toml", "must be a number"),
    "settings that are no TOML": ("scan log.jsonl --config broken.toml", "not TOML"),
    "q out of range": ("scan log.jsonl --q 1.5", "q = 1.5"),
    "max-bad out of range": ("scan log.jsonl --max-bad 2", "--max-bad"),
    "no time": ("scan log.jsonl --since lately", "lately"),
    "unknown importer": ("scan log.jsonl --importer nobody", "nobody"),
    "wrong mapping": ("scan log.jsonl --mapping map.toml", "sesion"),
    "mapped without mapping": ("scan log.jsonl --importer mapped", "--mapping"),
    "explain without a report": ("explain somebody", "stillwatch scan"),
    "map of nothing": ("logs map nowhere.csv", "nowhere.csv"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_exits_with_2_and_names_the_thing(name: str, place: Place) -> None:
    words, part = WRONG[name]
    done = place.run_here(*words.split())
    assert done.exit_code == 2 and done.stdout == ""
    assert part in done.stderr


def test_the_real_program_says_it_in_the_same_way(place: Place) -> None:
    done, here = place.run("scan", "log.jsonl", "--q", "1.5"), place.run_here("scan", "log.jsonl", "--q", "1.5")
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (2, here.stdout, here.stderr)


def test_wrong_use_writes_nothing(place: Place) -> None:
    assert not (place.folder / "stillwatch-report").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_state_folder_that_cannot_be_written_is_named(place: Place) -> None:
    done = place.run("scan", "log.jsonl", "--state", "/proc/none")
    assert done.returncode == 2 and b"--state" in done.stderr


def test_a_damaged_key_is_named_and_not_replaced(place: Place) -> None:
    state = place.folder / "other-state"
    state.mkdir()
    (state / "master.key").write_bytes(b"short")
    done = place.run("scan", "log.jsonl", "--state", "other-state")
    assert done.returncode == 2 and b"master.key" in done.stderr
    assert (state / "master.key").read_bytes() == b"short"


@pytest.mark.parametrize(
    "words", ["--help", "scan --help", "explain -h", "logs map --help", "demo --help", "lab traffic -h"]
)
def test_help_is_quick_and_says_what_the_command_does(words: str, place: Place) -> None:
    done = place.run_here(*words.split())
    assert done.exit_code == 0 and "Usage: " in done.stdout and done.stderr == ""


def test_the_key_is_for_its_owner_only(place: Place) -> None:
    place.scan("log.jsonl", "--state", "fresh", "--out", "fresh-out", code=0)
    assert (place.folder / "fresh" / "master.key").stat().st_mode & 0o077 == 0


def test_the_installed_script_is_the_same_program(place: Place) -> None:
    script = shutil.which("stillwatch")
    if script is None:
        pytest.skip("not installed as a script here")
    assert b"stillwatch" in subprocess.run([script, "--version"], capture_output=True, check=True).stdout


def test_a_name_in_a_message_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "\x1b[31mred").symlink_to("/dev/null")
    done = CliRunner().invoke(main, ["dossier", "show", str(tmp_path)])
    assert done.exit_code == 2 and "\\x1b[31mred is no plain file" in done.stderr and "\x1b" not in done.stderr


def test_a_disk_that_refuses_is_a_message_and_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder / "facts.json"))

    monkeypatch.setattr("stillwatch.app.dossier.shown", refuse)
    done = CliRunner().invoke(main, ["dossier", "show", str(tmp_path)])
    assert done.exit_code == 2 and f"{tmp_path}/facts.json: Permission denied; look at" in done.stderr
