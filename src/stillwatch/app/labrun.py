"""`stillwatch lab run`: a plan's cells one after another, each kept as soon as it is done, and the scorecard.

In: a `LabRequest`. Out: rows, `scorecard.json` and `scorecard.html` in the run folder. What was computed before under
the same code, settings and plan is taken from there; Ctrl-C loses the cell that was under way and nothing else.
Cost: as the plan says. Left to `labcell`: one cell. Left to `lab.scorecard`: how rows are shown.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import msgspec

import stillwatch
from stillwatch.app.labcell import CellSetup, run_cell
from stillwatch.app.settings import load_settings
from stillwatch.gateway.published import replace_whole
from stillwatch.lab.attacks import ATTACKS
from stillwatch.lab.cell import Cell, Row
from stillwatch.lab.cellcache import CellCache
from stillwatch.lab.manifest import lab_key
from stillwatch.lab.plan import Plan, find_plan, pace_of, read_plan
from stillwatch.lab.scorecard.card import Scorecard, best_of, lines_of
from stillwatch.lab.scorecard.page import page_of
from stillwatch.lab.scorecard.table import table_of
from stillwatch.lab.task import Bench, Keeping
from stillwatch.lab.tasks import TASKS
from stillwatch.lab.traffic import Corpus, load_corpus

ROOMS = ("app", "detect", "forensics", "gateway", "lab", "logs", "policy", "sketch", "stats", "terms", "treatments")
"""Rooms whose code can change a row."""
ASIDE = frozenset(("scorecard", "economics", "labrun.py", "economics.py"))
"""Of these rooms, what only shows rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabRequest:
    """What `stillwatch lab run` was asked."""

    plan: str
    """A file, or the name of a packaged plan."""
    out: Path
    data: Path | None = None
    """Folder of sets that are not packaged."""
    only: tuple[str, ...] = ()
    """Tasks to run; all when empty."""
    cells: int = 0
    """Cells to compute at most; 0 for all. The rest waits for the next run."""
    say: Callable[[str], None] = field(default=lambda _: None, repr=False)


@dataclass(slots=True)
class _Benches:
    """The last bench, kept because the next cell mostly wants the same."""

    key: tuple[str, int] = ("", -1)
    bench: Bench | None = None

    def of(self, cell: Cell, plan: Plan, data: Path | None, out: Path) -> Bench:
        if self.key != (cell.task, cell.seed) or self.bench is None:
            self.bench = None
            self.bench = TASKS.get(cell.task).bench(cell.seed, data, plan.size)
            if isinstance(self.bench, Keeping):
                self.bench.keep_in(out / "models")
            self.key = (cell.task, cell.seed)
        return self.bench


def run_lab(request: LabRequest) -> Scorecard:
    """Run what is left of a plan and return the scorecard of all of it.

    Raises:
        StillwatchError: the plan, a settings file or the run folder cannot be used.
    """
    plan = read_plan(find_plan(request.plan))
    request.out.mkdir(parents=True, exist_ok=True)
    cache = CellCache(request.out / "cells")
    benches, corpus = _Benches(), _LazyCorpus()
    rows: list[Row] = []
    skipped: dict[str, str] = {}
    waiting = computed = 0
    cells = sorted(plan.cells, key=lambda cell: (list(TASKS.names()).index(cell.task), cell.seed))
    for number, cell in enumerate(cells, start=1):
        if request.only and cell.task not in request.only:
            continue
        if why := _cannot(cell, request.data):
            skipped[f"{cell.task} {cell.attack}"] = why
            continue
        key = cell.key(code_digest(type(TASKS.get(cell.task)).__module__), _surroundings(cell, plan))
        row = cache.get(key)
        if row is None and request.cells and computed >= request.cells:
            waiting += 1
            continue
        if row is None:
            request.say(f"{number} of {len(cells)}: {cell.label}: training the teacher")
            bench = benches.of(cell, plan, request.data, request.out)
            if why := _unoffered(cell, bench):
                skipped[f"{cell.task} {cell.attack}"] = why
                continue
            setup = _setup(cell, plan, bench, (request, corpus.get(), key))
            row = asyncio.run(run_cell(cell, setup))
            shutil.rmtree(setup.folder, ignore_errors=True)
            cache.put(key, row)
            computed += 1
        rows.append(row)
    card = Scorecard(
        plan=plan.name, rows=tuple(rows), skipped=skipped, waiting=waiting, version=stillwatch.__version__,
        best=tuple(best_of(lines_of(rows))),
    )  # fmt: skip
    _write(card, request.out)
    return card


class _LazyCorpus:
    """The packaged corpus, read when the first cell needs it."""

    def __init__(self) -> None:
        self._corpus: Corpus | None = None

    def get(self) -> Corpus:
        if self._corpus is None:
            self._corpus = load_corpus(None)
        return self._corpus


def _cannot(cell: Cell, data: Path | None) -> str:
    return TASKS.get(cell.task).missing(data)


def _unoffered(cell: Cell, bench: Bench) -> str:
    lacking = ATTACKS.get(cell.attack).needs - bench.forms
    return f"the task does not offer {', '.join(sorted(lacking))}" if lacking else ""


def _setup(cell: Cell, plan: Plan, bench: Bench, run: tuple[LabRequest, Corpus, str]) -> CellSetup:
    request, corpus, key = run
    defence = plan.defences[cell.defence]
    folder = request.out / "state" / key
    shutil.rmtree(folder, ignore_errors=True)
    return CellSetup(
        bench=bench, settings=load_settings(defence.settings), verdict=defence.verdict,
        pace=pace_of(cell, plan),
        judge_hours=plan.watching.judge_hours, decide_hours=plan.watching.decide_hours,
        background=plan.watching.background, corpus=corpus, folder=folder,
        manifest=request.out / "manifests" / f"{key}.json", key=lab_key(request.out), say=request.say,
    )  # fmt: skip


def _surroundings(cell: Cell, plan: Plan) -> bytes:
    """Return everything beside code and cell that a row depends on."""
    defence = plan.defences[cell.defence]
    parts = [plan.size, asdict(plan.pace), asdict(plan.adaptive), asdict(plan.watching), defence.verdict]
    return msgspec.json.encode(parts) + defence.settings.read_bytes()


@cache
def code_digest(room_of_task: str) -> bytes:
    """Return a digest of all code that can change a row; 16 bytes.

    Args:
        room_of_task: Module that the task is defined in: code of other rooms of tasks does not count.
    """
    root = Path(stillwatch.__file__).parent
    digest = hashlib.blake2b(digest_size=16)
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            if ASIDE.intersection(path.parts) or ("neural" in path.parts and ".neural" not in room_of_task):
                continue
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.digest()


def _write(card: Scorecard, out: Path) -> None:
    replace_whole(out / "scorecard.json", msgspec.json.format(msgspec.json.encode(card), indent=1))
    replace_whole(out / "scorecard.html", page_of(card).encode())


def shown(card: Scorecard, *, as_json: bool) -> str:
    """Return the scorecard as the command prints it."""
    return msgspec.json.format(msgspec.json.encode(card), indent=2).decode() if as_json else table_of(card)
