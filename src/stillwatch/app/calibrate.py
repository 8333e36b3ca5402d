"""Learn from logs what honest traffic looks like, and say how far blocks of one account are alike.

In: a `CalibrateRequest`. Out: a calibration file, and lines to print. What was read stays in the state
folder, so that a scan of the same logs starts at once.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.app.calibration import write_calibration
from stillwatch.app.report import main_epoch
from stillwatch.app.scan import Progress, taken_in
from stillwatch.app.settings import Settings
from stillwatch.detect.calibration import Calibration
from stillwatch.detect.calibration import calibrate as learn
from stillwatch.detect.stability import HORIZONS, Stability
from stillwatch.logs.read import ReadOptions, total
from stillwatch.terms.errors import InputTooBad


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateRequest:
    """What `stillwatch calibrate` was asked."""

    paths: tuple[str, ...]
    state: Path
    """Folder that holds the key and the working stores."""
    out: Path
    """File that the calibration is written to."""
    reading: ReadOptions
    settings: Settings
    max_bad: float = 0.01
    """Share of bad rows above which the exit code is 3."""


@dataclass(frozen=True, slots=True)
class CalibrateOutcome:
    """What was learnt."""

    calibration: Calibration
    bad_share: float
    too_bad: bool

    @property
    def exit_code(self) -> int:
        """0 learnt, 3 input too bad."""
        return InputTooBad.exit_code if self.too_bad else 0


def calibrate(request: CalibrateRequest, progress: Progress) -> CalibrateOutcome:
    """Take logs in, learn from them, and write the file.

    Raises:
        StillwatchError: a path cannot be read, no importer knows a file, or there is no honest account.
    """
    with taken_in(request.paths, request.state, request.reading, progress) as (store, _, taken, _):
        progress("learning")
        calibration = learn(store, request.settings.detect, epoch=main_epoch(store))
    write_calibration(calibration, request.out)
    bad = total(taken).bad_share
    return CalibrateOutcome(calibration, bad, bad > request.max_bad)


def describe(calibration: Calibration) -> list[str]:
    """Return lines that say what was learnt: a table a stratum, then warnings."""
    c = calibration
    hours = c.block_seconds / 3600
    days, learnt = c.span_seconds / 86_400, sum(c.accounts.values())
    lines = [
        f"{c.n_events:,} requests over {days:.1f} days: {learnt:,} honest accounts scored;",
        f"{c.left_out:,} left out because a candidate names them.",
        "",
        f"Blocks of {hours:g} h: correlation of block evidence within an account, with its 95 % interval, and honest",
        f"accounts over the line (nominal {c.alpha:.2%}) if their blocks were multiplied / averaged. The detector does",
        "neither: it takes one score an account over all its blocks.",
    ]
    for stratum, n in c.accounts.items():
        lines += ["", f"{stratum}: {n:,} accounts", "  " + _head()]
        lines += ["  " + _row(item) for item in c.stability if item.stratum == stratum]
    lines += ["", *(f"warning: {why}" for why in c.thin)] if c.thin else []
    return lines


def _head() -> str:
    cells = [f"after {n} block{'s' if n > 1 else ''}" for n in HORIZONS]
    return f"{'':4s} {'correlation':21s}" + "".join(f"{cell:>25s}" for cell in cells)


def _row(item: Stability) -> str:
    told = "nothing varies"
    if item.correlation is not None and item.low is not None and item.high is not None:
        told = f"{item.correlation:+.2f} [{item.low:+.2f}, {item.high:+.2f}]"
    cells = []
    for horizon in HORIZONS:
        alarms = {a.combination: a for a in item.alarms if a.blocks == horizon}
        product, average = alarms["product"], alarms["average"]
        n = product.accounts
        cells.append(f"{product.rate:.2%} / {average.rate:.2%} of {n}" if n else "no account")
    return f"{item.scenario:4s} {told:21s}" + "".join(f"{cell:>25s}" for cell in cells)


def plain(calibration: Calibration) -> dict[str, Any]:
    """Return what was learnt as plain values for JSON, without the scores."""
    c = calibration
    return {
        "accounts": c.accounts, "left_out": c.left_out, "events": c.n_events, "span_seconds": c.span_seconds,
        "block_seconds": c.block_seconds, "nominal": c.alpha, "shared_payment": c.shared_payment,
        "stability": [
            {
                "scenario": item.scenario, "stratum": item.stratum, "accounts": item.accounts, "blocks": item.blocks,
                "correlation": item.correlation, "low": item.low, "high": item.high,
                "false_alarms": [
                    {"blocks": a.blocks, "combination": a.combination, "accounts": a.accounts, "alarms": a.alarms,
                     "alarms_ever": a.alarms_ever, "rate": a.rate if a.accounts else None}
                    for a in item.alarms
                ],
            }
            for item in c.stability
        ],
        "warnings": list(c.thin),
    }  # fmt: skip
