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

import msgspec
import numpy as np

from stillwatch import __version__
from stillwatch.app.addresses import packaged_addresses
from stillwatch.app.calibration import read_calibration
from stillwatch.app.eventfile import IMPORTER, EventFile
from stillwatch.app.intake import Intake, Taken, spelt
from stillwatch.app.measured import measured_rates
from stillwatch.app.pictures import edges_of, timeline_of
from stillwatch.app.settings import Settings
from stillwatch.app.state import master_key
from stillwatch.console.export import to_json, write_csv
from stillwatch.console.page import render_html
from stillwatch.console.report import CoverageLine, ErrorRates, InputFile, Prices, Report
from stillwatch.detect.judge import judge
from stillwatch.logs.coverage import coverage
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

STORE_NOTE = "store.json"
"""File of the output folder that says where in the state folder the scan's store is."""


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
        verdicts = replace(verdicts, notes=(*verdicts.notes, *left_out(store), *nameless(taken), *passed))
        report = _report(request, store, taken, verdicts)
    whole = total(taken)
    write_outputs(report, request.out)
    (request.out / STORE_NOTE).write_bytes(msgspec.json.encode({"store": f"scans/{name}/store"}))
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


def main_epoch(store: Journal) -> int | None:
    """Return the key epoch under which the most events can be compared."""
    return max(store.epochs(), key=lambda epoch: store.span(epoch).n_events, default=None)


def left_out(store: Journal) -> tuple[str, ...]:
    """Return a note when events lie in key epochs that cannot be compared with the main one."""
    main = main_epoch(store)
    if main is None:
        return ()
    held = store.span(main)
    others = [store.span(epoch) for epoch in store.epochs() if epoch != main]
    if all(held.first <= span.first and span.last <= held.last for span in others):
        return ()
    return (
        "Part of the log lies in another key epoch (90 days, with 30 days of overlap) and was not compared with the "
        "rest; scan that part by itself with --since or --until.",
    )


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
    hashes = {a.account for a in verdicts.accounts} | {x for c in verdicts.campaigns for x in c.accounts}
    names = store.names(np.array(sorted(hashes), np.uint64)) if hashes else {}
    timeline, start, step = timeline_of(store, verdicts)
    prices = request.settings.prices
    whole = total(taken)
    return Report(
        verdicts=verdicts,
        names=names,
        title=title_of(request.paths, taken),
        made_at=request.now,
        version=__version__,
        command=spelt(shlex.join(["stillwatch", "scan", *request.paths])),
        inputs=tuple(_input(item) for item in taken),
        coverage=tuple(
            CoverageLine(scenario=c.scenario, can_run=c.can_run, missing=tuple(c.missing), share=c.share)
            for c in coverage(whole)
        ),
        timeline=timeline,
        timeline_start=start,
        timeline_step=step,
        edges=edges_of(store, verdicts),
        prices=Prices(dollars_in=prices.input, dollars_out=prices.output, source=prices.source, as_of=prices.as_of),
        error=ErrorRates(q=verdicts.q, alpha=verdicts.alpha, measured=measured_rates()),
    )


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


def write_outputs(report: Report, out: Path) -> None:
    """Write report.html, report.json, accounts.csv and the state that `explain` reads."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.html").write_text(render_html(report), encoding="utf-8")
    (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(to_json(report)), indent=2))
    (out / "accounts.csv").write_text(write_csv(report), encoding="utf-8", newline="")
    (out / "explain.json").write_bytes(msgspec.json.encode(report))


def read_report(out: Path) -> Report:
    """Read the report of an earlier scan back.

    Raises:
        StillwatchError: the folder holds none, or one of another version.
    """
    path = out / "explain.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report, strict=False)
    except OSError:
        raise StillwatchError(f"{path}: no report there; run `stillwatch scan PATH --out {out}` first.") from None
    except msgspec.MsgspecError as problem:
        raise StillwatchError(f"{path}: not a report of this version ({problem}); scan again.") from None


def store_of(out: Path, state: Path) -> Path | None:
    """Return the store of the scan whose report is in `out`; None where the state folder holds it no more."""
    try:
        folder = state / msgspec.json.decode((out / STORE_NOTE).read_bytes(), type=dict[str, str])["store"]
    except (OSError, KeyError, msgspec.MsgspecError):
        return None
    return folder if folder.is_dir() else None
