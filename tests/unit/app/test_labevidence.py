"""What exams say of a lab's student: copying is found, innocence is not punished, and what cannot be read is said."""

import math
from pathlib import Path

import numpy as np
import pytest

from stillwatch.app.labevidence import Dock, evidence_of, ordered_marks
from stillwatch.app.settings import load_settings
from stillwatch.lab.cell import Cell, Evidence
from stillwatch.lab.plan import packaged_folder
from stillwatch.lab.task import HarvestRow, Student
from stillwatch.lab.tasks import sets
from stillwatch.lab.tasks.labels import LabelBench, LabelTask

TASK = LabelTask(name="some", instruction="Name the intent.", teaching=400, seeds_a_label=2, most=2_400)


def bench_of(seed: int, labels: int = 16, size: float = 0.3) -> LabelBench:
    rows = sets.load("banking", None)
    known = sorted({row.label for row in rows})[:labels]
    return TASK.bench_of([row for row in rows if row.label in known], seed, size)


@pytest.fixture(scope="module")
def bench() -> LabelBench:
    return bench_of(1)


def stolen(bench: LabelBench, rows: int) -> list[HarvestRow]:
    told = bench.teacher().probabilities(bench.pool[:rows])
    return [HarvestRow(item=item, answer=max(one, key=lambda name: one[name]),
                       logprobs=({name: math.log(max(p, 1e-12)) for name, p in one.items()},))
            for item, one in zip(bench.pool, told, strict=False)]  # fmt: skip


def thief_of(bench: LabelBench, rows: int) -> Student:
    return bench.train(stolen(bench, rows), "base", np.random.default_rng(0))


def examined(bench: LabelBench, student: Student, folder: Path, **changes: object) -> dict[str, Evidence]:
    given: dict[str, object] = {
        "bench": bench, "cell": Cell(task="banking", defence="none", attack="answers"), "student": student,
        "settings": load_settings(packaged_folder() / "none.toml"), "state": folder, "harvest": stolen(bench, 200),
        "errors": sum(not bench.right(item, said) for item, said in zip(
            bench.test, bench.teacher().answers(bench.test), strict=True
        )),
        "rng": np.random.default_rng(0), **changes,
    }  # fmt: skip
    return {one.exam or one.about: one for one in evidence_of(Dock(**given))}  # type: ignore[arg-type]


def test_a_student_of_the_teachers_answers_shares_its_errors_and_an_innocent_one_does_not(
    bench: LabelBench, tmp_path: Path
) -> None:
    found = examined(bench, thief_of(bench, 200), tmp_path)
    for exam in ("error-agreement", "provenance"):
        one = found[exam]
        assert one.log_p is not None and one.log_p < math.log(1e-2), exam
        assert one.innocent_log_p is not None and one.innocent_log_p > math.log(0.05), exam
        assert one.n > 0 and not one.why


def test_innocent_models_are_accused_no_more_often_than_chance_allows(tmp_path: Path) -> None:
    """Six innocents, both exams, after Holm: at one in twenty, more than two come once in four hundred suites."""
    bench = bench_of(2, labels=12)
    innocents = bench.controls(100, "base", 12)[6:]
    harvest = stolen(bench, 100)
    low = [min(one.log_p or 0.0 for one in examined(bench, one, tmp_path, harvest=harvest, errors=50).values())
           for one in innocents]  # fmt: skip
    assert sum(p <= math.log(0.05) for p in low) <= 2


def test_what_carries_no_mark_says_so(bench: LabelBench, tmp_path: Path) -> None:
    student = bench.base("base")
    none = examined(bench, student, tmp_path)["mark"]
    assert none.log_p is None and "marks nothing" in none.why
    watermark = load_settings(packaged_folder() / "watermark.toml")
    labels = examined(bench, student, tmp_path, settings=watermark)["mark"]
    assert labels.log_p is None and "no tokens" in labels.why
    assert ordered_marks(watermark) == ("watermark",)
    assert ordered_marks(load_settings(packaged_folder() / "full.toml")) == ()


def test_two_answers_leave_no_wrong_one_to_choose(tmp_path: Path) -> None:
    bench = bench_of(1, labels=2, size=0.1)
    assert len(bench.pool) > 60
    found = examined(bench, thief_of(bench, 60), tmp_path, harvest=stolen(bench, 60), errors=20)
    assert found["error-agreement"].log_p is None
    assert "only two answers" in found["error-agreement"].why or "no items" in found["error-agreement"].why


def test_a_teacher_without_errors_and_a_student_without_a_harvest_are_not_examined(
    bench: LabelBench, tmp_path: Path
) -> None:
    assert "no errors to share" in examined(bench, bench.base("base"), tmp_path, errors=3)["errors"].why
    assert "nothing was harvested" in examined(bench, bench.base("base"), tmp_path, harvest=[])["errors"].why
