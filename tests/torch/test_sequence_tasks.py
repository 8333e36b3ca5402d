"""Sequence tasks: the teacher learns, its wire says what it drew, and a student learns what the harvest holds."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; run `make test-torch`")

from stillwatch.lab.cell import Cell  # noqa: E402
from stillwatch.lab.neural.neutralised import Taken, chances_of  # noqa: E402
from stillwatch.lab.neural.puzzles import PUZZLES, Puzzle, Worked  # noqa: E402
from stillwatch.lab.neural.sequencemodel import Drawing, SequenceModel, Size  # noqa: E402
from stillwatch.lab.neural.sequencetask import SequenceBench, SequenceStudent, SequenceTask  # noqa: E402
from stillwatch.lab.neural.words import PAD, Words  # noqa: E402
from stillwatch.lab.task import Answer, Ask, HarvestRow, Item, Job  # noqa: E402
from stillwatch.treatments.marks.order import FIELD, NAME, MarkOrder, sign  # noqa: E402
from stillwatch.treatments.marks.ring import Ring  # noqa: E402

LETTERS = "abcdef"


def spell(rng: np.random.Generator) -> Worked:
    """Return three letters, each moved on by one, and the last of them."""
    drawn = rng.integers(6, size=3)
    moved = [LETTERS[(i + 1) % 6] for i in drawn]
    thing = "apples" if rng.random() < 0.5 else "books"
    question = f"{thing} " + " ".join(LETTERS[i] for i in drawn)
    return Worked(question, " ".join(f"{one}." for one in moved), f"{moved[1]} {moved[2]}")


TOY = Puzzle(
    name="spell", instruction="Move on.", draw=spell, words=("apples", "books", *LETTERS, "."), asked=4, said=11
)
TASK = SequenceTask(puzzle=TOY, teacher_steps=150, base_steps=20, student_steps=60, owned=8)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> SequenceBench:
    made = TASK.bench(1, None, 0.02)
    made.keep_in(tmp_path_factory.mktemp("models"))
    made.model("teacher")
    return made


def harvest(bench: SequenceBench, how: Ask) -> list[HarvestRow]:
    rows = []
    for item in bench.pool:
        choice = bench.speaking().respond(bench.request(item, how))["choices"][0]
        rows.append(HarvestRow(item=item, answer=choice["message"]["content"],
                               reasoning=choice["message"].get("reasoning_content", "")))  # fmt: skip
    return rows


def share_right(bench: SequenceBench, answers: list[str]) -> float:
    return float(np.mean([bench.right(item, said) for item, said in zip(bench.test, answers, strict=True)]))


@pytest.mark.parametrize("puzzle", PUZZLES, ids=lambda puzzle: puzzle.name)
def test_every_text_of_a_puzzle_survives_its_vocabulary(puzzle: Puzzle) -> None:
    words, rng = Words.of(puzzle), np.random.default_rng(3)
    for worked in [puzzle.draw(rng) for _ in range(200)] + [puzzle.barred(rng) for _ in range(20)]:
        assert all(words.text(words.tokens(text)) == text for text in worked)
        assert len(words.tokens(worked.question)) <= words.asked
        said = words.completions([worked.reasoning], [worked.answer])[0]
        thought, answer = words.parts(said)
        assert (words.text(thought), words.text(answer)) == (worked.reasoning, worked.answer)


def test_the_teacher_learns_and_declines(bench: SequenceBench) -> None:
    assert share_right(bench, bench.teacher().answers(bench.test)) > 0.95
    assert bench.teacher().answers(bench.forbidden).count(bench.refusal) > 0.9 * len(bench.forbidden)


def test_the_wire_gives_answer_reasoning_and_probabilities(bench: SequenceBench) -> None:
    item = bench.test[0]
    body = bench.request(item, Ask(logprobs=3, reasoning=True))
    choice = bench.speaking().respond(body)["choices"][0]
    assert choice["message"]["content"] == bench.teacher().answers([item])[0]
    assert choice["message"]["reasoning_content"].count(".") == 3
    entries = choice["logprobs"]["content"]
    assert [entry["token"] for entry in entries] == choice["message"]["content"].split()
    assert all(len(entry["top_logprobs"]) <= 3 and entry["logprob"] <= 0.0 for entry in entries)
    plain = bench.speaking().respond(bench.request(item, Ask()))["choices"][0]
    assert "reasoning_content" not in plain["message"] and plain["logprobs"] is None


def test_answers_in_batches_are_those_of_one_by_one(bench: SequenceBench) -> None:
    asked = bench.words.questions([item.text for item in bench.test])
    together = bench.model("teacher").say(asked).tokens
    alone = np.concatenate([bench.model("teacher").say(asked[i : i + 1]).tokens for i in range(len(asked))])
    assert np.array_equal(together, alone)


def test_samples_follow_the_seed_and_differ(bench: SequenceBench) -> None:
    body = bench.request(bench.pool[0], Ask(samples=8, temperature=2.0))
    said = [[choice["message"]["content"] for choice in bench.speaking().fresh().respond(body)["choices"]]
            for _ in range(2)]  # fmt: skip
    assert said[0] == said[1] and len(set(said[0])) > 1


def test_the_judge_agrees_with_the_teachers_own_answer(bench: SequenceBench) -> None:
    own = bench.teacher().answers(bench.test[:1])[0]
    verdicts = [bench.speaking().respond(bench.request(bench.test[0], Ask(judge=proposed)))["choices"][0]
                for proposed in (own, "a a" if own != "a a" else "b b")]  # fmt: skip
    assert [one["message"]["content"] for one in verdicts] == ["yes", "no"]


def test_a_student_of_reasoning_comes_near_to_the_teacher(bench: SequenceBench) -> None:
    rows = harvest(bench, Ask(reasoning=True))
    assert all(row.reasoning for row in rows)
    student = bench.train(rows, "base", np.random.default_rng(1))
    base, own = (share_right(bench, one.answers(bench.test)) for one in (bench.base("base"), student))
    assert own > base + 0.3


def test_probabilities_are_learned_where_the_answer_stands(bench: SequenceBench) -> None:
    row = HarvestRow(item=bench.pool[0], answer="a b", logprobs=({"a": np.log(0.6), "c": np.log(0.2)}, {"b": 0.0}))
    examples = bench.examples([row])
    assert examples.soft is not None
    first = int(np.flatnonzero(examples.said[0] == bench.words.ids["a"])[0])
    assert examples.soft[0, first, bench.words.ids["a"]] == pytest.approx(0.75)
    assert examples.soft[0, first, bench.words.ids["c"]] == pytest.approx(0.25)
    assert examples.soft[0, first + 1, bench.words.ids["b"]] == pytest.approx(1.0)
    assert examples.soft[0].sum() == pytest.approx(2.0)


def test_inversion_gives_reasoning_and_keeps_answers(bench: SequenceBench) -> None:
    rows = [replace(row, reasoning="") for row in harvest(bench, Ask())]
    job = Job(thief="adaptive", start="base", rng=np.random.default_rng(2))
    told = bench.invert(rows, job)
    assert [row.answer for row in told] == [row.answer for row in rows]
    assert job.found["inverted"] > 0 and sum(bool(row.reasoning) for row in told) >= job.found["inverted"]


def test_what_a_neutralised_student_says_is_the_students_less_the_table(bench: SequenceBench) -> None:
    rows = harvest(bench, Ask(reasoning=True))
    job = Job(thief="passive", start="base", rng=np.random.default_rng(2))
    student = bench.train(rows, "base", job.rng)
    other = bench.neutralised(student, rows, job)
    assert isinstance(student, SequenceStudent) and isinstance(other, SequenceStudent)
    assert student.hook is None and isinstance(other.hook, Taken) and np.abs(other.hook.table).max() > 0.05
    asked = bench.words.questions([item.text for item in bench.test[:5]])
    plain, less = (student.model.say(asked, Drawing(hook=hook)) for hook in (None, other.hook))
    wanted = plain.logs[:, 0] - other.hook.table[PAD]
    wanted -= np.log(np.exp(wanted).sum(1, keepdims=True))
    assert np.allclose(less.logs[:, 0], wanted, atol=1e-4)
    assert other.answers(bench.test) == other.answers(bench.test)


def test_chances_of_a_model_are_those_of_its_own_places(bench: SequenceBench) -> None:
    examples = bench.examples(harvest(bench, Ask(reasoning=True))[:6])
    found = chances_of(bench.model("teacher"), examples)
    keep = examples.said != PAD
    assert found.places.sum() == keep.sum()
    assert np.allclose(found.total.sum(axis=1), found.places, rtol=1e-4)
    said = bench.model("teacher").losses(examples)
    first = bench.model("teacher").say(examples.asked, forced=examples.said).logs
    told = np.take_along_axis(first, examples.said[..., None], 2)[..., 0]
    assert np.allclose(-(told * keep).sum(1) / keep.sum(1), said, atol=1e-3)


def test_signed_orders_are_followed_and_others_counted(bench: SequenceBench) -> None:
    ring = Ring.new(bytes(range(32)), 0.0, delta=4.0, vocab=256, spare=1.0)
    order = MarkOrder(epoch=1, account=ring.current.tag("account", "acme"), until=1e12, proxy_share=0.5)
    body: dict[str, Any] = bench.request(bench.pool[0], Ask(logprobs=5))
    body[FIELD] = {NAME: sign(order, ring)}
    teacher = bench.speaking().fresh()
    plain = teacher.respond(body)["choices"][0]
    assert teacher.missed == 1
    teacher.ring = ring
    marked = teacher.respond(body)["choices"][0]
    assert teacher.missed == 1
    assert [one["logprob"] for one in marked["logprobs"]["content"]] != [
        one["logprob"] for one in plain["logprobs"]["content"]
    ]


def test_weights_are_kept_and_taken_up(bench: SequenceBench) -> None:
    again = TASK.bench(1, None, 0.02)
    again.keep_in(bench.kept or Path())
    assert again.teacher().answers(bench.test) == bench.teacher().answers(bench.test)


def test_a_partner_of_share_one_is_all_that_is_drawn_from() -> None:
    one, two = (SequenceModel.fresh(Size(8, 3, 6, 16, 1), seed) for seed in (1, 2))
    asked = np.array([[4, 5, 6]])
    assert np.array_equal(one.say(asked, Drawing(partner=two, share=1.0)).tokens, two.say(asked).tokens)


def test_one_cell_runs_through_the_gateway(bench: SequenceBench, tmp_path: Path) -> None:
    from stillwatch.app.labcell import CellSetup, run_cell
    from stillwatch.app.settings import load_settings
    from stillwatch.lab.cell import Budget
    from stillwatch.lab.plan import packaged_folder
    from stillwatch.lab.slots import Pace
    from stillwatch.lab.traffic import load_corpus

    setup = CellSetup(
        bench=bench, settings=load_settings(packaged_folder() / "reasoning_strip.toml"), verdict="given", pace=Pace(),
        judge_hours=24.0, decide_hours=24.0, background=0, corpus=load_corpus(), folder=tmp_path / "state",
        key=bytes(32),
    )  # fmt: skip
    cell = Cell(task="spell", defence="strip", attack="reasoning", budget=Budget(queries=40, accounts=4))
    row = asyncio.run(run_cell(cell, setup))
    assert row.harvested == row.spent.queries == 40
    assert row.teacher.value > 0.95 and row.teacher_safeguards.value > 0.9
    assert row.honest_points is not None and row.honest_points.value == 0.0


def test_an_answer_is_read_in_one_form(bench: SequenceBench) -> None:
    assert bench.read(Answer(status=200, texts=(" a  b. so",))) == "a b."
    assert bench.right(Item(id="x", text="", answer="a b"), "a b")


def test_a_mark_in_the_harvest_is_read_in_its_student_and_not_in_one_of_unmarked_answers(
    bench: SequenceBench, tmp_path: Path
) -> None:
    """Answers drawn hot, so that the mark has a choice to stand in: puzzles answered coldly carry none."""
    from stillwatch.app.labevidence import Dock, evidence_of
    from stillwatch.app.markring import MarkKeys, new_ring
    from stillwatch.app.settings import load_settings
    from stillwatch.lab.cell import Cell
    from stillwatch.lab.plan import packaged_folder
    from stillwatch.treatments.marks.config import MarkConfig

    config = MarkConfig(delta=4.0, spare=1.0, vocabulary=256, provider_share=1.0, campaign_share=0.0, account_share=0.0)
    ring = new_ring(tmp_path, config, 0.0, bytes(range(32)))
    marks = MarkKeys(tmp_path, 600.0, "lab")()
    assert marks is not None
    order, teacher, rows = marks.order("acme", "lab", 1e9), bench.speaking().fresh(), []
    teacher.ring = ring
    for item in [*bench.pool] * 3:
        body = {**bench.request(item, Ask(reasoning=True, temperature=2.0)), FIELD: {NAME: order}}
        message = teacher.respond(body)["choices"][0]["message"]
        rows.append(HarvestRow(item=item, answer=message["content"], reasoning=message.get("reasoning_content", "")))
    student = bench.train(rows, "scratch", np.random.default_rng(5))
    dock = Dock(
        bench=bench, cell=Cell(task="spell", defence="watermark", attack="reasoning"), student=student,
        settings=load_settings(packaged_folder() / "watermark.toml"), state=tmp_path, harvest=rows, errors=0,
        rng=np.random.default_rng(6),
    )  # fmt: skip
    found = {one.exam or one.about: one for one in evidence_of(dock)}
    assert "no errors to share" in found["errors"].why
    assert {"served-logits", "reference-residual"} <= set(found)
    logits = found["served-logits"]
    assert logits.log_p is not None and logits.innocent_log_p is not None and logits.n > 5
    assert logits.log_p < np.log(0.01) < logits.innocent_log_p


def test_reasoning_told_conclusion_first_is_put_back_in_order_and_other_reasoning_is_left() -> None:
    from stillwatch.lab.removal import REMOVALS
    from stillwatch.treatments.reasoningtext import conclusion_first

    def climb(rng: np.random.Generator) -> Worked:
        start = int(rng.integers(6))
        steps = [f"{i} {i + 1}." for i in range(start, start + 3)]
        return Worked(f"apples {start}", " ".join(steps), str(start + 3))

    puzzle = Puzzle(name="climb", instruction="Climb.", draw=climb, words=("apples", *"0123456789."), asked=2, said=13)
    owned = tuple(climb(np.random.default_rng(i)) for i in range(12))
    bench = replace(TASK.bench(1, None, 0.02), task=SequenceTask(puzzle=puzzle, base_steps=60), words=Words.of(puzzle),
                    owned=owned)  # fmt: skip
    rows = [HarvestRow(item=Item(id=one.question, text=one.question), answer=one.answer, reasoning=one.reasoning)
            for one in owned[:6]]  # fmt: skip
    first = [replace(row, reasoning=conclusion_first(row.reasoning)) for row in rows]
    assert [row.reasoning for row in first] != [row.reasoning for row in rows]
    for told, changed in ((first, 1), (rows, 0)):
        job = Job(thief="adaptive", start="base", rng=np.random.default_rng(2))
        assert REMOVALS.get("reordered").clean(told, bench, job) == rows
        assert job.found["reordered"] == changed
