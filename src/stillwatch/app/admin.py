"""Metrics and health of a gateway, on a listener of their own that callers never reach.

In: what workers and watcher wrote to `run`, and which processes are alive. Out: `/metrics`, `/healthz`, `/readyz`.
Cost: a few file reads a scrape, in the supervisor. Left to `gateway.exposition`: the text.
"""

import http.server
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.settings import Settings
from stillwatch.gateway.exposition import prometheus_text

_STALE_SECONDS: Final = 5.0
"""A worker whose numbers are older is not ready."""
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_WATCHED: Final = (
    "exchanges events lost unreadable torn segments backlog_segments backlog_bytes backlog_age_seconds take_failures "
    "judge_failures judgements judge_seconds judged_until verdict_age_seconds generation held"
).split()


class Admin:
    """The listener; use it with `with`.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(self, folder: LiveFolder, settings: Settings, alive: Callable[[], Mapping[str, bool]]) -> None:
        self._folder, self._alive = folder, alive
        self._workers = settings.serve.workers
        address = (settings.serve.admin_host, settings.serve.admin_port)
        listener = _Listener6 if ":" in address[0] else _Listener
        self._server = listener(address, _handler(self.answer))
        self.port = int(self._server.server_address[1])
        """Port in use."""
        threading.Thread(target=self._server.serve_forever, name="admin", daemon=True).start()

    def __enter__(self) -> "Admin":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for a path."""
        if path == "/metrics":
            return 200, _TEXT, self.metrics()
        if path == "/healthz":
            alive = dict(self._alive())
            return (200 if all(alive.values()) else 503), "application/json", orjson.dumps(alive)
        if path == "/readyz":
            ready = self.ready()
            return (200 if ready else 503), "application/json", orjson.dumps({"ready": ready})
        return 404, "text/plain", b"/metrics, /healthz or /readyz\n"

    def ready(self) -> bool:
        """Return whether every worker said of itself lately that it runs."""
        now = time.time()
        told = [self._read(f"worker-{number}.json") for number in range(self._workers)]
        return all(now - float(worker.get("at", 0.0)) < _STALE_SECONDS for worker in told)

    def metrics(self) -> bytes:
        """Return the sum over all workers and what the watcher did, as Prometheus text."""
        workers = [self._read(f"worker-{number}.json") for number in range(self._workers)]
        watcher = self._read("watcher.json")
        now = time.time()
        gauges = {f"watcher_{name}": float(watcher[name]) for name in _WATCHED if watcher.get(name) is not None}
        gauges["watcher_bad"] = float(sum(watcher.get("bad", {}).values()))
        gauges["watcher_silent_seconds"] = now - float(watcher.get("at", now))
        for name in ("answered", "written", "dropped", "waiting_bytes", "failing"):
            gauges[f"spool_{name}"] = float(sum(worker.get("spool", {}).get(name, 0) for worker in workers))
        gauges["spool_dropped"] += float(watcher.get("dropped", 0))
        ages = [age for worker in workers if (age := worker.get("verdict_age_seconds")) is not None]
        if ages:
            gauges["verdict_published_age_seconds"] = max(ages)
        for name in sorted({name for worker in workers for name in worker.get("desk", {})}):
            gauges[f"desk_{name}"] = float(sum(worker.get("desk", {}).get(name, 0) for worker in workers))
        gauges["processes_alive"] = float(sum(self._alive().values()))
        return prometheus_text([worker["gateway"] for worker in workers if "gateway" in worker], gauges)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = orjson.loads((self._folder.run / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


class _Listener(http.server.ThreadingHTTPServer):
    """Shares its port with nobody, so that one that is taken is noticed."""

    allow_reuse_port = False


class _Listener6(_Listener):
    address_family = socket.AF_INET6


def _handler(answer: Callable[[str], tuple[int, str, bytes]]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers GET from `answer`."""

        def do_GET(self) -> None:
            """Answer one request."""
            status, kind, body = answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
