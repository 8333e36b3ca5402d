"""`stillwatch run`: a campaign is shown live, bites once a person confirmed it, and everything stops when told to.

The time-lapse is shortened: what is promised holds at any pace that the machine keeps up with.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from stillwatch.lab.teacher import missing
from tests.e2e.command_line import Place

LAPSE = "20"
PATIENCE = 120.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def shown(place: Place) -> str:
    """Return what a whole run without a model says."""
    done = place.run("run", "--seed", "3", "--seconds", LAPSE, "--port", "18170", "--no-teacher", "--once")
    assert done.returncode == 0, (done.stdout, done.stderr, _log(place, 3))
    return done.stdout.decode()


def _log(place: Place, seed: int) -> str:
    path = place.folder / "stillwatch-run" / f"seed-{seed}" / "gateway.log"
    return path.read_text() if path.exists() else "no log"


def _commands(text: str) -> dict[str, str]:
    """Return the commands that are offered, by the comment above each."""
    lines = text.splitlines()
    found = {line.strip(): lines[at + 1].strip() for at, line in enumerate(lines[:-1]) if line.startswith("  # ")}
    found["decide"] = next((line.strip() for line in lines if " decide confirm " in line), "")
    return found


def _call(curl: str) -> tuple[int, dict[str, object]]:
    """Do what a curl command says."""
    words = shlex.split(curl)
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    data = words[words.index("-d") + 1].encode() if "-d" in words else None
    url = next(word for word in words if word.startswith("http"))
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def test_the_campaign_is_shown_with_receipt_evidence_action_and_nobody_honest(shown: str) -> None:
    flat = " ".join(shown.split())
    assert re.search(r"truth +(\d+) of \1 accounts of the campaign", flat)
    assert re.search(r"\b0 of \d+ honest accounts accused", flat)
    assert re.search(r"receipt +[0-9a-f]{32}", flat)
    assert re.search(r"how sure +[\d.]+ nats, [\d.]+ needed", flat)
    assert re.search(r"action +(slow|mark), in shadow", flat)
    assert "0 refused" in flat


def test_everything_that_is_made_up_is_declared(shown: str) -> None:
    flat = " ".join(shown.split())
    assert "time-lapse: one second is" in flat
    assert re.search(r"no answers by a model, [\d,]+ replayed", flat)
    assert "addresses (believed from this machine alone)" in flat
    assert "teacher none: left out as asked" in flat


def test_the_report_to_open_is_there_and_names_the_campaign(place: Place, shown: str) -> None:
    page = place.folder / next(line.strip() for line in shown.splitlines() if line.strip().endswith("report.html"))
    found = re.search(r"Campaign (\S+):", shown)
    assert found is not None and found[1] in page.read_text()


def test_no_text_and_no_raw_key_is_left_outside_the_key_file(place: Place, shown: str) -> None:
    folder = place.folder / "stillwatch-run" / "seed-3"
    keys = json.loads((folder / "keys.json").read_text())
    raw = [key.encode() for key in keys.values()]
    for path in (p for p in folder.rglob("*") if p.is_file() and p.name != "keys.json"):
        content = path.read_bytes()
        assert not any(key in content for key in raw), path.name
        assert b"Name three uses of iron" not in content
    assert oct((folder / "keys.json").stat().st_mode & 0o777) == "0o600"


def test_a_run_goes_on_where_it_was_bites_once_confirmed_and_stops_when_told(place: Place, shown: str) -> None:
    """State is kept, so the second run shows the verdict at once; then a person decides while it runs."""
    process = place.start("run", "--seed", "3", "--seconds", LAPSE, "--port", "18171", "--no-teacher", "--quiet")
    try:
        text = _until(process, b"The campaign goes on")
        assert "live again" in text and "This run sent 0 requests" in text
        commands = _commands(text)
        member = next(c for why, c in commands.items() if "an account of the campaign" in why)
        bystander = next(c for why, c in commands.items() if "an honest account" in why)
        assert _call(member)[0] == 200 and _call(bystander)[0] == 200
        words = shlex.split(commands["decide"])
        place.run(*words[words.index("decide") :])
        status, answer = _soon(member, 403)
        assert status == 403 and dict(answer["error"])["code"] == "account_suspended"  # type: ignore[call-overload]
        assert _call(bystander)[0] == 200
        told = _until(process, b"It bites.")
        assert re.search(r"campaign: 0 answered, 10 refused; honest accounts: \d+ answered, 0 refused", told)
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and b"Stopped. Everything is kept" in out, err
    assert b"Traceback" not in err
    _nothing_runs(place.folder)


def test_a_run_that_is_broken_off_is_told_so_and_a_second_one_at_once_is_refused(place: Place) -> None:
    words = ("run", "--seed", "4", "--seconds", "60", "--port", "18172", "--no-teacher", "--quiet")
    process = place.start(*words)
    try:
        _until(process, b"made up")
        second = place.run(*words)
        assert second.returncode == 2 and b"another run of this seed is going on" in second.stderr
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and b"goes on from there" in out
    _nothing_runs(place.folder)


def test_when_the_program_is_killed_the_gateway_ends_too(place: Place) -> None:
    process = place.start("run", "--seed", "5", "--seconds", "60", "--port", "18173", "--no-teacher", "--quiet")
    try:
        _until(process, b"made up")
    finally:
        process.kill()
        process.communicate(timeout=30)
    _nothing_runs(place.folder)


@pytest.mark.skipif(bool(missing()), reason=f"peer: the embedded teacher: {missing()}; `make run` installs it")
def test_with_the_model_some_answers_are_its_own(place: Place) -> None:
    done = place.run("run", "--seed", "6", "--seconds", LAPSE, "--port", "18174", "--once", "--quiet")
    assert done.returncode == 0, (done.stdout, _log(place, 6))
    found = re.search(r"([\d,]+) answers by SmolLM2-135M-Instruct, ([\d,]+) replayed", done.stdout.decode())
    assert found is not None and 1 <= int(found[1]) <= 250


def _until(process: "subprocess.Popen[bytes]", mark: bytes) -> str:
    """Read what the process says until a line holds `mark`."""
    assert process.stdout is not None
    give_up, said = time.monotonic() + PATIENCE, []
    while time.monotonic() < give_up:
        line = process.stdout.readline()
        said.append(line)
        if mark in line:
            return b"".join(said).decode()
        if not line:
            break
    raise AssertionError(f"{mark!r} was not said: {b''.join(said).decode()}")


def _soon(curl: str, wanted: int) -> tuple[int, dict[str, object]]:
    """Call until the answer is as wanted, 15 seconds at most: workers look for decisions each second."""
    give_up = time.monotonic() + 15
    found = _call(curl)
    while found[0] != wanted and time.monotonic() < give_up:
        time.sleep(0.3)
        found = _call(curl)
    return found


def _nothing_runs(folder: Path) -> None:
    """No process has a file of the folder as an argument or its working folder there, after 15 seconds at most."""
    if not Path("/proc/self").exists():
        return
    give_up = time.monotonic() + 15
    while (left := _processes_of(folder)) and time.monotonic() < give_up:
        time.sleep(0.3)
    assert not left


def _processes_of(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = os.readlink(process / "cwd") == str(folder)
        except OSError:
            continue
        if inside:
            found.append(process.name)
    return found
