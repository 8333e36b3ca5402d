"""What a running process says of itself on standard error: one line an event, for people or as JSON.

In: a message and plain values. Out: a line. No text of a request, no key and no account name is ever among them.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Where one process says what happens."""

    role: str
    """`gateway`, `worker 0` or `watcher`."""
    as_json: bool = False

    def say(self, message: str, **values: str | int | float | None) -> None:
        """Write one line; a reader that went away is no reason to stop."""
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        if self.as_json:
            line = json.dumps({"time": now, "role": self.role, "pid": os.getpid(), "message": message, **values})
        else:
            told = "".join(f" {name}={value}" for name, value in values.items())
            line = f"{now} {self.role}: {message}{told}"
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass
