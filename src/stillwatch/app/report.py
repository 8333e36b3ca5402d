"""The report of a judged store: gathered, written to a folder, and read back.

In: events, verdicts and what is to be said of the input. Out: a `Report`, and its files, each replaced whole.
`scan` and the watcher both end here. Cost: a rollup and the events of the accused. Left to `console`: the pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from stillwatch import __version__
from stillwatch.app.measured import measured_rates
from stillwatch.app.pictures import edges_of, timeline_of
from stillwatch.app.prices import PriceConfig
from stillwatch.console.export import to_json, write_csv
from stillwatch.console.page import render_html
from stillwatch.console.report import CoverageLine, ErrorRates, InputFile, Prices, Report
from stillwatch.logs.coverage import coverage
from stillwatch.logs.tally import Tally
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.ports import EventSource, KeyList
from stillwatch.terms.verdict import Verdicts

STORE_NOTE = "store.json"
"""File of the output folder that says where in the state folder the report's store is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a report says of its input."""

    title: str
    made_at: float
    """Seconds since 1970."""
    command: str
    inputs: tuple[InputFile, ...]
    whole: Tally
    """Counts over all inputs."""
    prices: PriceConfig
    live: bool = False
    """Whether this is traffic of a running gateway, on which policy and people act."""


def report_of(source: EventSource, names: Mapping[int, str], verdicts: Verdicts, about: About) -> Report:
    """Return the report of what was judged.

    Args:
        source: The events that were judged.
        names: Names of the accounts in `verdicts`, by hash.
        verdicts: What was concluded.
        about: What to say of the input.
    """
    timeline, start, step = timeline_of(source, verdicts)
    prices = about.prices
    return Report(
        verdicts=verdicts,
        names=names,
        title=about.title,
        made_at=about.made_at,
        version=__version__,
        command=about.command,
        inputs=about.inputs,
        coverage=tuple(
            CoverageLine(scenario=c.scenario, can_run=c.can_run, missing=tuple(c.missing), share=c.share)
            for c in coverage(about.whole)
        ),
        timeline=timeline,
        timeline_start=start,
        timeline_step=step,
        edges=edges_of(source, verdicts),
        prices=Prices(dollars_in=prices.input, dollars_out=prices.output, source=prices.source, as_of=prices.as_of),
        error=ErrorRates(q=verdicts.q, alpha=verdicts.alpha, measured=measured_rates()),
        live=about.live,
    )


class Names(Protocol):
    """Who knows the names of accounts."""

    def names(self, accounts: KeyList) -> dict[int, str]:
        """Return the names that are known of these account hashes."""
        ...


def names_in(store: Names, verdicts: Verdicts) -> dict[int, str]:
    """Return the names of all accounts that verdicts speak of, by hash."""
    hashes = {a.account for a in verdicts.accounts} | {x for c in verdicts.campaigns for x in c.accounts}
    return store.names(np.array(sorted(hashes), np.uint64)) if hashes else {}


def main_epoch(store: EventSource) -> int | None:
    """Return the key epoch under which the most events can be compared."""
    return max(store.epochs(), key=lambda epoch: store.span(epoch).n_events, default=None)


def left_out(store: EventSource) -> tuple[str, ...]:
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


def unread_parts(tally: Tally) -> tuple[str, ...]:
    """Return a note when requests held parts that no reader opens, since a question can stand in any of them."""
    held = tally.fields.get("unread", 0)
    if not held:
        return ()
    return (
        f"{held:,} of {tally.good:,} requests hold parts that are not read (recordings, films, PDFs, files and "
        "pictures by address): what they say is in no sketch.",
    )


def write_outputs(report: Report, out: Path) -> None:
    """Write report.html, report.json, accounts.csv and the state that `explain` reads."""
    out.mkdir(parents=True, exist_ok=True)
    files = {
        "report.html": render_html(report).encode(),
        "report.json": msgspec.json.format(msgspec.json.encode(to_json(report)), indent=2),
        "accounts.csv": write_csv(report).encode(),
        "explain.json": msgspec.json.encode(report),
    }
    for name, content in files.items():
        _replace(out / name, content)


def _replace(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one: the live report is written again at every block."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)


def write_store_note(out: Path, store: str) -> None:
    """Note beside a report where below the state folder its store is."""
    _replace(out / STORE_NOTE, msgspec.json.encode({"store": store}))


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
