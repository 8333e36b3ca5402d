"""Reduce logs to an event file: everything detection needs, without text and without names.

In: a `ReduceRequest`. Out: the event file, whole or not at all, bad rows in a quarantine file beside it, and
counts. Cost: as reading the logs for a scan; one batch in memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stillwatch.app.addresses import packaged_addresses
from stillwatch.app.state import master_key
from stillwatch.logs.quarantine import Quarantine
from stillwatch.logs.read import ReadOptions, open_sources, read_all, total
from stillwatch.logs.tally import Tally
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.eventfiles import write_events
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.event import EventArray

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceRequest:
    """What `stillwatch logs reduce` was asked."""

    paths: tuple[str, ...]
    out: Path
    """Event file; its suffix says the form."""
    state: Path
    """Folder that holds the key."""
    reading: ReadOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """What came of it."""

    files: int
    tally: Tally
    events: int
    """Events written: one a request, and a second one for requests in the overlap of two key epochs."""
    quarantine: Path
    """Where bad rows stand, if there are any."""
    skipped: tuple[str, ...]
    """Why files met in folders were passed over."""


def reduce_logs(request: ReduceRequest, progress: Progress) -> Reduced:
    """Read logs and write their events.

    Raises:
        StillwatchError: a path cannot be read, no importer knows a file, or the event file cannot be written.
    """
    quarantine = request.out.with_name(f"{request.out.name}.bad.jsonl")
    with Quarantine(quarantine) as bad:
        sources = open_sources(request.paths, request.reading, bad)
        if not sources.files:
            named = ", ".join(request.paths)
            raise StillwatchError(f"{named}: no log file that an importer knows; run `stillwatch logs map FILE`.")
        reducer = Reducer(KeyRing(master_key(request.state)), packaged_addresses())

        def events() -> Iterator[EventArray]:
            for source, exchanges in read_all(sources.files):
                progress(f"reading {source.path.name}: {source.tally.good:,} rows")
                yield reducer.reduce_all(exchanges)

        written = write_events(events(), request.out)
    return Reduced(
        files=len(sources.files), tally=total(sources.files), events=written, quarantine=quarantine,
        skipped=tuple(sources.skipped.values()),
    )  # fmt: skip
