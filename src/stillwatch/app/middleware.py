"""Stillwatch inside a model server, wired from its environment: `vllm serve --middleware` and the like.

In: an ASGI application; `STILLWATCH_CONFIG` names the settings file, `STILLWATCH_STATE` the state folder. Out: the
same application, watched. Nothing is read when this module is imported, all when the class is called.
Run `stillwatch watch` on the same state folder to turn events into verdicts.
Left to `gateway.middleware`: every step of a request.
"""

import atexit
import os
import time
from pathlib import Path
from typing import Any

from stillwatch.app.control import key_secret, open_control
from stillwatch.app.limits import meters_of
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.settings import Settings, load_settings
from stillwatch.app.spoolkey import spool_key
from stillwatch.app.treating import treater_of
from stillwatch.gateway.desk import MemoryDesk
from stillwatch.gateway.inner import ASGIApp
from stillwatch.gateway.middleware import Watched, Wiring
from stillwatch.gateway.spool import SpoolWriter

CONFIG_VARIABLE = "STILLWATCH_CONFIG"
STATE_VARIABLE = "STILLWATCH_STATE"


class StillwatchMiddleware:
    """ASGI middleware, wired from the environment; one in each process of the server."""

    def __init__(self, app: ASGIApp) -> None:
        """Put Stillwatch around `app`.

        Raises:
            StillwatchError: settings or state folder cannot be used. A server that asks for Stillwatch and cannot
                have it must not start without.
        """
        config = os.environ.get(CONFIG_VARIABLE, "")
        settings = load_settings(Path(config) if config else None)
        state = Path(os.environ.get(STATE_VARIABLE, "") or ".stillwatch")
        self._app = app
        self._parts = Parts(settings, state)
        self._watched = Watched(app, self._parts.wiring)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI scope; what is left for the watcher is written when the server ends."""
        if scope["type"] != "lifespan":
            await self._watched(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self.close()

    def close(self) -> None:
        """Write what is left to the spool, and let go of the control file; twice does no harm."""
        self._parts.close()


class Parts:
    """Desk and recorder of one process."""

    def __init__(self, settings: Settings, state: Path) -> None:
        """Open them.

        Args:
            settings: Of these `[gateway]`, `[policy]`, `[spool]`, `[middleware]` and `serve.workers` count.
            state: The state folder; made where there is none.
        """
        folder = LiveFolder(state).made()
        self._control = open_control(state)
        secret = key_secret(state)
        meters = meters_of(folder, secret, settings.serve.workers)
        self._desk = MemoryDesk(self._control, folder.published, settings.policy, secret, meters)
        self._recorder = SpoolWriter(folder.spool, spool_key(folder).key, f"m{os.getpid()}", settings.spool)
        self._desk.start()
        self._closed = False
        atexit.register(self.close)
        self.wiring = Wiring(
            desk=self._desk,
            recorder=self._recorder,
            gateway=settings.gateway,
            middleware=settings.middleware,
            treater=treater_of(state, settings, f"m{os.getpid()}", self._desk.canaries),
            clock=time.time,
        )

    def close(self) -> None:
        """Write what is left; twice does no harm."""
        if not self._closed:
            self._closed = True
            atexit.unregister(self.close)
            self._desk.stop()
            self._recorder.close()
            self._control.close()
