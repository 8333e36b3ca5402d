"""`stillwatch serve`: one supervisor, N workers, one watcher.

In: settings and a state folder. Out: a gateway that answers until told to stop. The supervisor opens the socket once
and never lets go of it; it restarts what dies, ever more slowly, and on SIGTERM lets answers under way end, then the
watcher take what they left. Left to `worker` and `watch`: the work; to `admin`: metrics and health.
"""

import contextlib
import errno
import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Final, TypeVar

from stillwatch.app.admin import Admin
from stillwatch.app.control import key_secret, open_control
from stillwatch.app.livefolder import LiveFolder, shared_clock
from stillwatch.app.notices import Notices
from stillwatch.app.processplan import STOPPING, ProcessPlan
from stillwatch.app.settings import Settings
from stillwatch.app.settingscheck import check_startable
from stillwatch.app.shelldesk import keep_rule
from stillwatch.app.spoolkey import spool_key
from stillwatch.app.twinbooks import begin_twins
from stillwatch.gateway.litellm import intake_token
from stillwatch.gateway.upstream import upstream_key
from stillwatch.policy.check import disclosures
from stillwatch.terms.errors import StillwatchError

WATCHER: Final = "watcher"
CONSOLE: Final = "console"
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 10.0
_STEADY_SECONDS: Final = 30.0
"""A process that lived this long is restarted at once when it dies."""
_GRACE_SECONDS: Final = 5.0
_BIND_SECONDS: Final = 3.0
_BACKLOG: Final = 2048
_ONE_STOP_SECONDS: Final = 1.0
"""Signals this close to the first are the same wish: a process group and `timeout` send two."""

Target = Callable[..., None]
Bound = TypeVar("Bound")


@dataclass(slots=True)
class Child:
    """One process, and when to start it again."""

    name: str
    target: Target
    arguments: tuple[Any, ...]
    process: multiprocessing.context.SpawnProcess | None = None
    started: float = 0.0
    deaths: int = 0
    """In a row, without a steady life between."""
    due: float = 0.0


class Supervisor:
    """Starts, restarts and stops the processes of one gateway."""

    def __init__(
        self, plan: ProcessPlan, listener: socket.socket, notices: Notices, console: socket.socket | None = None
    ) -> None:
        self._plan, self._listener, self._notices = plan, listener, notices
        self._context = multiprocessing.get_context("spawn")
        self.stops, self._first_stop = 0, 0.0
        """How often it was told to stop: 0, 1, or 2 for at once."""
        self._children = [Child(WATCHER, _watch, (plan,))] + [
            Child(f"worker {number}", _work, (number, plan, listener)) for number in range(plan.settings.serve.workers)
        ]
        if console is not None:
            self._children.append(Child(CONSOLE, _console, (plan, console)))

    def stop(self) -> None:
        """Begin to stop; a second time, more than a second later, stop at once. Says nothing: signals call it."""
        now = time.monotonic()
        if not self.stops:
            self.stops, self._first_stop = 1, now
        elif now - self._first_stop >= _ONE_STOP_SECONDS:
            self.stops = 2

    def run(self) -> None:
        """Keep every process alive until `stop`, then end them in order."""
        woken, wake = socket.socketpair()
        wake.setblocking(False)
        before = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        try:
            while not self.stops:
                now = time.monotonic()
                for child in self._children:
                    self._tend(child, now)
                sentinels = [c.process.sentinel for c in self._children if c.process is not None]
                multiprocessing.connection.wait([woken, *sentinels], self._patience(now))
            self._end()
        finally:
            for child in self._children:
                if child.process is not None and child.process.is_alive():
                    child.process.kill()
            signal.set_wakeup_fd(before)
            woken.close()
            wake.close()

    def alive(self) -> dict[str, bool]:
        """Return which processes are alive, by name."""
        return {c.name: c.process is not None and c.process.is_alive() for c in self._children}

    def _tend(self, child: Child, now: float) -> None:
        if child.process is not None and not child.process.is_alive():
            code = child.process.exitcode
            child.process.close()
            child.process = None
            child.deaths = 1 if now - child.started >= _STEADY_SECONDS else child.deaths + 1
            delay = min(_FIRST_DELAY * 2.0 ** (child.deaths - 1), _LONGEST_DELAY)
            child.due = now + delay
            self._notices.say("process died; starting it again", process=child.name, code=code, in_seconds=delay)
        if child.process is None and now >= child.due:
            self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        child.started = now
        child.process = self._context.Process(target=child.target, args=child.arguments, name=child.name)
        resource_tracker.ensure_running()  # starting it unblocks these signals again, until Python 3.12
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            child.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _patience(self, now: float) -> float | None:
        waits = [max(0.0, c.due - now) for c in self._children if c.process is None]
        return min(waits) if waits else None

    def _end(self) -> None:
        """End workers, then the watcher, so that it takes what they left."""
        config = self._plan.settings
        self._notices.say("stopping", drain_seconds=config.serve.drain_seconds)
        workers = [c for c in self._children if c.name != WATCHER]
        self._listener.close()
        self._terminate(workers, config.serve.drain_seconds + _GRACE_SECONDS)
        watcher = [c for c in self._children if c.name == WATCHER]
        for child in watcher:
            if child.process is None or not child.process.is_alive():  # what workers left must still be taken
                self._start(child, time.monotonic())
        self._terminate(watcher, config.watch.drain_seconds + 2 * _GRACE_SECONDS)
        self._notices.say("stopped")

    def _terminate(self, children: list[Child], patience: float) -> None:
        alive = [c.process for c in children if c.process is not None and c.process.is_alive()]
        for process in alive:
            process.terminate()
        give_up = time.monotonic() + patience
        while alive and time.monotonic() < give_up and self.stops < 2:
            multiprocessing.connection.wait([process.sentinel for process in alive], 0.1)
            alive = [process for process in alive if process.is_alive()]
        if alive and self.stops > 1:
            self._notices.say("second signal: ending at once")
        for process in alive:
            self._notices.say("process did not end; killed", process=process.name)
            process.kill()
            process.join()


def _work(number: int, plan: ProcessPlan, listener: socket.socket) -> None:
    from stillwatch.app.worker import run_worker

    run_worker(number, plan, listener)


def _watch(plan: ProcessPlan) -> None:
    from stillwatch.app.watch import run_watcher

    run_watcher(plan)


def _console(plan: ProcessPlan, listener: socket.socket) -> None:
    from stillwatch.app.consoleserve import run_console

    run_console(plan, listener)


def serve(settings: Settings, state: Path, *, as_json: bool = False) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StillwatchError: a setting is missing, the state folder cannot be written or is in use, or an address is taken.
    """
    folder = LiveFolder(state).made()
    with folder.taken():
        _serve(settings, folder, Notices(role="gateway", as_json=as_json))


def _serve(settings: Settings, folder: LiveFolder, notices: Notices) -> None:
    _check(settings, folder.state)
    key = spool_key(folder)
    if not key.in_memory:
        notices.say("no memory file system: the spool's key is on disk, beside what it seals", path=str(key.path))
    plan = ProcessPlan(
        state=folder.state,
        settings=settings,
        clock=shared_clock(folder, settings.watch, time.time()),
        key=key.key,
        as_json=notices.as_json,
    )
    with _listen(settings) as listener, _console_listener(settings) as console:
        supervisor = Supervisor(plan, listener, notices, console)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        _run(supervisor, listener, plan, notices)


def _run(supervisor: Supervisor, listener: socket.socket, plan: ProcessPlan, notices: Notices) -> None:
    settings = plan.settings
    address = f"{settings.serve.admin_host}:{settings.serve.admin_port}"
    with _bound(
        lambda: Admin(plan.folder, settings, supervisor.alive), f"metrics address {address}", "--admin-port"
    ) as admin:
        host, port = listener.getsockname()[:2]
        notices.say(
            "serving", host=host, port=port, workers=settings.serve.workers, upstream=settings.gateway.upstream,
            mode="shadow" if settings.policy.shadow else "enforcing", admin_port=admin.port,
            console_port=settings.console.port if settings.console.enabled else None,
        )  # fmt: skip
        for owed in disclosures(settings.policy.rules, shadow=settings.policy.shadow):
            notices.say("rules bite; owed to customers in words", text=owed)
        supervisor.run()


def _check(settings: Settings, state: Path) -> None:
    """Find out now what would otherwise end every worker.

    Raises:
        StillwatchError: it would.
    """
    if not settings.gateway.upstream:
        raise StillwatchError("gateway.upstream is empty: must name the model server; give --upstream URL.")
    check_startable(settings)
    upstream_key(settings.gateway)
    intake_token(settings.litellm)
    with open_control(state) as book:
        key_secret(state)
        keep_rule(book, settings.console, time.time())
    if settings.vault.wants_twins:
        begin_twins(state, time.time())


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.serve.host, settings.serve.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _bound(
        lambda: socket.create_server((host, port), family=family, backlog=_BACKLOG),
        f"address {host}:{port}", "--host and --port",
    )  # fmt: skip


@contextlib.contextmanager
def _console_listener(settings: Settings) -> Iterator[socket.socket | None]:
    """Hold the console's address, where the settings turn it on."""
    if not settings.console.enabled:
        yield None
        return
    from stillwatch.app.consoleserve import console_listener

    config = settings.console
    with _bound(lambda: console_listener(config), f"console address {config.host}:{config.port}",
                "console.port in the settings file") as listener:  # fmt: skip
        yield listener


def _bound(bind: Callable[[], Bound], address: str, options: str) -> Bound:
    """Return what `bind` makes, waiting a little for an address that is taken.

    Raises:
        StillwatchError: it stayed taken, or it cannot be had here.
    """
    give_up = time.monotonic() + _BIND_SECONDS
    while True:  # the workers of a supervisor that was killed drain first, and hold the address until then
        try:
            return bind()
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE or time.monotonic() >= give_up:
                why = problem.strerror if isinstance(problem, socket.gaierror) else os.strerror(problem.errno or 0)
                raise StillwatchError(f"{address}: {why}; give another with {options}.") from None
        time.sleep(0.2)
