"""Start what is measured: the dummy upstream, the bare pass-through, LiteLLM; each in processes of its own.

In: an upstream. Out: a `Proxy` that listens, with the processes that count as its cost. Everything started here ends
with its `with` block. Proxies run on one core, upstream and client on the others.
Left to `litellm`: its environment; to `stillwatch`: the gateway under test.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gateway import processor

ROOT: Final = Path(__file__).resolve().parents[2]
PYTHON_PATH: Final = {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
READY_SECONDS: Final = 180.0


@dataclass(slots=True, kw_only=True)
class Proxy:
    """One server under measurement."""

    name: str
    port: int
    process: subprocess.Popen[str]
    keys: str = ""
    """File with keys that it accepts, one a line; empty when it asks for none."""
    aside: tuple[int, ...] = ()
    """Processes of it that are told apart, not counted as its cost."""
    sampling: float = 1.0
    """Share of the usual number of requests that it is sent, for slow ones."""

    def pids(self) -> list[int]:
        """Return the processes that count as its cost."""
        return [pid for pid in processor.family(self.process.pid) if pid not in self.aside]


@contextlib.contextmanager
def running(
    command: Sequence[str], cores: set[int], surroundings: dict[str, str], log: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process group of its own and end the group afterwards; what it says goes to `log`."""
    with processor.pinned(cores), contextlib.ExitStack() as stack:
        said = None if log is None else stack.enter_context(log.open("a"))
        process = subprocess.Popen(
            command, env={**os.environ, **surroundings}, stdout=subprocess.PIPE, stderr=said, text=True,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str], patience: float = 90.0) -> None:
    """Ask a process to end, then make its whole group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def upstream() -> Iterator[Proxy]:
    """Run the dummy upstream beside the client, away from the proxies."""
    command = [sys.executable, "-m", "bench.gateway.upstream"]
    with running(command, processor.split_cores()[1], PYTHON_PATH) as process:
        yield Proxy(name="direct", port=told_port(process), process=process)


@contextlib.contextmanager
def plain(upstream_port: int) -> Iterator[Proxy]:
    """Run the bare pass-through."""
    command = [sys.executable, "-m", "bench.gateway.plain", f"http://127.0.0.1:{upstream_port}"]
    with running(command, processor.split_cores()[0], PYTHON_PATH) as process:
        port = told_port(process)
        until_answers(process, f"http://127.0.0.1:{port}/-/open")
        yield Proxy(name="bare pass-through", port=port, process=process)


def told_port(process: subprocess.Popen[str]) -> int:
    """Return the port that a process prints first."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.strip().isdigit():
        raise SystemExit(f"{process.args!r} did not start; its own message stands above.")
    return int(line)


def until_answers(process: subprocess.Popen[str], url: str) -> None:
    """Wait until a URL answers with status 200.

    Raises:
        SystemExit: the process ended, or nothing answered in time.
    """
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}; its own message stands above.")
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"{url} did not answer within {READY_SECONDS:.0f} s.")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
