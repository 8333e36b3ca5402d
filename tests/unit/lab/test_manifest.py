"""Removal takes harvests that this lab made and signed, and nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stillwatch.lab.cell import Cell
from stillwatch.lab.manifest import checked, keep_manifest, read_manifest, signed
from stillwatch.lab.removal import REMOVALS, _borne, finished, remove
from stillwatch.lab.task import HarvestRow, Item, Job
from stillwatch.terms.errors import StillwatchError
from tests.lab_toy import toy_bench

KEY = b"k" * 32
CELL = Cell(task="toy", defence="none", attack="soft")
BENCH = toy_bench()


def harvest(n: int = 60) -> list[HarvestRow]:
    teacher = BENCH.teacher()
    items = BENCH.pool[:n]
    return [HarvestRow(item=item, answer=said) for item, said in zip(items, teacher.answers(items), strict=True)]


def job() -> Job:
    return Job(thief="adaptive", start="base", rng=np.random.default_rng(1))


def test_a_signed_harvest_is_given_back() -> None:
    rows = harvest()
    assert checked(rows, signed(rows, CELL, KEY), KEY) == rows


@pytest.mark.parametrize("forged", ["key", "row", "cell", "order"])
def test_what_the_lab_did_not_sign_is_refused(forged: str) -> None:
    rows = harvest()
    manifest = signed(rows, CELL, KEY)
    if forged == "row":
        rows[0] = replace(rows[0], item=Item(id="x", text="a text of somebody else"))
    if forged == "order":
        rows = rows[::-1]
    if forged == "cell":
        manifest = replace(manifest, cell=replace(CELL, seed=2))
    with pytest.raises(StillwatchError, match="made and signed"):
        checked(rows, manifest, b"x" * 32 if forged == "key" else KEY)


def test_a_kept_manifest_is_read_back_and_anything_else_is_refused(tmp_path: Path) -> None:
    manifest = signed(harvest(), CELL, KEY)
    keep_manifest(manifest, tmp_path / "one.json")
    assert read_manifest(tmp_path / "one.json") == manifest
    (tmp_path / "two.json").write_text("{}")
    with pytest.raises(StillwatchError, match="must be one that the lab wrote"):
        read_manifest(tmp_path / "two.json")


def test_no_text_stands_in_a_manifest() -> None:
    rows = harvest()
    said = repr(signed(rows, CELL, KEY)) + repr(rows[0]) + repr(rows[0].item)
    assert all(row.item.text not in said for row in rows)


@pytest.mark.parametrize("name", REMOVALS.names())
def test_every_removal_is_deterministic_and_leaves_rows_to_learn_from(name: str) -> None:
    rows = harvest()
    cleaned = [remove(rows, (signed(rows, CELL, KEY), KEY), (name,), BENCH, job()) for _ in range(2)]
    assert list(cleaned[0]) == list(cleaned[1])
    assert len(cleaned[0]) >= (0.4 if name == "by-answer" else 0.8) * len(rows)


@pytest.mark.parametrize("name", REMOVALS.names())
def test_every_removal_gives_back_a_student_that_answers(name: str) -> None:
    rows = harvest()
    student = BENCH.train(rows, "base", np.random.default_rng(1))
    said = finished(student, rows, (name,), BENCH, job()).answers(BENCH.test[:20])
    assert len(said) == 20 and all(said)


def test_a_third_of_rows_is_told_anew_and_the_others_stay() -> None:
    rows = harvest()
    told = remove(rows, (signed(rows, CELL, KEY), KEY), ("targeted",), BENCH, job())
    assert [row.item for row in told] == [row.item for row in rows]
    assert sum(a.answer != b.answer for a, b in zip(told, rows, strict=True)) <= len(rows) // 3


def test_what_the_base_would_say_less_often_is_told_anew_first() -> None:
    said = [[("", "rare"), ("rare", "bird")], [("", "plain"), ("plain", "bird")], []]
    borne = _borne(said, [[("", "plain"), ("plain", "bird")]] * 3)
    assert borne[0] > 0.0 > borne[1] > borne[2]


@pytest.mark.parametrize("name", ["by-loss", "by-answer"])
def test_wrong_rows_are_what_filters_drop(name: str) -> None:
    rows = harvest(120)
    wrong = set(range(0, 120, 12))
    bent = [replace(row, answer="balance" if row.answer != "balance" else "alarm") if i in wrong else row
            for i, row in enumerate(rows)]  # fmt: skip
    kept = remove(bent, (signed(bent, CELL, KEY), KEY), (name,), BENCH, job())
    left = sum(bent[i] in kept for i in wrong)
    assert left <= len(wrong) // 2
