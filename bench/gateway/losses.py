"""End a gateway under load, start it again, and count: every whole answer must have become one event.

In: an upstream, the dummy. Out: answers that callers got whole, answers that were cut, events in the store, and what
the gateway itself says that it lost. SIGTERM goes to the supervisor, as an operator stops a service; SIGKILL goes to
every process at once, as when memory runs out.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from bench.gateway import processor, wire
from bench.gateway.client import Plan
from bench.gateway.proxies import PYTHON_PATH, ROOT, Proxy
from bench.gateway.stillwatch import Serving, folder, serve, told, until_taken

FSYNC_SECONDS: Final = 1.0
"""The default of `spool.fsync_seconds`."""
LOADS: Final = (
    {"model": wire.JSON, "connections": 6, "tickets": 1},
    {"model": wire.PACED, "connections": 12, "chunks": 25, "tickets": 10_000_000},
)
ENDLESS: Final = 10**7


def losses(upstream: Proxy, seconds: float) -> dict[str, Any]:
    """Return what outlived each way to end."""
    return {
        "sigterm": _one(upstream, seconds, kill=False),
        "sigkill": _one(upstream, seconds, kill=True),
    }


def _one(upstream: Proxy, seconds: float, *, kill: bool) -> dict[str, Any]:
    serving = Serving(accounts=200)
    with folder(serving) as state:
        with serve(upstream.port, state, serving) as proxy:
            clients = [_client(proxy, load) for load in LOADS]
            time.sleep(seconds)
            _end(proxy, kill=kill)
            seen = [json.loads(client.communicate(timeout=120)[0]) for client in clients]
        if kill:
            with serve(upstream.port, state, serving):
                until_taken(state)
        return counted(seen, kept=_events(state), status=told(state, "watcher.json"), seconds=seconds, kill=kill)


def _client(proxy: Proxy, load: dict[str, Any]) -> "subprocess.Popen[str]":
    plan = Plan(mode="until", ports=(proxy.port,), keys=proxy.keys, requests=ENDLESS, **load)
    with processor.pinned(processor.split_cores()[1]):
        return subprocess.Popen(
            [sys.executable, "-m", "bench.gateway.client", json.dumps(asdict(plan))],
            env={**os.environ, **PYTHON_PATH}, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip


def _end(proxy: Proxy, *, kill: bool) -> None:
    if not kill:
        proxy.process.send_signal(signal.SIGTERM)
        proxy.process.wait(120)
        return
    for pid in processor.family(proxy.process.pid):  # the supervisor first, so that it starts nothing again
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    proxy.process.wait(30)


def _events(state: Path) -> int:
    """Return the events in the store."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.gateway.held", str(state)],
        env={**os.environ, **PYTHON_PATH}, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.split()[-1])


def counted(
    seen: list[dict[str, Any]], *, kept: int, status: dict[str, Any], seconds: float, kill: bool
) -> dict[str, Any]:
    """Hold events against answers.

    Args:
        seen: What each client saw.
        kept: Events in the store.
        status: What the watcher said last.
        seconds: How long the load ran.
        kill: Whether one fsync interval may be missing.

    Returns:
        Counts. A cut answer may have an event or none: its caller never had it whole.

    >>> one = {"whole": 3, "begun": 1}
    >>> counted([one], kept=2, status={"lost": 1}, seconds=3.0, kill=True)["lost"]
    1
    >>> counted([one], kept=4, status={}, seconds=3.0, kill=False)["doubled"]
    0
    """
    answered = sum(client["whole"] for client in seen)
    unfinished = sum(client["begun"] for client in seen)
    return {
        "answered": answered,
        "unfinished": unfinished,
        "kept": kept,
        "lost": max(0, answered - kept),
        "doubled": max(0, kept - answered - unfinished),
        "told": status.get("lost", 0) + status.get("dropped", 0),
        "allowed": int(answered / seconds * FSYNC_SECONDS) if kill else 0,
    }
