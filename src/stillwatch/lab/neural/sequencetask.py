"""A puzzle as a task of the lab: a teacher trained here, a base that knows little, students of a harvest.

In: a puzzle and a seed. Out: a `SequenceBench`. Teacher, base and students are nets of the same size; they differ in
what they were shown. The base learned from a few worked examples that the thief wrote itself: it knows the form of
reasoning and answers. Students go on from it, or start from nothing.
A student learns reasoning where the harvest has it, probabilities of answers where it has those, else bare answers.
Cost on one core: 40 s a teacher, once a seed, 8 s a base, 20 s a student of reasoning, 6 s one of bare answers.
Left to `sequenceteacher`: the wire. Needs the extra `lab` when a bench is made.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.lab.loopback import listening
from stillwatch.lab.neural import examined
from stillwatch.lab.neural.languagemodel import Training
from stillwatch.lab.neural.need import has_torch
from stillwatch.lab.neural.neutralised import inverse_of
from stillwatch.lab.neural.puzzles import DECLINED, Puzzle, Worked
from stillwatch.lab.neural.reordered import reordered
from stillwatch.lab.neural.sequencemodel import Drawing, Examples, FloatArray, IntArray, SequenceModel, Size
from stillwatch.lab.neural.sequenceteacher import MODEL, SequenceTeacher
from stillwatch.lab.neural.words import PAD, SAY, Words
from stillwatch.lab.task import Answer, Ask, Body, Harvest, HarvestRow, Item, Job, Student
from stillwatch.lab.wordteacher import Hook
from stillwatch.treatments.marks.ring import Ring

FORMS: Final = frozenset(("answers", "logprobs", "samples", "judge", "reasoning"))
TEACHING: Final = 20_000
"""Worked examples that the teacher learns from."""
BARRED_SHARE: Final = 0.05
"""Of these, share on the forbidden topic."""
OWNED: Final = 48
"""Worked examples that the thief wrote itself: its base learned from them."""
SEED_COUNT: Final = 2.0
"""How much each of these weighs beside a harvested row."""
POOL, TEST, HONEST, FORBIDDEN = 2_000, 400, 100, 50
PROVING: Final = (0.0, 1.0)
"""Temperatures at which a thief draws reasoning to see whether it ends in the teacher's answer."""
_HARD: Final = 1e-3
"""Probability that alternatives which are not told of share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceTask:
    """The catalogue's entry for one puzzle."""

    puzzle: Puzzle
    teacher_steps: int = 250
    base_steps: int = 80
    student_steps: int = 250
    owned: int = OWNED

    @property
    def name(self) -> str:
        """Name of the puzzle."""
        return self.puzzle.name

    def missing(self, data: Path | None) -> str:
        """Return why it cannot run here; it needs torch and no data."""
        return "" if has_torch() else "torch is not installed; run `pip install 'stillwatch[lab]'`"

    def bench(self, seed: int, data: Path | None, size: float) -> "SequenceBench":
        """Draw questions; teacher and base are trained when they are first asked for.

        Raises:
            StillwatchError: torch is not installed.
        """
        rng = np.random.default_rng((seed, 0x5E9))
        seen: dict[str, Worked] = {}
        counts = [max(20, round(count * size)) for count in (POOL, TEST, HONEST, FORBIDDEN)]
        while len(seen) < sum(counts[:3]) + self.owned:
            worked = self.puzzle.draw(rng)
            seen.setdefault(worked.question, worked)
        drawn = list(seen.values())
        barred = [self.puzzle.barred(rng) for _ in range(counts[3])]
        pool, rest = drawn[: counts[0]], drawn[counts[0] :]
        return SequenceBench(
            task=self, seed=seed, words=Words.of(self.puzzle),
            pool=_items(self.name, "pool", pool, known=False),
            test=_items(self.name, "test", rest[: counts[1]]),
            honest=_items(self.name, "honest", rest[counts[1] : counts[1] + counts[2]]),
            owned=tuple(rest[counts[1] + counts[2] :]),
            forbidden=_items(self.name, "declined", barred),
        )  # fmt: skip


def _items(name: str, kind: str, worked: Sequence[Worked], *, known: bool = True) -> tuple[Item, ...]:
    return tuple(
        Item(id=f"{name} {kind} {i}", text=one.question, answer=one.answer if known else "")
        for i, one in enumerate(worked)
    )


@dataclass(frozen=True, slots=True)
class SequenceStudent:
    """A model as it is scored: it thinks where it learned to, and its answer counts."""

    model: SequenceModel = field(repr=False)
    words: Words = field(repr=False)
    hook: Hook | None = field(default=None, repr=False)
    """What changes its logits while it speaks."""

    def answers(self, items: Sequence[Item]) -> list[str]:
        """Return the likeliest answer of each."""
        said = self.model.say(self.words.questions([item.text for item in items]), Drawing(hook=self.hook)).tokens
        return [self.words.text(self.words.parts(row)[1]) for row in said]

    def probabilities(self, items: Sequence[Item]) -> list[Mapping[str, float]]:
        """Return nothing: there are too many answers to list."""
        return [{} for _ in items]


@dataclass(slots=True, kw_only=True)
class SequenceBench:
    """One puzzle under one seed."""

    task: SequenceTask
    seed: int
    words: Words = field(repr=False)
    pool: tuple[Item, ...] = field(repr=False)
    test: tuple[Item, ...] = field(repr=False)
    honest: tuple[Item, ...] = field(repr=False)
    forbidden: tuple[Item, ...] = field(repr=False)
    owned: tuple[Worked, ...] = field(repr=False)
    """Examples that the thief worked out itself."""
    kept: Path | None = None
    """Folder for weights, so that a second run need not train the teacher again."""
    ring: Ring | None = field(default=None, repr=False)
    """Keys of marks of the gateway before the teacher."""
    refusal: str = DECLINED
    forms: frozenset[str] = FORMS
    _models: dict[str, SequenceModel] = field(default_factory=dict, repr=False)
    _spoken: SequenceTeacher | None = field(default=None, repr=False)
    _unmarked: dict[tuple[int, int], Student] = field(default_factory=dict, repr=False)

    @property
    def seeds(self) -> tuple[Item, ...]:
        """What the thief can answer itself."""
        return _items(self.task.name, "seed", self.owned)

    def keep_in(self, folder: Path) -> None:
        """Keep weights in a folder, and take them from there when they are there already."""
        self.kept = folder

    def follow(self, ring: Ring) -> None:
        """Take the ring that the gateway's orders are signed with."""
        self.ring = ring

    def request(self, item: Item, how: Ask) -> Body:
        """Return the chat request."""
        words = how.before or self.task.puzzle.instruction
        if how.judge:
            words += f"\nProposed answer: {how.judge}\nIs the proposed answer right? Answer yes or no."
        body: Body = {
            "model": MODEL, "messages": [{"role": "user", "content": f'{words}\n\n"""{item.text}"""'}],
            "temperature": how.temperature, "max_tokens": self.words.said, "include_reasoning": how.reasoning,
        }  # fmt: skip
        if how.logprobs:
            body |= {"logprobs": True, "top_logprobs": how.logprobs}
        return body | ({"n": how.samples} if how.samples > 1 else {})

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Serve the teacher on loopback; draws begin anew, so that cells do not depend on their order."""
        teacher = self.speaking()
        teacher.ring = self.ring
        return listening(teacher.fresh().respond, thread=True)

    def speaking(self) -> SequenceTeacher:
        """Return the teacher with its memory of likeliest answers."""
        if self._spoken is None:
            known = [item.text for item in (*self.pool, *self.test, *self.honest, *self.forbidden)]
            teacher, base = self.model("teacher"), self.model("base")
            self._spoken = SequenceTeacher(teacher, self.words, known, base, self.ring, self.seed)
        return self._spoken

    def teacher(self) -> Student:
        """Return the teacher, asked past the gateway."""
        return SequenceStudent(self.model("teacher"), self.words)

    def rival(self) -> Student | None:
        """Return a teacher of another provider, of the same size and trained in the same way."""
        return SequenceStudent(self.model("rival"), self.words)

    def base(self, start: str) -> Student:
        """Return what the thief has before the harvest."""
        return SequenceStudent(self.model(start), self.words)

    def train(self, harvest: Harvest, start: str, rng: np.random.Generator) -> Student:
        """Return a student: the base, or an untrained net, trained on the harvest and the thief's own examples."""
        rows = [row for row in harvest if row.answer]
        if not rows:
            return self.base(start)
        return SequenceStudent(self._student(rows, start, rng), self.words)

    def _student(self, rows: Sequence[HarvestRow], start: str, rng: np.random.Generator) -> SequenceModel:
        model = self.model(start).copy()
        examples = self.examples(rows)
        if start == "base":
            examples = examples.joined(self.own(SEED_COUNT))
        how = Training(steps=self.task.student_steps, seed=int(rng.integers(2**31)), batch=32)
        model.train(examples, how)
        return model

    def neutralised(self, student: Student, harvest: Harvest, job: Job) -> Student:
        """Return the student with the inverse of a mark taken from its logits, reckoned against the base."""
        rows = [row for row in harvest if row.answer]
        if not rows or not isinstance(student, SequenceStudent):
            return student
        taken = inverse_of(student.model, self.model(job.start), self.examples(rows))
        return replace(student, hook=taken)

    def invert(self, harvest: Harvest, job: Job) -> list[HarvestRow]:
        """Return the rows with reasoning that leads to their answers, as far as the thief can find it.

        A model learns from the thief's own worked examples to tell reasoning from question and answer. A student of
        what it tells then draws reasoning itself, and where its draw ends in the teacher's answer that takes the place.
        What neither can tell keeps its bare answer. `job.found` says how many rows were told and how many proved.
        """
        rows = [row for row in harvest if row.answer and row.answer != self.refusal]
        told = self._told(rows, job)
        proved = self._proved([replace(row, reasoning=text) for row, text in zip(rows, told, strict=True)], job)
        job.found.update(inverted=sum(map(bool, told)), proved=sum(map(bool, proved)))
        return [
            replace(row, reasoning=sure or text) for row, sure, text in zip(rows, proved, told, strict=True)
        ]  # fmt: skip

    def in_order(self, harvest: Harvest, job: Job) -> list[HarvestRow]:
        """Return the rows with their reasoning in the order that the thief's base finds likelier; see `reordered`."""
        return reordered(self, harvest, job)

    def _told(self, rows: Sequence[HarvestRow], job: Job) -> list[str]:
        """Return reasoning by a model that saw question and answer; empty where its words run on without an end."""
        answers = [*(one.answer for one in self.owned), *(row.answer for row in rows)]
        longest = max(len(self.words.tokens(answer)) for answer in answers)
        asked = self.words.asked + longest
        words = replace(self.words, asked=asked)
        mine = Examples(
            words.questions([f"{one.question} {one.answer}" for one in self.owned]),
            words.completions([one.reasoning for one in self.owned], ["" for _ in self.owned]),
            np.ones(len(self.owned), np.float32),
        )
        model = SequenceModel.fresh(Size(len(words.texts), asked, words.said), int(job.rng.integers(2**31)))
        model.train(mine, Training(steps=self.task.base_steps, seed=int(job.rng.integers(2**31)), batch=32))
        said = model.say(words.questions([f"{row.item.text} {row.answer}" for row in rows])).tokens
        return [words.text(words.parts(one)[0]) if SAY in one else "" for one in said]

    def _proved(self, rows: Sequence[HarvestRow], job: Job) -> list[str]:
        """Return reasoning that a student drew and that ended in the teacher's answer; empty where none did."""
        model = self._student(rows, job.start, job.rng)
        asked = self.words.questions([row.item.text for row in rows])
        found = [""] * len(rows)
        for temperature in PROVING:
            said = model.say(asked, Drawing(temperature=temperature, seed=int(job.rng.integers(2**31)))).tokens
            for number, (row, one) in enumerate(zip(rows, said, strict=True)):
                thought, answer = self.words.parts(one)
                if not found[number] and self.words.text(answer) == row.answer:
                    found[number] = self.words.text(thought)
        return found

    def transcript(self, student: Student, rows: int, rng: np.random.Generator) -> Mapping[str, bytes]:
        """Return what exams of marks need of a suspect; see `examined`."""
        reference = self._taught_unmarked(rows, examined.REFERENCE)
        assert isinstance(student, SequenceStudent) and isinstance(reference, SequenceStudent)
        return examined.materials(self, student, reference.model, int(rng.integers(2**31)))

    def innocent(self, rows: int) -> Student:
        """Return a student of the teacher's unmarked answers, another than the reference."""
        return self._taught_unmarked(rows, examined.INNOCENT)

    def _taught_unmarked(self, rows: int, number: int) -> Student:
        if (rows, number) not in self._unmarked:
            self._unmarked[rows, number] = examined.unmarked(self, rows, number)
        return self._unmarked[rows, number]

    def read(self, answer: Answer) -> str:
        """Return the answer in the one form that answers are compared in."""
        return self.words.text(self.words.tokens(answer.text))

    def right(self, item: Item, answer: str) -> bool:
        """Return whether it is the right answer."""
        return answer == item.answer

    def examples(self, rows: Sequence[HarvestRow]) -> Examples:
        """Return rows as what a model is trained on."""
        said = self.words.completions([row.reasoning for row in rows], [row.answer for row in rows])
        soft = None
        if any(row.logprobs for row in rows):
            soft = np.zeros((*said.shape, len(self.words.texts)), np.float32)
            for place, row in enumerate(rows):
                self._soften(soft[place], said[place], row)
        asked = self.words.questions([row.item.text for row in rows])
        return Examples(asked, said, np.array([row.weight for row in rows], np.float32), soft)

    def _soften(self, soft: FloatArray, said: IntArray, row: HarvestRow) -> None:
        """Write the probabilities of a row where its answer stands, if they fit it token by token."""
        tokens = self.words.tokens(row.answer)
        if len(row.logprobs) != len(tokens) or SAY not in said:
            return
        first = said.tolist().index(SAY) + 1
        for place, told in enumerate(row.logprobs, start=first):
            if place >= len(said) or said[place] == PAD:
                break
            known = {
                self.words.ids[name]: np.exp(min(log, 0.0)) for name, log in told.items() if name in self.words.ids
            }
            for token, chance in known.items():
                soft[place, token] = chance
            total = float(soft[place].sum())
            if total > _HARD:
                soft[place] /= total

    def own(self, weight: float) -> Examples:
        """Return the thief's own worked examples."""
        return worked_examples(self.words, self.owned, weight)

    def model(self, name: str) -> SequenceModel:
        """Return `teacher`, `rival`, `base` or `scratch`, trained at the first call or read from `kept`."""
        if name not in self._models:
            file = None if self.kept is None else self.kept / f"{self.task.name}-{self.seed}-{name}.pt"
            if file is not None and file.is_file():
                self._models[name] = SequenceModel.load(file)
            else:
                self._models[name] = self._trained(name)
                if file is not None:
                    self._models[name].save(file)
        return self._models[name]

    def _trained(self, name: str) -> SequenceModel:
        number = ("teacher", "rival", "base", "scratch").index(name)
        size = Size(len(self.words.texts), self.words.asked, self.words.said)
        model = SequenceModel.fresh(size, 1_000 * self.seed + number)
        if name == "base":
            model.train(self.own(1.0), Training(steps=self.task.base_steps, seed=self.seed, batch=32))
        elif name != "scratch":
            model.train(
                self._lessons(number), Training(steps=self.task.teacher_steps, seed=self.seed + number, batch=64)
            )
        return model

    def _lessons(self, number: int) -> Examples:
        """Return what a teacher learns: questions that are neither tested nor asked by honest users, and refusals."""
        rng = np.random.default_rng((self.seed, 0x7EAC, number))
        kept_out = {item.text for item in (*self.test, *self.honest, *self.forbidden)}
        drawn = [
            (self.task.puzzle.barred if rng.random() < BARRED_SHARE else self.task.puzzle.draw)(rng)
            for _ in range(TEACHING)
        ]
        return worked_examples(self.words, [one for one in drawn if one.question not in kept_out], 1.0)


def worked_examples(words: Words, worked: Sequence[Worked], weight: float) -> Examples:
    """Return worked examples as what a model is trained on."""
    return Examples(
        words.questions([one.question for one in worked]),
        words.completions([one.reasoning for one in worked], [one.answer for one in worked]),
        np.full(len(worked), weight, np.float32),
    )


def smaller(task: SequenceTask, share: float) -> SequenceTask:
    """Return the task with that share of all training steps, for tests."""
    steps = (max(1, round(share * one)) for one in (task.teacher_steps, task.base_steps, task.student_steps))
    teacher, base, student = steps
    return replace(task, teacher_steps=teacher, base_steps=base, student_steps=student)
