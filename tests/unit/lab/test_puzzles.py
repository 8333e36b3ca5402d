"""Puzzles are right, their words cover them, and the tasks made of them say what they need where torch is absent."""

import json
from typing import Any

import numpy as np
import pytest

from stillwatch.lab.neural import need, sequencetask
from stillwatch.lab.neural.need import need_torch
from stillwatch.lab.neural.puzzles import DAYS, PUZZLES, Puzzle, addition, machine, tool_call
from stillwatch.lab.neural.words import END, PAD, SAY, THINK, Words
from stillwatch.lab.plan import find_plan, read_plan
from stillwatch.lab.removal import REMOVALS
from stillwatch.lab.task import HarvestRow, Item, Job
from stillwatch.lab.tasks import TASKS
from stillwatch.terms.errors import StillwatchError


def test_sums_are_right_and_so_is_every_step() -> None:
    rng = np.random.default_rng(1)
    for worked in (addition(rng) for _ in range(300)):
        a, b = worked.question.split()[1].split("+")
        assert int(worked.answer) == int(a) + int(b)
        for step in worked.reasoning.rstrip(".").split(". "):
            terms, total = step.split("=")
            assert sum(map(int, terms.split("+"))) == int(total)


def test_the_machine_goes_the_same_way_from_the_same_place() -> None:
    rng, leads = np.random.default_rng(2), {}
    for worked in (machine(rng) for _ in range(400)):
        steps = [step.split() for step in worked.reasoning.rstrip(".").split(". ")]
        assert worked.answer.split() == [steps[3][2], steps[7][2]]
        assert all(before[2] == after[0] for before, after in zip(steps, steps[1:], strict=False))
        for at, button, to in steps:
            assert leads.setdefault((at, button), to) == to
    assert len(leads) == 60 and len({(button, to) for (_, button), to in leads.items()}) == 60


def test_calls_fulfil_what_was_wished() -> None:
    rng = np.random.default_rng(3)
    for worked in (tool_call(rng) for _ in range(300)):
        call: dict[str, Any] = json.loads(worked.answer)
        words = worked.question.split()
        today, ahead = words[words.index("from") + 1], int(words[words.index("days") - 1])
        assert DAYS.index(call["day"]) == (DAYS.index(today) + ahead) % 7
        assert call["city"] in words and (int(call["hour"]) >= 12) == ("evening" in words)


@pytest.mark.parametrize("puzzle", PUZZLES, ids=lambda puzzle: puzzle.name)
def test_completions_come_apart_into_reasoning_and_answer(puzzle: Puzzle) -> None:
    words, rng = Words.of(puzzle), np.random.default_rng(4)
    worked = [puzzle.draw(rng) for _ in range(100)]
    said = words.completions([one.reasoning for one in worked], [one.answer for one in worked])
    assert (said[:, 0] == THINK).all() and ((said == SAY).sum(1) == 1).all() and ((said == END).sum(1) == 1).all()
    for row, one in zip(said, worked, strict=True):
        assert tuple(words.text(part) for part in words.parts(row)) == (one.reasoning, one.answer)
    bare = words.completions(["" for _ in worked], [one.answer for one in worked])
    assert (bare[:, 0] == SAY).all() and (words.questions([worked[0].question])[0] != PAD).any()


def test_without_torch_neural_tasks_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(need, "has_torch", lambda: False)
    monkeypatch.setattr(sequencetask, "has_torch", lambda: False)
    assert "pip install 'stillwatch[lab]'" in TASKS.get("machine").missing(None)
    with pytest.raises(StillwatchError, match=r"pip install 'stillwatch\[lab\]'"):
        need_torch()


@pytest.mark.parametrize("name", ["sequences", "large", "standard"])
def test_packaged_plans_are_read_and_hold_a_row_without_defence(name: str) -> None:
    plan = read_plan(find_plan(name))
    for task in {cell.task for cell in plan.cells}:
        assert any(cell.defence == "none" for cell in plan.cells if cell.task == task)
    if name == "large":
        assert len(plan.cells) <= 6


def test_inversion_leaves_the_harvest_of_a_task_without_reasoning() -> None:
    rows = [HarvestRow(item=Item(id=str(i), text="x"), answer="a", reasoning="r") for i in range(3)]
    job = Job(thief="adaptive", start="base", rng=np.random.default_rng(1))
    bench: Any = object()
    assert REMOVALS.get("inverted").clean(rows, bench, job) == rows
    assert [row.reasoning for row in REMOVALS.get("bare").clean(rows, bench, job)] == ["", "", ""]
