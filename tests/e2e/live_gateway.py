"""The real `stillwatch serve` before a fake upstream, and callers that keep asking it.

Everything runs in processes of its own, as it does for a provider; tests end them by the id they know.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.spoolkey import spool_key
from stillwatch.store.clickhouse import Store
from tests.e2e.command_line import Place

SETTINGS = """
[serve]
drain_seconds = 10.0
[spool]
roll_seconds = 0.2
[watch]
poll_seconds = 0.05
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """Return whether a process runs; one that ended and waits for its parent does not."""
    try:
        os.kill(pid, 0)
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:
        return True


def until(met: Callable[[], Any], seconds: float = 30.0, what: str = "it") -> Any:
    """Wait for a true value and return it."""
    give_up = time.monotonic() + seconds
    while not (value := met()):
        assert time.monotonic() < give_up, f"{what} did not come about in {seconds} s"
        time.sleep(0.05)
    return value


@dataclass
class LiveGateway:
    """One state folder, and the gateway that runs on it now and then."""

    place: Place
    upstream: str
    port: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place.folder.mkdir(parents=True, exist_ok=True)
        (self.place.folder / "settings.toml").write_text(SETTINGS)
        done = self.place.run_here("keys", "create", "--account", "acme")
        self.key = re.findall(r"sk-\S+", done.output)[0]

    @property
    def folder(self) -> LiveFolder:
        return LiveFolder(self.place.folder / ".stillwatch")

    def start(self, *words: str, workers: int = 2) -> None:
        """Start it and wait until it is ready."""
        self.process = self.place.start(
            "serve", "--upstream", self.upstream, "--config", "settings.toml", "--port", str(self.port),
            "--admin-port", str(self.admin), "--workers", str(workers), *words,
        )  # fmt: skip
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()
        until(lambda: self.get("/readyz")[0] == 200, what="readiness")
        until(lambda: self.watcher().get("pid") in self.children().values(), what="the watcher")

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.said.append(line.decode(errors="replace"))

    def stop(self) -> int:
        """End it with SIGTERM and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        assert "Traceback" not in "".join(self.said), "".join(self.said)
        return code

    def kill(self) -> None:
        """End whatever is left of it."""
        children = self.children() if self.process is not None else {}
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        for pid in children.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        key = spool_key(self.folder)
        if key.in_memory:
            shutil.rmtree(key.path.parent)

    def children(self) -> dict[str, int]:
        """Return the ids of its processes, by name, as they stand in their own status files."""
        found = {}
        for path in self.folder.run.glob("w*.json"):
            with contextlib.suppress(ValueError, OSError):
                pid = json.loads(path.read_bytes())["pid"]
                if alive(pid):
                    found[path.stem] = pid
        return found

    def watcher(self) -> dict[str, Any]:
        """Return what the watcher said of itself last."""
        try:
            found: dict[str, Any] = json.loads((self.folder.run / "watcher.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def get(self, path: str, port: int | None = None) -> tuple[int, bytes]:
        """Return status and body; 0 where nobody answers."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=5)
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def metrics(self) -> dict[str, float]:
        """Return every value that stands without a label."""
        lines = self.get("/metrics", self.admin)[1].decode().splitlines()
        return {name: float(value) for name, value in (x.split() for x in lines if x[0] != "#" and "{" not in x)}

    def ask(self, text: str, **more: Any) -> int:
        """Send one chat request and return the status; 0 where the connection broke."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        body = {"model": "toy-chat", "messages": [{"role": "user", "content": text}], **more}
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def events(self) -> int:
        """Return how many events the store of a gateway that has ended holds."""
        store = Store.open(self.folder.store)
        try:
            return store.span().n_events
        finally:
            store.close()


@contextlib.contextmanager
def asking(gateway: LiveGateway, callers: int = 3) -> Iterator[list[int]]:
    """Keep asking from several threads; yield the statuses so far."""
    stop, statuses = threading.Event(), list[int]()

    def call(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            statuses.append(gateway.ask(f"caller {number}, question {count}", stream=count % 3 == 0))
            time.sleep(0.02)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join()
