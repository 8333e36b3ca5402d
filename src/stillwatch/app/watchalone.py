"""`stillwatch watch`: the watcher without workers, for model servers that have Stillwatch as a middleware.

In: settings and a state folder. Out: events and verdicts until told to stop. Left to `watch`: all of it.
"""

import os
import signal
import threading
import time
from pathlib import Path

from stillwatch.app.livefolder import LiveFolder, shared_clock
from stillwatch.app.notices import Notices
from stillwatch.app.settings import Settings
from stillwatch.app.shelldesk import keep_rule_of
from stillwatch.app.spoolkey import spool_key
from stillwatch.app.watch import Watcher


def watch(settings: Settings, state: Path, *, as_json: bool = False) -> None:
    """Watch until SIGTERM or SIGINT, then take what is left; ends the process.

    Raises:
        StillwatchError: the state folder cannot be used, or a gateway or watcher runs on it.
    """
    folder = LiveFolder(state).made()
    with folder.taken():
        notices = Notices(role="watcher", as_json=as_json)
        keep_rule_of(state, settings.console, time.time())
        clock = shared_clock(folder, settings.watch, time.time())
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        notices.say("watching", state=str(state), mode="shadow" if settings.policy.shadow else "enforcing")
        Watcher(folder, settings, clock, spool_key(folder).key, notices).run(stop)
        notices.say("watcher ended")
        os._exit(0)  # the engine's threads must not keep the process
