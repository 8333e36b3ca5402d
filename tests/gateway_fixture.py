"""A gateway in a thread of this process, with a desk and a recorder that tests can look into."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from stillwatch.gateway.app import SERVER_OPTIONS, Gateway
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.ports import Caller, Refusal
from stillwatch.gateway.upstream import Upstream
from stillwatch.terms.action import ALLOW, Action, Standing
from stillwatch.terms.served import Served


class ScriptedDesk:
    """Answers as `gateway.ports.Desk` must, from what a test has put into it."""

    def __init__(self, keys: dict[str, str] | None = None) -> None:
        self.keys = keys if keys is not None else {"sk-good": "acme"}
        self.actions: dict[str, Action] = {}
        self.refusals: dict[str, Refusal] = {}
        """By account: said once an action bites."""
        self.limits: dict[str, list[Refusal]] = {}
        """By account: said to the next requests, one each."""
        self.settled: list[tuple[str, int, int]] = []
        self.is_ready = True

    def caller(self, secret: str, now: float) -> Caller | None:
        account = self.keys.get(secret)
        return self.holder(account, f"k_{account}") if account else None

    def holder(self, account: str, key_id: str = "") -> Caller:
        return Caller(account=account, key_id=key_id)

    def ready(self, now: float) -> bool:
        return self.is_ready

    def action(self, caller: Caller, model: str, endpoint: str, now: float) -> Action:
        return self.actions.get(caller.account, ALLOW)

    def admit(self, caller: Caller, action: Action, tokens: int, now: float) -> Refusal | None:
        waiting = self.limits.get(caller.account)
        return waiting.pop(0) if waiting else None

    def settle(self, caller: Caller, estimated: int, used: int, now: float) -> None:
        self.settled.append((caller.account, estimated, used))

    def refusal(self, caller: Caller, action: Action, now: float) -> Refusal | None:
        return self.refusals.get(caller.account) if action.bites and action.kind in ("challenge", "refuse") else None

    def standing(self, caller: Caller, now: float) -> Standing:
        return Standing(state="good", reason="none")


class KeptRecords:
    """Keeps what it is given; with `full` set it takes nothing more."""

    def __init__(self) -> None:
        self.served: list[Served] = []
        self.full = False

    def record(self, served: Served) -> bool:
        if not self.full:
            self.served.append(served)
        return not self.full

    def wait(self, n: int, seconds: float = 5.0) -> list[Served]:
        """Return the records once there are `n`."""
        until = time.monotonic() + seconds
        while len(self.served) < n and time.monotonic() < until:
            time.sleep(0.005)
        assert len(self.served) >= n, f"{len(self.served)} records, not {n}"
        return self.served


@contextmanager
def serving(make: Callable[[], Any], **options: Any) -> Iterator[str]:
    """Serve the ASGI application that `make` builds inside a thread of its own; give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    servers: list[uvicorn.Server] = []
    began = threading.Event()

    def run() -> None:
        settings = {**SERVER_OPTIONS, "loop": "asyncio", "log_level": "error", **options}
        server = uvicorn.Server(uvicorn.Config(make(), timeout_graceful_shutdown=1, **settings))
        servers.append(server)
        began.set()
        with asyncio.Runner() as runner:
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run, name="served", daemon=True)
    thread.start()
    began.wait(10)
    until = time.monotonic() + 10
    while not (servers and servers[0].started) and time.monotonic() < until:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        servers[0].should_exit = True
        thread.join(10)
        listener.close()


@contextmanager
def running_gateway(upstream: str, key: str, desk: ScriptedDesk, records: KeptRecords, **more: Any) -> Iterator[str]:
    """Run a gateway before `upstream`; `more` are settings of section `[gateway]`."""
    config = GatewayConfig(upstream=upstream, **more)
    with serving(lambda: Gateway(config, desk, records, Upstream(config, key), time.time)) as url:
        yield url
