"""Removal takes harvests that this lab made and signed, and nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stillwatch.lab.cell import Cell
from stillwatch.lab.manifest import KEY_FILE, checked, keep_manifest, lab_key, read_manifest, signed
from stillwatch.lab.removal import REMOVALS, remove
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


def test_a_run_folders_key_is_its_owners_alone_and_is_never_half_a_key(tmp_path: Path) -> None:
    key = lab_key(tmp_path)
    assert lab_key(tmp_path) == key
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0
    (tmp_path / KEY_FILE).write_bytes(b"")
    with pytest.raises(StillwatchError, match="must be 32"):
        lab_key(tmp_path)


def test_no_text_stands_in_a_manifest() -> None:
    rows = harvest()
    said = repr(signed(rows, CELL, KEY)) + repr(rows[0]) + repr(rows[0].item)
    assert all(row.item.text not in said for row in rows)


@pytest.mark.parametrize("name", REMOVALS.names())
def test_every_removal_is_deterministic_and_leaves_rows_to_learn_from(name: str) -> None:
    rows = harvest()
    cleaned = [remove(rows, (signed(rows, CELL, KEY), KEY), (name,), BENCH, job()) for _ in range(2)]
    assert list(cleaned[0]) == list(cleaned[1])
    assert len(cleaned[0]) >= 0.8 * len(rows)


def test_wrong_rows_are_what_the_filter_by_loss_drops() -> None:
    rows = harvest(120)
    wrong = set(range(0, 120, 12))
    bent = [replace(row, answer="balance" if row.answer != "balance" else "alarm") if i in wrong else row
            for i, row in enumerate(rows)]  # fmt: skip
    kept = remove(bent, (signed(bent, CELL, KEY), KEY), ("by-loss",), BENCH, job())
    left = sum(bent[i] in kept for i in wrong)
    assert left <= len(wrong) // 2
