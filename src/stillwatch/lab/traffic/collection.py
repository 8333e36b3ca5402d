"""What campaigns ask: each preset turns one piece of work and a wrapper into a request.

In: work from the corpus, wordings from the lexicon. Out: `Piece` records: a request's parts, and
which part of it quotes work. Left to `campaign`: accounts, times, infrastructure and cover.
"""

import json
import random
from dataclasses import dataclass
from typing import Final

from stillwatch.lab.traffic.chance import shuffled
from stillwatch.lab.traffic.corpus import Corpus, Task
from stillwatch.lab.traffic.wording import Draft, Unalike, Wording

ROTATION: Final = (12, 16)
"""Fewest and most wrappers of a campaign that rotates them."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Fixed words around the work, where they stand, and the tools that are declared with them."""

    text: str
    place: str
    """`system`, `before` or `after` the work."""
    tools: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """One request as a campaign means it."""

    system: str
    history: tuple[tuple[str, str], ...]
    """Earlier turns that the campaign brings along, as (role, text)."""
    user: str
    tools: str = ""


class Queue:
    """A campaign's work in a drawn order; after the last piece the first comes again."""

    def __init__(self, corpus: Corpus, preset: str, rng: random.Random, *, labels: bool) -> None:
        self._labels = labels
        self._preset = preset
        self._rng = rng
        self._tasks = [] if preset == "replay" else shuffled(rng, corpus.tasks[preset])
        self._sessions = shuffled(rng, corpus.foreign) if preset == "replay" else []
        self._taken = 0

    def next(self) -> tuple[str, Task, tuple[tuple[str, str], ...]]:
        """Return the next work: its quoted text, the task, and the turns that come before it."""
        self._taken += 1
        if self._preset == "replay":
            turns = self._sessions[(self._taken - 1) % len(self._sessions)]
            return turns[-1][1], Task(turns[-1][1]), turns[:-1]
        if self._preset == "bootstrap":
            seeds = self._rng.sample(self._tasks, 3)
            return _numbered(seeds) if self._labels else "\n\n".join(seed.text for seed in seeds), seeds[0], ()
        task = self._tasks[(self._taken - 1) % len(self._tasks)]
        if self._preset == "grading":
            return f"{task.text}\n\n---\n\n{task.slots[0]}", task, ()
        if self._preset == "sweep":
            return "", task, ()
        return task.text, task, ()


def _numbered(tasks: list[Task]) -> str:
    return "\n".join(
        f"{i}. Instruction: {task.text}\n{i}. Input:\n{task.slots[0]}\n{i}. Output:\n{task.slots[1]}"
        for i, task in enumerate(tasks, start=1)
    )


class Collection:
    """How one campaign words its requests, by preset and evasion."""

    def __init__(self, corpus: Corpus, preset: str, evasion: str, rng: random.Random) -> None:
        self._queue = Queue(corpus, preset, rng, labels=evasion != "E2")
        self._preset = preset
        self._rng = rng
        self._wording = Wording(preset)
        self._unalike = Unalike() if evasion == "E2" else None
        self._wrappers = _wrappers(corpus, preset, evasion, rng)

    def piece(self, rng: random.Random) -> Piece:
        """Return the next request."""
        quoted, task, history = self._queue.next()
        if self._unalike is not None:
            after = rng.random() < 0.3
            user = self._unalike.draw(lambda: self._paraphrase(rng, quoted, task, after))
            return Piece("", history, user)
        if not self._wrappers:
            return Piece("", history, quoted)
        wrapper = rng.choice(self._wrappers)
        text = _fill(wrapper.text, task)
        if wrapper.place == "system" and quoted:
            return Piece(text, history, quoted, wrapper.tools)
        parts = [quoted, text] if wrapper.place == "after" else [text, quoted]
        return Piece("", history, "\n\n".join(part for part in parts if part), wrapper.tools)

    def _paraphrase(self, rng: random.Random, quoted: str, task: Task, after: bool) -> Draft:
        sentences = rng.choice((1, 2, 2))
        if self._preset == "sweep":
            sentences, (_, task, _) = 1, self._queue.next()
        own = _fill(self._wording.paragraph(rng, sentences), task)
        parts = [quoted, own] if after else [own, quoted]
        return Draft(own, "\n\n".join(part for part in parts if part), quoted)


def _fill(text: str, task: Task) -> str:
    if "[A]" not in text:
        return text
    subject, angle, role = task.slots
    return text.replace("[A]", angle).replace("[B]", subject).replace("[C]", role.lower())


def _wrappers(corpus: Corpus, preset: str, evasion: str, rng: random.Random) -> list[Wrapper]:
    """Return the campaign's own wrappers: one at E0, twelve or more at E1 and E3; none where it uses none."""
    if evasion == "E2" or (preset == "answers" and evasion == "E0"):
        return []
    fixed = evasion == "E0"
    n = 1 if fixed else rng.randint(*ROTATION)
    if preset == "sweep":
        n = 3 if fixed else n
    place = rng.choice(("system", "before", "after")) if preset != "bootstrap" else "before"
    schemas = _schemas(corpus) if preset == "tools" else []
    wording = Wording(preset)
    wrappers = []
    for _ in range(n):
        text = wording.paragraph(rng, _length(preset, fixed, rng))
        if preset == "bootstrap" and fixed and corpus.tasks["generation"]:
            text = rng.choice(corpus.tasks["generation"]).text
        declared = sorted(rng.sample(schemas, rng.randint(3, len(schemas)))) if schemas else []
        wrappers.append(Wrapper(text, place, "[" + ",".join(declared) + "]" if declared else ""))
    return wrappers


def _length(preset: str, fixed: bool, rng: random.Random) -> int:
    if preset == "sweep":
        return 1
    return rng.randint(4, 7) if fixed else rng.randint(2, 4)


def _schemas(corpus: Corpus) -> list[str]:
    """Return one canonical JSON schema for each tool that the tasks name."""
    names = sorted({name for task in corpus.tasks["tools"] for name in task.slots})[:12]
    parameters = {"properties": {"query": {"type": "string"}}, "type": "object"}
    declared = [{"function": {"name": name, "parameters": parameters}, "type": "function"} for name in names]
    return [json.dumps(tool, sort_keys=True, separators=(",", ":")) for tool in declared]
