"""An event file as something that a scan takes in, beside log files.

In: a path and the options of the command. Out: batches of events, and a tally whose rows are events and whose
fields are what the events say was there. Cost: reading the file. Left to `store`: the file itself.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stillwatch.logs.quarantine import Quarantine
from stillwatch.logs.read import ReadOptions, digest
from stillwatch.logs.tally import Tally
from stillwatch.store.eventfiles import read_events
from stillwatch.terms.event import EventArray

IMPORTER = "events"
"""What the report names as the importer of an event file."""
_HASHED = ("organisation", "plan", "key_id", "tls", "payment", "session", "model", "parameters", "finish")


class EventFile:
    """One event file; the time bounds of the command hold for it, other options say nothing about it."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path = path
        self.options = options
        self.tally = Tally(importer=IMPORTER)
        self.quarantine: Quarantine | None = None

    def digest(self) -> str:
        """Return the digest of the bytes and of the time bounds."""
        return digest(self.path, ReadOptions(since=self.options.since, until=self.options.until))

    def batches(self) -> Iterator[EventArray]:
        """Yield the events within the bounds; `tally` is started anew and grows as they come.

        Raises:
            StillwatchError: the file is damaged, or of another version.
        """
        tally = self.tally = Tally(importer=IMPORTER)
        since = self.options.since if self.options.since is not None else -np.inf
        until = self.options.until if self.options.until is not None else np.inf
        for batch in read_events(self.path):
            events = batch[(batch["time"] >= since) & (batch["time"] < until)]
            tally.rows += len(batch)
            tally.outside += len(batch) - len(events)
            if len(events):
                _count(tally, events)
                yield events


def _count(tally: Tally, events: EventArray) -> None:
    sketch = events["sketch"]
    said = {name: events[name] != 0 for name in _HASHED} | {
        "address": (events["network"] != 0) | (events["asn"] != 0), "agent": events["sdk"] != 0,
        "user_text": sketch["content"] != 0, "answer": sketch["issued"] != 0, "tools": sketch["tools"] != 0,
        "assistant_turns": sketch["chain"].any(axis=1), "images": sketch["images"].any(axis=1),
        "tokens_in": events["tokens_in"] >= 0, "tokens_out": events["tokens_out"] >= 0,
        "latency": events["latency"] >= 0,
    }  # fmt: skip
    one = Tally(good=len(events), first=float(events["time"].min()), last=float(events["time"].max()))
    one.fields = {name: int(rows.sum()) for name, rows in said.items()}
    one.fields |= {"time": len(events), "account": len(events)}
    tally.merge(one)
