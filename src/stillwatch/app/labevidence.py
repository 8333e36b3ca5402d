"""A cell's student before the examiner: what the product's own exams say of it, and why some cannot say anything.

In: bench, student and teacher of a cell, the settings of its defence, its state folder. Out: `Evidence`, p-values after
Holm over everything tried on the student, and beside each the same exam of an innocent model.
The examiner is the provider: it has its keys, its teacher and labelled items that nobody was trained on, and of the
suspect what an API gives. Controls are models of the same kind that never saw the teacher's answers.
Cost: six models of the student's size where answers are compared, two where a mark is read; kept from cell to cell.
Left to `forensics.exams`: the tests.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.app.committed import mark_reveals
from stillwatch.app.markring import load_ring, marked_in
from stillwatch.app.settings import Settings
from stillwatch.forensics.canaries import holm_logs
from stillwatch.forensics.exams import EXAMS
from stillwatch.forensics.exams.given import packed
from stillwatch.forensics.marks.surface import SurfaceText, read_surface
from stillwatch.lab.cell import Cell, Evidence
from stillwatch.lab.task import Bench, Controlled, Harvest, Item, Student, Writing
from stillwatch.terms.canon import canonical, number
from stillwatch.terms.protocol import PlannedTest
from stillwatch.terms.reveal import Reveal
from stillwatch.treatments.marks.ring import TIERS

CONTROLS: Final = 5
LEAST_ERRORS: Final = 10
"""Items that the teacher must get wrong for errors in common to be looked for."""
MARKING: Final = ("watermark", "experts", "surface", "canary")
"""Treatments that leave something to be read in a student."""
READ: Final = ("provider", "campaign")
"""Tiers whose keys a student of many accounts' answers is read with; an account's own is left to tracing."""
LOG_NOTHING: Final = -0.05
"""A test whose most extreme outcome is no rarer than this can show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dock:
    """Who is examined, by whom, with what."""

    bench: Bench
    cell: Cell
    student: Student
    settings: Settings
    state: Path
    """State folder of the cell: keys of marks, and who was marked."""
    harvest: Harvest = field(repr=False)
    """What the student was trained on."""
    errors: int
    """Test items that the teacher gets wrong."""
    rng: np.random.Generator = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Read:
    """One exam's outcome before Holm."""

    entry: Evidence
    log_p: float
    innocent: float


def evidence_of(dock: Dock) -> tuple[Evidence, ...]:
    """Return what exams say of a student, marks first.

    A student that nothing was harvested for is not examined.
    """
    if not dock.harvest:
        return (Evidence(about="errors", why="nothing was harvested: the student is the thief's base"),)
    found: list[Evidence | _Read] = [*_marks(dock), *_errors(dock)]
    read = [one for one in found if isinstance(one, _Read)]
    adjusted = iter(zip(
        holm_logs([one.log_p for one in read]), holm_logs([one.innocent for one in read]), strict=True
    ))  # fmt: skip
    out = []
    for one in found:
        if isinstance(one, _Read):
            mine, innocent = next(adjusted)
            out.append(replace(one.entry, log_p=float(mine), innocent_log_p=float(innocent)))
        else:
            out.append(one)
    return tuple(out)


def ordered_marks(settings: Settings) -> tuple[str, ...]:
    """Return which treatments that mark the settings' rules order; none where rules only watch."""
    if settings.policy.shadow:
        return ()
    ordered = {name for rule in settings.policy.rules for name in rule.applied}
    return tuple(name for name in MARKING if name in ordered)


def _marks(dock: Dock) -> list[Evidence | _Read]:
    names = ordered_marks(dock.settings)
    if not names:
        return [Evidence(about="mark", why="the defence marks nothing and plants nothing")]
    found: list[Evidence | _Read] = []
    if "watermark" in names or "experts" in names:
        found += _tokens(dock)
    if "surface" in names:
        found += _wording(dock)
    if "canary" in names:
        found.append(Evidence(about="canary", why="no person registered a canary in this cell, so none was planted"))
    return found


def _tokens(dock: Dock) -> Sequence[Evidence | _Read]:
    """Read the mark in the choice of tokens: in the suspect's probabilities, and in what it writes."""
    bench = dock.bench
    if not isinstance(bench, Writing):
        return [Evidence(about="mark", why="of this task an examiner gets no tokens that a mark could stand in")]
    marked = marked_in(dock.state)
    if not marked:
        return [Evidence(about="mark", why="no answer was marked: no account came under the rule that orders it")]
    ring = load_ring(dock.state)
    shares = dict(zip(TIERS, ring.current.shares, strict=True))
    wanted = {"context", *(tier for tier in READ if shares[tier] > 0.0)}
    reveals = [one for one in mark_reveals(ring, marked) if one.facts.get("tier") in wanted]
    if not any(one.item.kind == "mark-key" for one in reveals):
        return [Evidence(about="mark", why="only keys of single accounts mark, which is for `tracing` to read")]
    suspect = bench.transcript(dock.student, len(dock.harvest), dock.rng)
    innocent = bench.transcript(bench.innocent(len(dock.harvest)), len(dock.harvest), dock.rng)
    return [
        _keyed(name, reveals, [{key: held[key] for key in needed} for held in (suspect, innocent)])
        for name, needed in (("served-logits", ("logprobs",)), ("reference-residual", ("tokens", "expected")))
    ]


def _keyed(exam: str, reveals: Sequence[Reveal], held: Sequence[Mapping[str, bytes]]) -> Evidence | _Read:
    """Return the exam of suspect and innocent, each by its strongest key; so many keys are paid for."""
    parameters = {"texts": "neutral"} if exam == "served-logits" else {}
    family = sum(one.item.kind == "mark-key" for one in reveals)
    strongest = [
        min(_found(exam, {**materials, "openings": canonical(tuple(reveals))}, parameters, family), key=_rank)
        for materials in held
    ]
    mine, other = (replace(one, log_p=min(0.0, one.log_p + math.log(family))) for one in strongest)
    return _read("mark", mine, other)


def _rank(one: "_Outcome") -> tuple[bool, float]:
    return bool(one.why), one.log_p


def _wording(dock: Dock) -> list[Evidence | _Read]:
    """Read the mark in the wording of the student's answers."""
    said = dock.student.answers(dock.bench.test)
    text = SurfaceText.of(said, load_ring(dock.state).current) if marked_in(dock.state) else None
    if text is None or not text.scored.sum():
        return [Evidence(about="mark", why="the student's answers hold no place that could be worded otherwise")]
    log_p = [one.log_p for one in read_surface(text, dock.rng)][0]
    return [_Read(Evidence(about="mark", exam="surface", n=int(text.scored.sum()), unit="sites"), log_p, 0.0)]


def _errors(dock: Dock) -> list[Evidence | _Read]:
    """Hold the student's errors and answers against those of control models."""
    bench = dock.bench
    if dock.errors < LEAST_ERRORS:
        return [Evidence(about="errors", why=f"the teacher errs on {dock.errors} of {len(bench.test)} test items: "
                                             "there are no errors to share")]  # fmt: skip
    if not isinstance(bench, Controlled):
        return [Evidence(about="errors", why="no control models of this task are trained to hold the student against")]
    items = bench.labelled(dock.harvest)
    taught = bench.teacher().answers(items)
    innocent, *controls = bench.controls(len(dock.harvest), dock.cell.start, CONTROLS + 1)
    beside = [model.answers(items) for model in controls]
    given = [{"choices": _choices(items, taught, one.answers(items), beside)} for one in (dock.student, innocent)]
    found: list[Evidence | _Read] = []
    for exam in ("error-agreement", "provenance"):
        (mine,), (other,) = (_found(exam, materials, {}, 1) for materials in given)
        found.append(_read("errors", mine, other))
    return found


def _choices(items: Sequence[Item], taught: list[str], said: list[str], beside: list[list[str]]) -> bytes:
    """Return everybody's answers as numbers of options."""
    right = [item.answer for item in items]
    options = {
        name: at for at, name in enumerate(sorted({*right, *taught, *said, *(x for one in beside for x in one)}))
    }
    right_at, taught_at, said_at, *beside_at = (
        np.array([options[x] for x in one], np.int64) for one in (right, taught, said, *beside)
    )
    return packed(right=right_at, teacher=taught_at, suspect=said_at, controls=np.stack(beside_at))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the scorecard keeps of a finding."""

    exam: str
    n: int
    unit: str
    log_p: float
    why: str


def _found(exam: str, materials: Mapping[str, bytes], parameters: Mapping[str, str], family: int) -> list[_Outcome]:
    """Run an exam of the catalogue on materials, each under its parameter's name."""
    names = {name: f"lab/{name}" for name in materials}
    test = PlannedTest(
        id="lab", exam=exam, hypothesis="h1", statistic="as the catalogue has it", parameters={**names, **parameters},
        samples=10**6, unit="samples", family=max(1, family),
    )  # fmt: skip
    found = EXAMS.get(exam).find(test, {names[name]: raw for name, raw in materials.items()})
    return [
        _Outcome(exam, one.n, one.unit, number(one.log_p or "0"), one.skipped or _powerless(one.least_log_p))
        for one in found
    ]  # fmt: skip


def _powerless(least: str | None) -> str:
    if least is None or number(least) < LOG_NOTHING:
        return ""
    return "could show nothing: whoever errs here errs alike, as there are only two answers"


def _read(about: str, mine: _Outcome, other: _Outcome) -> Evidence | _Read:
    entry = Evidence(about=about, exam=mine.exam, n=mine.n, unit=mine.unit, why=mine.why)
    return entry if mine.why else _Read(entry, mine.log_p, 0.0 if other.why else other.log_p)
