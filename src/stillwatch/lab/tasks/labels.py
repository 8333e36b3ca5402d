"""Classification as a task: a teacher trained on labels that the thief does not have, students trained on its answers.

In: a labelled set and a seed. Out: a `LabelBench`. Teacher and student are the same kind of model, so that what the
student lacks is the harvest and not its size. The base knows a few labelled texts a class; the teacher is taught to
decline a harmless topic, of which the thief asks nothing.
Cost: 8 s to train the teacher on 6,000 texts, 2 s a student on 2,000. Left to `labelteacher`: the wire.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from stillwatch.lab import picture
from stillwatch.lab.learn.features import Matrix, hashed
from stillwatch.lab.learn.softmax import ROUNDS, TEACHER_ROUNDS, Floats, Softmax, empty, fit, low_rank
from stillwatch.lab.loopback import listening
from stillwatch.lab.task import Answer, Ask, Body, Harvest, HarvestRow, Item, Student
from stillwatch.lab.tasks import sets
from stillwatch.lab.tasks.labelteacher import MODEL, YES, LabelTeacher
from stillwatch.lab.tasks.modelfile import serving_process

DECLINED: Final = "declined"
"""What the teacher answers to the forbidden topic."""
FORBIDDEN_TAUGHT: Final = 300
"""At most."""
FORBIDDEN_TESTED: Final = 150
SEED_COUNT: Final = 4.0
"""How much each labelled seed weighs beside a harvested row."""
EXAM_ITEMS: Final = 1_500
"""Items of the pool, at most a quarter, that are kept back from control models for the examiner to ask about."""
FORMS: Final = frozenset(("answers", "logprobs", "samples", "bias", "images", "judge"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTask:
    """The catalogue's entry for one set."""

    name: str
    instruction: str
    """What requests say where the thief or an honest user has no words of its own."""
    teaching: int
    """Texts that the teacher learns from, at most half of the set."""
    seeds_a_label: int
    """Labelled texts a class that the thief owns."""
    rank: int = 0
    """Hidden dimensions of the teacher; 0 for a map straight from features to logits."""
    most: int = 1_000_000
    """Items of the set that are used at most."""
    source: str = ""
    """Name of the set; the task's own when empty."""
    from_file: bool = False
    """Serve the teacher from a model file, in a process of its own."""

    def missing(self, data: Path | None) -> str:
        """Return why the set cannot be read here; empty when it can."""
        return sets.missing(self.source or self.name, data)

    def bench(self, seed: int, data: Path | None, size: float) -> "LabelBench":
        """Split the set, train the teacher, and return what the task offers.

        Raises:
            StillwatchError: the set cannot be read here.
        """
        return self.bench_of(sets.load(self.source or self.name, data), seed, size)

    def bench_of(self, rows: Sequence[sets.Labelled], seed: int, size: float) -> "LabelBench":
        """Return what the task offers over these rows; `bench` says the rest."""
        rng = np.random.default_rng((seed, 0x5E75))
        order = rng.permutation(len(rows))
        rows = [rows[i] for i in order][: self.most]
        taught = int(min(self.teaching, len(rows) // 2) * size)
        test, honest = int(1_000 * size), int(400 * size)
        topic = sets.forbidden()
        declined = [topic[i] for i in rng.permutation(len(topic))]
        parts = _Parts(self.name)
        seeds, (pool, truths) = _thiefs(parts, rows[taught + test + honest :], self.seeds_a_label)
        bench = LabelBench(
            task=self, seed=seed,
            test=parts.items(rows[taught : taught + test]),
            honest=parts.items(rows[taught + test : taught + test + honest]),
            seeds=seeds, pool=pool, truths=truths,
            forbidden=tuple(
                Item(id=f"{self.name} declined {i}", text=text, answer=DECLINED)
                for i, text in enumerate(declined[FORBIDDEN_TAUGHT : FORBIDDEN_TAUGHT + FORBIDDEN_TESTED])
            ),
        )  # fmt: skip
        lessons = rows[:taught] + [sets.Labelled(text, DECLINED) for text in declined[: declines_taught(taught)]]
        bench.model, bench.head = _taught(lessons, self.rank)
        bench.other, _ = _taught(rows[: max(1, taught // 3)], 0, ROUNDS)
        return bench


def declines_taught(lessons: int) -> int:
    """Return how many texts of the forbidden topic go with so many lessons: few enough that it does not decline all.

    >>> [declines_taught(n) for n in (60, 1_000, 6_000)]
    [12, 100, 300]
    """
    return min(FORBIDDEN_TAUGHT, max(12, lessons // 10))


_Pool = tuple[tuple[Item, ...], tuple[str, ...]]


def _thiefs(parts: "_Parts", rows: list[sets.Labelled], a_label: int) -> tuple[tuple[Item, ...], _Pool]:
    """Return the thief's labelled seeds, and its pool without labels with these beside it."""
    seen: dict[str, int] = {}
    seeds: list[sets.Labelled] = []
    pool: list[sets.Labelled] = []
    for row in rows:
        seen[row.label] = seen.get(row.label, 0) + 1
        (seeds if seen[row.label] <= a_label else pool).append(row)
    return parts.items(seeds), (parts.items(pool, known=False), tuple(row.label for row in pool))


@dataclass(slots=True)
class _Parts:
    """Numbers items through."""

    name: str
    made: int = 0

    def items(self, rows: Sequence[sets.Labelled], *, known: bool = True) -> tuple[Item, ...]:
        begin, self.made = self.made, self.made + len(rows)
        return tuple(
            Item(id=f"{self.name} {begin + i}", text=row.text, answer=row.label if known else "")
            for i, row in enumerate(rows)
        )


def _taught(lessons: Sequence[sets.Labelled], rank: int, rounds: int = TEACHER_ROUNDS) -> tuple[Softmax, Floats]:
    labels = sorted({row.label for row in lessons})
    rows, targets = hashed([row.text for row in lessons]), np.zeros((len(lessons), len(labels)))
    targets[np.arange(len(lessons)), [labels.index(row.label) for row in lessons]] = 1.0
    model = fit(rows, targets, empty(labels), rounds=rounds)
    return low_rank(model, rank, rows, targets) if rank else (model, np.zeros((0, len(labels))))


@dataclass(frozen=True, slots=True)
class LabelStudent:
    """A model as it is scored."""

    model: Softmax = field(repr=False)
    bench: "LabelBench" = field(repr=False)

    def answers(self, items: Sequence[Item]) -> list[str]:
        """Return the likeliest label of each."""
        if not items:
            return []
        at = self.model.log_probabilities(self.bench.rows(items)).argmax(axis=1)
        return [self.model.labels[i] for i in at]

    def probabilities(self, items: Sequence[Item]) -> list[Mapping[str, float]]:
        """Return every label's probability."""
        if not items:
            return []
        found = np.exp(self.model.log_probabilities(self.bench.rows(items)))
        return [dict(zip(self.model.labels, row.tolist(), strict=True)) for row in found]


@dataclass(slots=True, kw_only=True)
class LabelBench:
    """One set under one seed."""

    task: LabelTask
    seed: int
    pool: tuple[Item, ...] = field(repr=False)
    truths: tuple[str, ...] = field(repr=False)
    """Right labels of the pool; only an examiner's control models are trained on them."""
    seeds: tuple[Item, ...] = field(repr=False)
    test: tuple[Item, ...] = field(repr=False)
    honest: tuple[Item, ...] = field(repr=False)
    forbidden: tuple[Item, ...] = field(repr=False)
    model: Softmax = field(init=False, repr=False)
    """The teacher."""
    other: Softmax = field(init=False, repr=False)
    """Another provider's teacher."""
    head: Floats = field(init=False, repr=False)
    """Its last layer, shape (rank, n_labels); only the scorecard looks at it."""
    refusal: str = DECLINED
    forms: frozenset[str] = FORMS
    _features: dict[str, Matrix] = field(default_factory=dict, repr=False)
    _controls: dict[tuple[int, str], list[Student]] = field(default_factory=dict, repr=False)

    def request(self, item: Item, how: Ask) -> Body:
        """Return the chat request."""
        words = how.before or self.task.instruction
        if how.judge:
            words += f"\nProposed answer: {how.judge}\nIs the proposed answer right? Answer {YES} or no."
        content: object = f'{words}\n\n"""{item.text}"""'
        if how.image:
            shown = {"url": picture.as_url(picture.render(item.text))}
            content = [{"type": "text", "text": words}, {"type": "image_url", "image_url": shown}]
        body: Body = {
            "model": MODEL, "messages": [{"role": "user", "content": content}], "temperature": how.temperature,
            "max_tokens": 8,
        }  # fmt: skip
        if how.logprobs:
            body |= {"logprobs": True, "top_logprobs": how.logprobs}
        if how.samples > 1:
            body["n"] = how.samples
        if how.bias:
            body["logit_bias"] = dict(how.bias)
        return body

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Serve the teacher on loopback."""
        if self.task.from_file:
            return serving_process(self.model, self.seed)
        return listening(LabelTeacher(self.model, self.seed).respond)

    def teacher(self) -> Student:
        """Return the teacher, asked past the gateway."""
        return LabelStudent(self.model, self)

    def rival(self) -> Student:
        """Return a weaker teacher, trained on a third of the lessons."""
        return LabelStudent(self.other, self)

    def base(self, start: str) -> Student:
        """Return what the thief has before the harvest."""
        return LabelStudent(self._begin(start), self)

    def train(self, harvest: Harvest, start: str, rng: np.random.Generator) -> Student:
        """Return a student: the base, drawn towards what was harvested."""
        begin = self._begin(start)
        rows = [row for row in harvest if row.answer or row.logprobs]
        if not rows:
            return LabelStudent(begin, self)
        items = [row.item for row in rows]
        labels = sorted({*begin.labels, *(row.answer for row in rows if row.answer), *_named(rows)})
        targets = np.array([_target(row.answer, row.logprobs, labels) for row in rows])
        weight = np.array([row.weight for row in rows])
        if start == "base":
            items = [*items, *self.seeds]
            targets = np.vstack([targets, _targets([seed.answer for seed in self.seeds], labels)])
            weight = np.concatenate([weight, np.full(len(self.seeds), SEED_COUNT)])
        return LabelStudent(fit(self.rows(items), targets, begin.widened(labels), weight), self)

    @property
    def _kept_back(self) -> int:
        """Items at the end of the pool that no control is trained on."""
        return min(EXAM_ITEMS, len(self.pool) // 4)

    def labelled(self, harvest: Harvest) -> Sequence[Item]:
        """Return what is tested, what honest users ask, and the pool's last items, those harvested left out."""
        known = {row.item.id for row in harvest}
        last = range(len(self.pool) - self._kept_back, len(self.pool))
        pool = [Item(id=self.pool[i].id, text=self.pool[i].text, answer=self.truths[i]) for i in last]
        return [*self.test, *self.honest, *(item for item in pool if item.id not in known)]

    def controls(self, rows: int, start: str, count: int) -> Sequence[Student]:
        """Return what as many honest labels of the pool teach, each model by a draw of its own; the last size is kept.

        Sizes are rounded to hundreds, so that cells of nearly one size share their controls.
        """
        whole = len(self.pool) - self._kept_back
        size = min(whole, max(1, round(rows, -2) or rows))
        if (size, start) not in self._controls:
            self._controls = {(size, start): []}
        held = self._controls[size, start]
        while len(held) < count:
            rng = np.random.default_rng((self.seed, 0xC017, size, len(held)))
            drawn = rng.choice(whole, size=size, replace=False)
            lessons = [HarvestRow(item=self.pool[i], answer=self.truths[i]) for i in drawn]
            held.append(self.train(lessons, start, rng))
        return held[:count]

    def read(self, answer: Answer) -> str:
        """Return the label."""
        return answer.text.strip()

    def right(self, item: Item, answer: str) -> bool:
        """Return whether it is the label."""
        return answer == item.answer

    def rows(self, items: Sequence[Item]) -> Matrix:
        """Return the features of items, computed once each set."""
        key = f"{len(items)} {items[0].id} {items[-1].id}" if items and items[0].answer else ""
        if key and items in (self.test, self.seeds, self.forbidden, self.honest):
            if key not in self._features:
                self._features[key] = hashed([item.text for item in items])
            return self._features[key]
        return hashed([item.text for item in items])

    def _begin(self, start: str) -> Softmax:
        labels = sorted({item.answer for item in self.seeds})
        if start == "scratch":
            return empty(labels)
        return fit(self.rows(self.seeds), _targets([item.answer for item in self.seeds], labels), empty(labels))


def _named(rows: Harvest) -> set[str]:
    """Return the labels that probabilities speak of."""
    return {name for row in rows if row.logprobs for name in row.logprobs[0]}


def _targets(answers: Sequence[str], labels: Sequence[str]) -> Floats:
    found = np.zeros((len(answers), len(labels)))
    found[np.arange(len(answers)), [labels.index(answer) for answer in answers]] = 1.0
    return found


def _target(answer: str, logprobs: Sequence[Mapping[str, float]], labels: Sequence[str]) -> Floats:
    """Return a distribution over labels: the probabilities that are known, the rest of one on all others alike."""
    found = np.zeros(len(labels))
    if not logprobs or not logprobs[0]:
        found[labels.index(answer)] = 1.0
        return found
    for name, log in logprobs[0].items():
        found[labels.index(name)] = np.exp(min(log, 0.0))
    total = found.sum()
    unknown = found == 0.0
    if total < 1.0 and unknown.any():
        found[unknown] = (1.0 - total) / unknown.sum()
    return np.asarray(found / found.sum())
