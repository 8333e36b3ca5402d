"""The gateway under test: real `stillwatch serve` processes on a state folder full of accounts, keys and verdicts.

In: an upstream. Out: a running proxy with everything on: keys, a verdict table, buckets, the sealed spool, usage,
metrics, watcher. The watcher's processes are told apart, and it runs beside upstream and client.
"""

import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.gateway import processor
from bench.gateway.figures import STILLWATCH
from bench.gateway.proxies import PYTHON_PATH, READY_SECONDS, Proxy, free_port, running, until_answers
from stillwatch.app.control import key_secret, open_control
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.spoolkey import spool_key
from stillwatch.gateway.published import Published, write_published
from stillwatch.terms.account import AccountRecord, KeyRecord, key_digest
from stillwatch.terms.action import Held

DAY: Final = 86_400.0
ACCOUNTS: Final = 10_000
SETTINGS: Final = """
[[policy.limit]]
plan = "pro"
requests_per_minute = 10000000
tokens_per_minute = 10000000000
"""
"""Limits that are kept count of, and that nobody reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How one gateway is set up."""

    accounts: int = ACCOUNTS
    workers: int = 1
    enforce: bool = False
    held: bool = True
    """Publish a verdict on every second account."""


def key_of(number: int) -> str:
    """Return the key of one account of the benchmark."""
    return f"sk-sw-bench-{number:08d}-no-secret-of-anybody"


def furnish(state: Path, serving: Serving) -> Path:
    """Fill a state folder with accounts and keys; return the file of the keys, one a line."""
    secret = key_secret(state)
    with open_control(state) as book, book.changing():
        for number in range(serving.accounts):
            account = f"account-{number}"
            book.put_account(AccountRecord(account=account, organisation=f"org-{number // 10}", plan="pro"))
            book.put_key(
                KeyRecord(
                    key_id=f"k_bench{number}", digest=key_digest(key_of(number), secret), account=account, created=1.0
                )
            )
    if serving.held:
        publish(state, [f"account-{number}" for number in range(0, serving.accounts, 2)], generation=0)
    keys = state / "keys.txt"
    keys.write_text("".join(f"{key_of(number)}\n" for number in range(serving.accounts)), encoding="utf-8")
    (state / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    return keys


def publish(state: Path, accounts: list[str], generation: int) -> float:
    """Publish a verdict on each account, as the watcher does; return when, on the steady clock."""
    now = time.time()
    held = {
        account: Held(
            account=account, log_e=12.0, accused=True, campaign=f"campaign-{number % 50}", families=("anchors",),
            since=now - DAY, effective=now - 1.0, expires=now + DAY,
        )
        for number, account in enumerate(accounts)
    }  # fmt: skip
    write_published(
        state / "published.json", Published(generation=generation, made_at=now, judged_until=now, held=held)
    )
    return time.monotonic()


@contextlib.contextmanager
def folder(serving: Serving) -> Iterator[Path]:
    """Make a furnished state folder, and remove it."""
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
        state = Path(name) / "state"
        state.mkdir()
        furnish(state, serving)
        try:
            yield state
        finally:
            key = spool_key(LiveFolder(state).made())
            if key.in_memory:  # else it goes with the folder
                shutil.rmtree(key.path.parent)


@contextlib.contextmanager
def serve(upstream_port: int, state: Path, serving: Serving) -> Iterator[Proxy]:
    """Run `stillwatch serve` on a furnished state folder."""
    port, admin = free_port(), free_port()
    command = [
        sys.executable, "-c", "from stillwatch.cli import main; main()", "serve",
        "--upstream", f"http://127.0.0.1:{upstream_port}", "--state", str(state),
        "--config", str(state / "settings.toml"), "--port", str(port), "--admin-port", str(admin),
        "--workers", str(serving.workers), "--enforce" if serving.enforce else "--shadow",
    ]  # fmt: skip
    log = state / "serve.log"
    with running(command, processor.split_cores()[0], PYTHON_PATH, log) as process:
        try:
            until_answers(process, f"http://127.0.0.1:{admin}/readyz")
            until_answers(process, f"http://127.0.0.1:{port}/readyz")
        except SystemExit:
            print(log.read_text(encoding="utf-8")[-4000:], file=sys.stderr)
            raise
        watcher = watcher_of(state)
        processor.move(watcher, processor.split_cores()[1])
        aside = tuple(processor.family(watcher))
        yield Proxy(name=STILLWATCH, port=port, process=process, keys=str(state / "keys.txt"), aside=aside)


def watcher_of(state: Path) -> int:
    """Return the watcher's process id, once it watches."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        pid = int(told(state, "watcher.json").get("pid", 0))
        if pid and Path(f"/proc/{pid}").exists():
            return pid
        time.sleep(0.1)
    raise SystemExit(f"the watcher did not say anything within {READY_SECONDS:.0f} s.")


def told(state: Path, name: str) -> dict[str, Any]:
    """Return what a process says of itself; nothing before it does."""
    try:
        found: dict[str, Any] = json.loads((state / "run" / name).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def in_flight(state: Path) -> int:
    """Return the requests that workers count as under way."""
    return sum(
        int(json.loads(path.read_bytes())["gateway"]["in_flight"]) for path in (state / "run").glob("worker-*.json")
    )


def until_taken(state: Path, patience: float = 120.0) -> dict[str, Any]:
    """Wait until the watcher has taken in everything that lies in the spool, and return what it says after that.

    Segments of a writer that is gone are still open until the watcher adopts them, so open ones count as well.
    """
    until = time.monotonic() + patience
    empty = 0.0
    while time.monotonic() < until:
        time.sleep(0.2)
        if any(path.suffix in (".seg", ".open") for path in (state / "spool").iterdir()):
            empty = 0.0
            continue
        empty = empty or time.time()
        status = told(state, "watcher.json")
        if status.get("at", 0.0) > empty:
            return status
    raise SystemExit(f"the watcher did not take the spool in within {patience:.0f} s.")
