"""The console as a process: pages, API and alerts over one state folder, on a port of its own.

In: settings, a state folder, a listening socket. Out: answers until told to stop. It reads what the watcher publishes
and writes the control file alone; the gateway neither needs it nor waits for it.
Left to `console`: every page. Left to `serve`: starting it beside workers and watcher.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn

from stillwatch.app.alerts import Alerts
from stillwatch.app.consolechanges import ConsoleChanges
from stillwatch.app.consoleconfig import ConsoleConfig
from stillwatch.app.consoledoor import ConsoleDoor
from stillwatch.app.consolestate import ConsoleState, index_report
from stillwatch.app.consoleviews import ConsoleViews
from stillwatch.app.notices import Notices
from stillwatch.app.processplan import ProcessPlan, stop_on_signal
from stillwatch.app.settings import Settings
from stillwatch.app.shelldesk import keep_rule
from stillwatch.console.office import Views
from stillwatch.console.oidc import Provider
from stillwatch.console.web import Console, console_app
from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.identity import Trust
from stillwatch.terms.errors import StillwatchError

BACKLOG: Final = 128


def open_console(open_state: ConsoleState) -> Console:
    """Return the console over an open state folder.

    Raises:
        StillwatchError: a secret that the settings name is not in the environment.
    """
    config = open_state.settings.console
    return Console(
        views=ConsoleViews(open_state), changes=ConsoleChanges(open_state), door=ConsoleDoor(open_state),
        secure=config.secure, hours=config.session_hours, provider=_provider(config),
        caller=Trust(GatewayConfig(trusted_proxies=config.trusted_proxies)).address,
    )  # fmt: skip


def _provider(config: ConsoleConfig) -> Provider | None:
    if not config.oidc_issuer:
        return None
    secret = os.environ.get(config.oidc_client_secret_env, "") if config.oidc_client_secret_env else ""
    if config.oidc_client_secret_env and not secret:
        raise StillwatchError(
            f"console.oidc_client_secret_env: the environment variable {config.oidc_client_secret_env} is not set."
        )
    back = config.origin.rstrip("/") + "/login/back"
    return Provider(config.oidc_issuer, config.oidc_client_id, secret, back, label=config.oidc_label)


def console_listener(config: ConsoleConfig) -> socket.socket:
    """Return the listening socket.

    Raises:
        OSError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    return socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


def serve_on(listener: socket.socket, open_state: ConsoleState, notices: Notices, *, alone: bool) -> None:
    """Serve until SIGTERM, or SIGINT where the process stands alone."""
    console = open_console(open_state)
    app = console_app(console)
    server = _Server(uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, date_header=True, proxy_headers=False,
        timeout_graceful_shutdown=2, limit_concurrency=512, lifespan="off", ws="none",
    ))  # fmt: skip
    stop = threading.Event()
    alerts = Alerts(open_state, notices)
    threading.Thread(target=_warm, args=(open_state, console.views), name="warm", daemon=True).start()
    sending = threading.Thread(target=alerts.run, args=(stop,), name="alerts", daemon=True)

    def end() -> None:
        stop.set()
        server.should_exit = True

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT) if alone else (signal.SIGTERM,):
            loop.add_signal_handler(number, end)
        await server.serve(sockets=[listener])

    sending.start()
    try:
        asyncio.run(run())
    finally:
        stop.set()
        sending.join(timeout=5.0)


def _warm(open_state: ConsoleState, views: Views) -> None:
    """Make now what pages remember, so that the first person need not wait for it."""
    with contextlib.suppress(StillwatchError):  # whatever ails it is said where a page asks
        open_state.facts()
        open_state.key_counts(time.time())
        views.policy()


def run_console(plan: ProcessPlan, listener: socket.socket) -> None:
    """Be the console until told to stop; what the supervisor starts."""
    stop_on_signal(lambda: sys.exit(0))  # until the loop takes the signal over
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    notices = Notices(role="console", as_json=plan.as_json)
    with contextlib.closing(ConsoleState(plan.state, plan.settings)) as open_state:
        index_report(open_state)
        serve_on(listener, open_state, notices, alone=False)


def serve_console(settings: Settings, state: Path, *, as_json: bool = False) -> None:
    """Serve the console alone until told to stop.

    Raises:
        StillwatchError: the state folder cannot be opened, or the address is taken.
    """
    notices = Notices(role="console", as_json=as_json)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    with contextlib.closing(ConsoleState(state, settings)) as open_state:
        index_report(open_state)
        config = settings.console
        keep_rule(open_state.book, config, time.time())
        try:
            listener = console_listener(config)
        except OSError as problem:
            why = os.strerror(problem.errno or 0)
            raise StillwatchError(f"address {config.host}:{config.port}: {why}; give another with --port.") from None
        with listener:
            host, port = listener.getsockname()[:2]
            notices.say("serving", host=host, port=port, people=len(open_state.people.everyone()))
            serve_on(listener, open_state, notices, alone=True)
    notices.say("stopped")
