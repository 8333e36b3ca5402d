"""What `deploy/` has for others to start: a unit that systemd takes and that is shut, a container file that holds."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from stillwatch.app.serveconfig import ServeConfig
from stillwatch.app.watchconfig import WatchConfig
from stillwatch.cli.serve import serve

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "stillwatch.service"
CONTAINER = ROOT / "deploy" / "Containerfile"
EXPOSURE = 20
"""Most that `systemd-analyze security` may say, in tenths."""


@pytest.fixture(scope="module")
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("peer: systemd-analyze is not installed")
    return found


def lines_of(path: Path) -> list[str]:
    """Return the lines without comments, continued ones joined."""
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    return [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def test_systemd_finds_nothing_wrong_with_the_unit(analyze: str, tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("ExecStart=/usr/local/stillwatch/bin/stillwatch", "ExecStart=/bin/true"))
    done = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
    said = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert done.returncode == 0 and not said, said


def test_the_unit_stays_shut(analyze: str) -> None:
    command = [analyze, "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", UNIT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_a_stop_of_the_unit_waits_for_every_drain() -> None:
    seconds = dict(line.split("=", 1) for line in lines_of(UNIT) if "=" in line)["TimeoutStopSec"]
    assert int(seconds) >= ServeConfig().drain_seconds + WatchConfig().drain_seconds + 15


def test_no_dump_and_no_swap_of_memory_that_holds_text() -> None:
    assert {"LimitCORE=0", "MemorySwapMax=0"} <= set(lines_of(UNIT))


def test_what_the_unit_starts_is_a_command_with_these_options() -> None:
    (start,) = [line for line in lines_of(UNIT) if line.startswith("ExecStart=")]
    entry = next(json.loads(line.removeprefix("ENTRYPOINT")) for line in lines_of(CONTAINER) if "ENTRYPOINT" in line)
    known = {option for parameter in serve.params for option in parameter.opts}
    for words in (start.split("=", 1)[1].split(), entry):
        assert words[:2] == ["/usr/local/stillwatch/bin/stillwatch", "serve"]
        assert {word for word in words if word.startswith("--")} <= known


def test_the_container_file_holds() -> None:
    lines = lines_of(CONTAINER)
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    supported = re.search(r"^SUPPORTED := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert supported is not None and len(set(bases)) == 1, "what is built is run on the base that it was built on"
    version = re.fullmatch(r"docker\.io/library/python:(3\.\d+)-slim-\w+", bases[0])
    assert version is not None and version[1] in supported[1].split()
    for line in lines:
        assert not line.startswith("ADD ")
        for word in line.split()[1:-1] if line.startswith("COPY ") and "--from" not in line else ():
            assert (ROOT / word).exists(), word
        for install in line.split("&&") if "pip install" in line else ():
            assert "pip install" not in install or "--require-hashes" in install or "--no-deps" in install, install
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER stillwatch"] and lines.index(users[0]) < lines.index("VOLUME /var/lib/stillwatch")
    for word in ("HEALTHCHECK", "ENTRYPOINT"):
        (line,) = [line for line in lines if line.startswith(word)]
        assert json.loads(line[line.index("[") :])[0].startswith("/usr/local/stillwatch/bin/")
