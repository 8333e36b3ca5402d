"""One worker process: the gateway on a socket that the supervisor opened.

In: a plan and a listening socket. Out: answers; events to the spool; once a second what it counted, in `run`.
Left to `gateway`: everything on the way of a request. Left to `serve`: starting and restarting.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import uvicorn

from stillwatch.app.control import key_secret, open_control
from stillwatch.app.grantkeys import grants_of
from stillwatch.app.limits import meters_of
from stillwatch.app.notices import Notices
from stillwatch.app.processplan import ProcessPlan, stop_on_signal
from stillwatch.app.settings import Settings
from stillwatch.app.state import master_key
from stillwatch.app.treating import treater_of
from stillwatch.app.twinbooks import coin_key
from stillwatch.gateway.app import SERVER_OPTIONS, Gateway
from stillwatch.gateway.desk import MemoryDesk
from stillwatch.gateway.litellm import Sources, intake_token, litellm_routes
from stillwatch.gateway.spool import SpoolWriter
from stillwatch.gateway.twins import TwinPlan
from stillwatch.gateway.upstream import Upstream, upstream_key
from stillwatch.logs.litellm import account_of
from stillwatch.sketch.keys import KeyRing

_STATUS_SECONDS = 1.0


class Worker:
    """The parts of one worker, put together."""

    def __init__(self, number: int, plan: ProcessPlan) -> None:
        settings, state = plan.settings, plan.state
        self._number, self._plan, self._folder = number, plan, plan.folder
        self.notices = Notices(role=f"worker {number}", as_json=plan.as_json)
        self._control = open_control(state)
        secret = key_secret(state)
        meters = meters_of(self._folder, secret, settings.serve.workers)
        self.desk = MemoryDesk(self._control, self._folder.published, settings.policy, secret, meters)
        self.desk.grants = grants_of(state)
        self.recorder = SpoolWriter(self._folder.spool, plan.key, f"w{number}", settings.spool)
        upstream = Upstream(settings.gateway, upstream_key(settings.gateway))
        self.gateway = Gateway(settings.gateway, self.desk, self.recorder, upstream, self._event_time)
        self.gateway.treat_with(treater_of(state, settings, f"w{number}", self.desk.canaries))
        if settings.vault.wants_twins:
            self.gateway.draw_twins(_twin_plan(settings, KeyRing(master_key(state)), self.desk))
        sources = Sources(desk=self.desk, recorder=self.recorder, account_of=account_of)
        self._routes = litellm_routes(settings.litellm, intake_token(settings.litellm), sources)

    def _event_time(self) -> float:
        return self._plan.clock.at(time.time())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI scope: LiteLLM's ways in where they are on, else the gateway."""
        if self._routes and scope["type"] == "http":
            route = self._routes.get(scope["path"])
            if route is not None:
                await route(scope, receive, send)
                return
        await self.gateway(scope, receive, send)

    async def serve(self, listener: socket.socket) -> None:
        """Answer until told to stop, then let answers under way end."""
        server = _Server(
            uvicorn.Config(
                self,
                log_config=None,
                timeout_graceful_shutdown=int(self._plan.settings.serve.drain_seconds) or 1,
                **SERVER_OPTIONS,
            )  # fmt: skip
        )

        def stop() -> None:
            self.gateway.drain()
            server.should_exit = True

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        self.desk.start()
        saying = asyncio.create_task(self._say_forever())
        try:
            await server.serve(sockets=[listener])
        finally:
            saying.cancel()
            self.desk.stop()

    def close(self) -> int:
        """Write what is left to the spool; return how many events could not be written."""
        given_up = self.recorder.close()
        self._control.close()
        return given_up

    async def _say_forever(self) -> None:
        while True:
            self.say()
            await asyncio.sleep(_STATUS_SECONDS)

    def say(self) -> None:
        """Write what this worker counted, for the supervisor."""
        now = time.time()
        status = {
            "pid": os.getpid(), "at": now, "worker": self._number, "gateway": self.gateway.metrics.snapshot(),
            "spool": self.recorder.counts(), "desk": dict(self.desk.counters),
            "verdict_generation": self.desk.verdict_generation, "verdict_age_seconds": self.desk.verdict_age(now),
        }  # fmt: skip
        path = self._folder.run / f"worker-{self._number}.json"
        draft = path.with_name(f".{path.name}")
        try:
            draft.write_bytes(orjson.dumps(status))
            draft.replace(path)
        except OSError:
            pass  # a full disk is no reason to stop answering


def _twin_plan(settings: Settings, ring: KeyRing, desk: MemoryDesk) -> TwinPlan:
    vault = settings.vault
    return TwinPlan(
        share=vault.twins, confirmed=desk.confirmed if vault.twins_confirmed else None, busy=vault.twins_busy,
        a_day=max(1, vault.twins_a_day // settings.serve.workers), coin_key=coin_key(ring),
        share_key=ring.lasting("withheld share"),
    )  # fmt: skip


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the worker."""
        yield


def run_worker(number: int, plan: ProcessPlan, listener: socket.socket) -> None:
    """Be worker `number` until told to stop; what the supervisor starts."""
    stop_on_signal(lambda: sys.exit(0))  # until the loop takes the signal over
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    worker = Worker(number, plan)
    gc.freeze()
    try:
        import uvloop

        uvloop.run(worker.serve(listener))
    finally:
        given_up = worker.close()
        worker.say()
        worker.notices.say("worker ended", given_up=given_up)
