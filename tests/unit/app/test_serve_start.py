"""What would end every worker is said before any is started."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch.app import serve as serving
from stillwatch.app.livefolder import EventClock, LiveFolder
from stillwatch.app.notices import Notices
from stillwatch.app.processplan import ProcessPlan
from stillwatch.app.serve import Supervisor, serve
from stillwatch.app.settings import Settings, load_settings
from stillwatch.terms.errors import StillwatchError


def settings(**gateway: object) -> Settings:
    return load_settings(None).changed("gateway", upstream="http://127.0.0.1:1", **gateway)


def test_an_address_that_is_taken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_BIND_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StillwatchError, match=f"127.0.0.1:{port}.*give another"):
            serve(settings().changed("serve", port=port), tmp_path)


@pytest.mark.parametrize(
    ("section", "values", "says"),
    [
        ("gateway", {"upstream": ""}, "--upstream"),
        ("gateway", {"upstream_key_env": "STILLWATCH_NO_SUCH"}, "upstream_key_env"),
        ("watch", {"calibration": "no-such-file"}, "stillwatch calibrate"),
        ("litellm", {"token_env": "STILLWATCH_NO_SUCH"}, "litellm.token_env"),
        ("serve", {"port": 9464, "admin_port": 9464}, "must differ"),
        ("serve", {"port": 0, "admin_host": "no-such-host.invalid"}, "--admin-port"),
    ],
)
def test_a_setting_that_no_worker_could_start_with_is_refused(
    tmp_path: Path, section: str, values: dict[str, str], says: str
) -> None:
    with pytest.raises(StillwatchError, match=says):
        serve(settings().changed(section, **values), tmp_path)


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StillwatchError, match="--state"):
        serve(settings(), tmp_path / "file" / "state")


def test_a_port_for_metrics_that_is_taken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_BIND_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StillwatchError, match=f"metrics address 127.0.0.1:{port}.*--admin-port"):
            serve(settings().changed("serve", port=0, admin_port=port), tmp_path)


def test_a_state_folder_takes_one_gateway_and_is_free_once_that_ended(tmp_path: Path) -> None:
    folder = LiveFolder(tmp_path).made()
    with folder.taken():
        with pytest.raises(StillwatchError, match=f"process {os.getpid()} uses it"):
            serve(settings(), tmp_path)
        assert not folder.clock.exists(), "the clock of the one that runs was touched"
    with folder.taken():
        pass


def test_only_a_second_signal_after_a_while_ends_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((50.0, 50.1, 50.9, 51.1))
    monkeypatch.setattr(serving.time, "monotonic", lambda: next(clock))
    plan = ProcessPlan(state=tmp_path, settings=settings(), clock=EventClock(), key=b"")
    with socket.socket() as listener:
        supervisor = Supervisor(plan, listener, Notices(role="gateway"))
        found = []
        for _ in range(4):
            supervisor.stop()
            found.append(supervisor.stops)
    assert found == [1, 1, 1, 2]


def test_a_process_that_is_told_to_stop_while_it_starts_still_ends_in_order(tmp_path: Path) -> None:
    """The first start in a fresh program also starts Python's own resource tracker, which opens signals again."""
    program = tmp_path / "program.py"
    program.write_text(
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from unittest import mock\n"
        "from stillwatch.app.serve import Child, Supervisor\n"
        "def said(path):\n"
        "    Path(path).write_text(' '.join(sorted(s.name for s in signal.pthread_sigmask(signal.SIG_BLOCK, ()))))\n"
        "if __name__ == '__main__':\n"
        "    signal.pthread_sigmask(signal.SIG_SETMASK, ())\n"
        "    supervisor = Supervisor(mock.MagicMock(), None, mock.MagicMock())\n"
        "    child = Child('first', said, (sys.argv[1],))\n"
        "    supervisor._start(child, 0.0)\n"
        "    child.process.join()\n"
        "    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()), 'its own are open again'\n"
    )
    source = str(Path(serving.__file__).parents[2])
    subprocess.run([sys.executable, program, tmp_path / "said"], check=True, timeout=60,
                   env={**os.environ, "PYTHONPATH": source})  # fmt: skip
    assert (tmp_path / "said").read_text() == "SIGINT SIGTERM"
