"""The lab's scorecards as the console shows them: what was kept, what it cost, what that is worth in dollars.

In: the folder that the settings name. Out: records of `console.records`. Means over seeds and intervals are those of
the lab's own page; the reckoning is that of `stillwatch economics` with the packaged constants.
Cost: a scorecard is read once and again when it changes.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from stillwatch.app.boundedread import read_bounded
from stillwatch.app.consolestate import ConsoleState
from stillwatch.console import records as r
from stillwatch.lab.cell import Measured, Row
from stillwatch.lab.economics.constants import load_constants
from stillwatch.lab.economics.reckoning import Reckoning, reckon
from stillwatch.lab.scorecard.card import Line, Scorecard, label_of, lines_of
from stillwatch.lab.scorecard.proof import details_of, proof_of
from stillwatch.lab.scorecard.table import stopped, verdicts
from stillwatch.terms.errors import StillwatchError

CARD, PAGE = "scorecard.json", "scorecard.html"
LISTED: Final = 200
DEEPEST: Final = 3
"""Folders below the one that is set in which scorecards are looked for."""
LARGEST: Final = 32 << 20


def scorecard_folder(open_state: ConsoleState) -> Path:
    """Return where scorecards lie."""
    given = open_state.settings.console.scorecards
    return Path(given) if given else open_state.state / "lab"


def scorecards(open_state: ConsoleState) -> r.ScorecardList:
    """Return the scorecards, newest first."""
    folder = scorecard_folder(open_state)
    lines = sorted((_line(folder, path) for path in _paths(folder)), key=lambda line: (-line.made, line.name))
    given = bool(open_state.settings.console.scorecards)
    return r.ScorecardList(folder="console.scorecards", set=given or folder.is_dir(), items=lines[:LISTED])


def scorecard(open_state: ConsoleState, name: str) -> r.ScorecardPage | None:
    """Return one scorecard by its id; None where there is none."""
    folder = scorecard_folder(open_state)
    path = _found(folder, name)
    if path is None:
        return None
    line = _line(folder, path)
    files = [one for one in (PAGE, CARD) if (path.parent / one).is_file()]
    if line.problem:
        return r.ScorecardPage(line=line, items=[], skipped={}, notes=[], costs=[], assumptions=[], files=files)
    card, reckoning = _card(path)
    notes = dict.fromkeys(note for row in card.rows for note in row.notes)
    return r.ScorecardPage(
        line=line, items=[_row(one) for one in lines_of(card.rows)], skipped=dict(card.skipped), notes=list(notes),
        costs=[
            r.CostLine(task=p.task, retained=p.retained, answers=p.answers, undefended=p.undefended,
                       contained=p.contained, campaigns=p.campaigns, hidden=p.hidden)
            for p in reckoning.costs
        ],
        assumptions=list(reckoning.assumptions), files=files,
    )  # fmt: skip


def scorecard_file(open_state: ConsoleState, name: str, file: str) -> tuple[bytes, str] | None:
    """Return content and name of one file of a scorecard; None where it is none of them."""
    path = _found(scorecard_folder(open_state), name)
    if path is None or file not in (CARD, PAGE) or not (path.parent / file).is_file():
        return None
    return read_bounded(path.parent / file, LARGEST), file


def _paths(folder: Path) -> Iterator[Path]:
    """Yield the scorecards below a folder; links that lead out of it are no part of it."""
    root = folder.resolve()
    for depth in range(DEEPEST + 1):
        for path in folder.glob("*/" * depth + CARD):
            if path.resolve().is_relative_to(root) and path.is_file():
                yield path


def _found(folder: Path, name: str) -> Path | None:
    return next((path for path in _paths(folder) if _id(folder, path) == name), None)


def _id(folder: Path, path: Path) -> str:
    return hashlib.sha256(path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _line(folder: Path, path: Path) -> r.ScorecardLine:
    name, made, problem = path.parent.relative_to(folder).as_posix(), 0.0, ""
    card = Scorecard(plan="", rows=())
    try:
        made = path.stat().st_mtime
        card = _card(path)[0]
    except StillwatchError as wrong:
        problem = str(wrong)
    except OSError as wrong:
        problem = f"{path.name}: {wrong.strerror}."
    return r.ScorecardLine(
        id=_id(folder, path), name="" if name == "." else name, plan=card.plan, version=card.version, made=made,
        rows=len(card.rows), waiting=card.waiting, words=verdicts(card), problem=problem,
    )  # fmt: skip


def _card(path: Path) -> tuple[Scorecard, Reckoning]:
    status = path.stat()
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int, _size: int) -> tuple[Scorecard, Reckoning]:
    try:
        card = msgspec.json.decode(read_bounded(path, LARGEST), type=Scorecard)
        for line in lines_of(card.rows):
            details_of(line)
        return card, reckon(card.rows, load_constants(None))
    except (msgspec.MsgspecError, ValueError, LookupError, ArithmeticError, RecursionError, StopIteration):
        raise StillwatchError(f"{path.name}: is no scorecard of this version; run the plan again.") from None


def _row(line: Line) -> r.ScorecardRow:
    cell, rows = line.cell, line.rows

    def mean(figure: Callable[[Row], Measured | None]) -> r.Interval | None:
        found = line.mean(figure)
        return None if found is None else r.Interval(value=found.value, low=found.low, high=found.high)

    return r.ScorecardRow(
        task=cell.task, defence=cell.defence, attack=label_of(cell), thief=cell.thief, seeds=len(rows),
        retained=mean(lambda row: row.retained), fidelity=_share(mean(lambda row: row.fidelity)),
        safeguards=_share(mean(lambda row: row.safeguards)), queries=sum(row.spent.queries for row in rows) / len(rows),
        harvested=sum(row.harvested for row in rows) / len(rows), stopped=stopped(line),
        honest_points=mean(lambda row: row.honest_points), honest_refused=_share(mean(lambda row: row.honest_refused)),
        honest_confidence=mean(lambda row: row.honest_confidence),
        proof=proof_of(line), exams=details_of(line),
    )  # fmt: skip


def _share(found: r.Interval | None) -> r.Interval | None:
    """Return the interval of a share: what means over seeds say beyond none and all is neither."""
    return found and r.Interval(value=found.value, low=max(0.0, found.low), high=min(1.0, found.high))
