"""What the supervisor hands to its processes, and how they learn that they should stop.

In: settings and keys. Out: a record that travels through a pipe, never through a file, an argument or the environment.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stillwatch.app.livefolder import EventClock, LiveFolder
from stillwatch.app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPlan:
    """The same for every process of one gateway."""

    state: Path
    settings: Settings
    clock: EventClock
    key: bytes = field(repr=False)
    """Of the spool."""
    as_json: bool = False
    """Say what happens as JSON."""

    @property
    def folder(self) -> LiveFolder:
        """Paths below the state folder."""
        return LiveFolder(self.state)


STOPPING: Final = frozenset({signal.SIGTERM, signal.SIGINT})
"""Blocked while a process is started, so that one that is told to stop at once still ends in order."""


def stop_on_signal(stop: Callable[[], None]) -> None:
    """Call `stop` on SIGTERM, and when the parent is gone; SIGINT is left to the parent, which gets it as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    multiprocessing.connection.wait([parent.sentinel])
    with contextlib.suppress(ProcessLookupError):
        os.kill(os.getpid(), signal.SIGTERM)
