"""Scan log files: take them in, judge them, and write the report.

In: a `ScanRequest`. Out: a `Report`, files in the output folder, and the exit code: 0 nothing
found, 1 campaigns, 3 input too bad. Everything that was read stays in the state folder, so the same
command again goes on where it stopped.
"""

import hashlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from stillwatch.app.addresses import packaged_addresses
from stillwatch.app.calibration import read_calibration
from stillwatch.app.eventfile import IMPORTER, EventFile
from stillwatch.app.intake import Intake, Taken, spelt
from stillwatch.app.report import (
    About,
    left_out,
    main_epoch,
    names_in,
    report_of,
    unread_parts,
    write_outputs,
    write_store_note,
)
from stillwatch.app.settings import Settings
from stillwatch.app.state import master_key
from stillwatch.console.report import InputFile, Report
from stillwatch.detect.judge import judge
from stillwatch.logs.read import ReadOptions, SourceFile, Sources, open_sources, total
from stillwatch.logs.tally import Tally
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.eventfiles import is_event_file
from stillwatch.store.serve import connect
from stillwatch.terms.errors import InputTooBad, StillwatchError
from stillwatch.terms.ports import Journal
from stillwatch.terms.verdict import Verdicts

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """What `stillwatch scan` was asked."""

    paths: tuple[str, ...]
    state: Path
    """Folder that holds the key and the working stores."""
    out: Path
    """Folder that the report is written to."""
    reading: ReadOptions
    settings: Settings
    max_bad: float = 0.01
    """Share of bad rows above which the exit code is 3."""
    now: float = 0.0
    """Time of the scan, seconds since 1970, for the report."""
    calibration: Path | None = None
    """File of `stillwatch calibrate`; None learns from the first half of the logs."""


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """What a scan came to."""

    report: Report
    out: Path
    bad_share: float
    too_bad: bool

    @property
    def exit_code(self) -> int:
        """0 nothing found, 1 campaigns or accounts accused alone, 3 input too bad."""
        if self.too_bad:
            return InputTooBad.exit_code
        verdicts = self.report.verdicts
        return int(any(c.accused for c in verdicts.campaigns) or any(a.accused for a in verdicts.accounts))


def scan(request: ScanRequest, progress: Progress) -> ScanOutcome:
    """Scan logs and write the report.

    Raises:
        StillwatchError: a path cannot be read, no importer knows a file, or nothing could be read.
    """
    calibration = read_calibration(request.calibration) if request.calibration else None
    with taken_in(request.paths, request.state, request.reading, progress) as (store, sources, taken, name):
        progress("judging")
        verdicts = judge(store, request.settings.detect, epoch=main_epoch(store), calibration=calibration)
        passed = tuple(f"passed over: {spelt(why)}" for why in sources.skipped.values())
        notes = *left_out(store), *nameless(taken), *unread_parts(total(taken)), *passed
        verdicts = replace(verdicts, notes=(*verdicts.notes, *notes))
        report = _report(request, store, taken, verdicts)
    whole = total(taken)
    write_outputs(report, request.out)
    write_store_note(request.out, f"scans/{name}/store")
    return ScanOutcome(report, request.out, whole.bad_share, whole.bad_share > request.max_bad)


class TakenIn(NamedTuple):
    """Logs that were taken in."""

    store: Journal
    sources: Sources
    taken: list[Taken]
    name: str
    """Of the scan's folder, below `scans` in the state folder."""


@contextmanager
def taken_in(paths: tuple[str, ...], state: Path, reading: ReadOptions, progress: Progress) -> Iterator[TakenIn]:
    """Take logs in and give the store that holds them; the same logs find their store again.

    Raises:
        StillwatchError: a path cannot be read, or no importer knows a file.
    """
    events = sorted({Path(path) for path in paths if is_event_file(Path(path))})
    sources = open_sources([path for path in paths if Path(path) not in events], reading)
    files: list[SourceFile | EventFile] = [*sources.files, *(EventFile(path, reading) for path in events)]
    if not files:
        named = ", ".join(paths)
        raise StillwatchError(f"{named}: no log file that an importer knows; run `stillwatch logs map FILE`.")
    name = _scan_name(files)
    folder = state / "scans" / name
    reducer = Reducer(KeyRing(master_key(state)), packaged_addresses())
    store = connect(folder / "store")
    try:
        intake = Intake(store, reducer, folder / "files", progress)
        yield TakenIn(store, sources, [intake.take(source) for source in files], name)
    finally:
        store.close()


def _scan_name(files: Sequence[SourceFile | EventFile]) -> str:
    """Name a scan after the bytes it reads and how, so that the same scan finds its store again."""
    joined = "".join(sorted(source.digest() for source in files))
    return hashlib.blake2b(joined.encode(), digest_size=8).hexdigest()


def nameless(taken: Sequence[Taken]) -> tuple[str, ...]:
    """Return a note when events were read from event files, which hold no names."""
    paths = [item.path for item in taken if item.tally.importer == IMPORTER]
    if not paths:
        return ()
    return (
        f"{', '.join(paths)}: event files hold no account names, so accounts known from no log print as "
        "#hash; and events can only be compared with others reduced under the same key.",
    )


def _report(request: ScanRequest, store: Journal, taken: list[Taken], verdicts: Verdicts) -> Report:
    about = About(
        title=title_of(request.paths, taken),
        made_at=request.now,
        command=spelt(shlex.join(["stillwatch", "scan", *request.paths])),
        inputs=tuple(_input(item) for item in taken),
        whole=total(taken),
        prices=request.settings.prices,
    )
    return report_of(store, names_in(store, verdicts), verdicts, about)


def title_of(paths: Sequence[str], taken: Sequence[Taken]) -> str:
    """Return the title of a scan, which names its input by the last part of its path."""
    if len(taken) == 1:
        return f"Scan of {Path(taken[0].path).name}"
    folder = spelt(Path(paths[0]).name) if len(paths) == 1 else ""
    return f"Scan of {len(taken)} files" + (f" in {folder}/" if folder else "")


def _input(item: Taken) -> InputFile:
    tally: Tally = item.tally
    return InputFile(
        path=item.path, importer=tally.importer, rows=tally.rows, good=tally.good, bad=tally.bad,
        reasons=dict(tally.reasons), quarantine=item.quarantine,
    )  # fmt: skip
