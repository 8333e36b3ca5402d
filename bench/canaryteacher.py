"""What the lines of canaries do to short answers of a real teacher, asked with and without them, one after the other.

In: the embedded teacher, tasks with right answers, real prompts that get a line. Out: `Told`, one a group of items.
Groups: tasks as they are (all of them must go out as the same request, so nothing is generated for them); sentences
that must hold a word, which can carry a line and be right or wrong; real prompts that carry one, where only length
and wording are compared. Half of the items come with a system prompt of the caller's. Temperature 0.
Cost: two answers an item; the time that is given, at most. Used by `bench.canarycost --teacher`.
"""

import json
import random
import re
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from bench.marks.tasks import tasks
from stillwatch.lab.teacher import MODEL, Teacher, start_teacher

_NAME: Final = re.compile(r"use the first name (\w+)\.")
_REPEATED: Final = re.compile(
    r"free choice|nobody has named|you make up|no number was given|depends on the order", re.I
)
"""What an answer says that gives the lines away."""
_MOST: Final = 64
_ITEMS: Final = 40
"""Of each group and kind of system prompt."""
_OWN: Final = "You are kind and friendly, and you keep it short."
_SETTINGS: Final = ("none", "own")
_WORDS: Final = "lantern river window blanket ribbon silver pocket whistle candle feather button mirror".split()
_SCENES: Final = (
    "a girl in a garden", "a trip to the sea", "a man who bakes bread", "a party at home", "a friend at school",
    "a woman who reads", "a farm with a cow", "a boat on a river", "a walk in the park", "a man who hikes",
)  # fmt: skip
Edit = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True)
class Told:
    """One group of items under one kind of system prompt."""

    group: str
    system: str
    """The caller's system prompt: `none` or `own`."""
    items: int
    carried: int
    """Items whose request got a line; of the others both requests were the same bytes."""
    same: int
    """Answers that were the same to the letter, of those carried."""
    tokens: tuple[float, float]
    """Mean answer tokens without and with the line."""
    right: tuple[int, int]
    """Right answers without and with; zeros where none is right or wrong."""
    difference: tuple[float, float, float]
    """Right answers with the line less those without, as a share, and its 95 % interval (paired bootstrap)."""
    prompt_tokens: float
    """Prompt tokens more with the line."""
    named: tuple[int, int, int]
    """Items whose line gives a name; of these, answers with that name without and with it."""
    repeated: int
    """Answers that repeat words of the line to the caller."""


@dataclass(frozen=True)
class _Item:
    group: str
    system: str
    turns: list[dict[str, str]]
    most: int
    right: Callable[[str], bool] | None = None

    @property
    def body(self) -> dict[str, Any]:
        head = [{"role": "system", "content": _OWN}] if self.system == "own" else []
        return {"model": MODEL, "messages": [*head, *self.turns], "max_tokens": self.most, "temperature": 0}


def told(edit: Edit, prompts: Sequence[str], seconds: float, seed: int) -> list[Told]:
    """Ask until the items or the time are over; return what came of it.

    Args:
        edit: Returns a request with its lines, None where there is no occasion.
        prompts: Real ones; those without an occasion are left out.
        seconds: Most time for generating.
        seed: Of the choice of items.
    """
    rng = random.Random(seed)
    unfit = [_Item(name, "none", t.messages, t.most) for name, some in tasks(200, seed).items() for t in some]
    asked = [one for one in _items([p for p in prompts if edit(_plain(p).body) is not None], rng) if edit(one.body)]
    found: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    teacher = start_teacher()
    try:
        until = time.monotonic() + seconds
        for one in asked:
            if time.monotonic() > until:
                break
            after = edit(one.body)
            assert after is not None
            line = str(after["messages"][0]["content"])
            row = (one, _say(teacher, one.body), _say(teacher, after), line)
            found.setdefault((one.group, one.system), []).append(row)
    finally:
        teacher.stop()
    return [*_unfit(unfit, edit), *(_told(key, rows) for key, rows in sorted(found.items()))]


def _items(prompts: Sequence[str], rng: random.Random) -> list[_Item]:
    """Return items of both groups in turns, so that a run cut short has some of each."""
    pairs = [(word, scene) for word in _WORDS for scene in _SCENES]
    rng.shuffle(pairs)
    pairs = pairs[: 2 * _ITEMS]
    real = [one for one in prompts if 20 <= len(one) <= 300]
    rng.shuffle(real)
    made: list[_Item] = []
    for n, (word, scene) in enumerate(pairs):
        system = _SETTINGS[n % 2]
        ask = f"Write one sentence for a story about {scene}. Use the word {word} in it."
        made.append(_Item("a given word", system, _turn(ask), _MOST, partial(_holds, word)))
        if n < len(real):
            made.append(replace(_plain(real[n]), system=system))
    return made


def _holds(word: str, said: str) -> bool:
    return word in said.lower()


def _plain(prompt: str) -> _Item:
    return _Item("real prompts", "none", _turn(prompt), _MOST)


def _turn(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _say(teacher: Teacher, body: dict[str, Any]) -> tuple[str, int, int]:
    head = {"content-type": "application/json", "authorization": f"Bearer {teacher.key}"}
    url = f"{teacher.url}/v1/chat/completions"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), head), timeout=120) as answer:
        said = json.load(answer)
    usage = said["usage"]
    return said["choices"][0]["message"]["content"], usage["completion_tokens"], usage["prompt_tokens"]


def _unfit(items: Sequence[_Item], edit: Edit) -> list[Told]:
    return [
        Told(group=f"task: {name}", system="none", items=len(some), carried=sum(edit(i.body) is not None for i in some),
             same=0, tokens=(0.0, 0.0), right=(0, 0), difference=(0.0, 0.0, 0.0), prompt_tokens=0.0,
             named=(0, 0, 0), repeated=0)
        for name in dict.fromkeys(item.group for item in items)
        for some in [[item for item in items if item.group == name]]
    ]  # fmt: skip


def _told(key: tuple[str, str], rows: list[tuple[Any, ...]]) -> Told:
    plain, lined = [row[1] for row in rows], [row[2] for row in rows]
    right = [(bool(i.right(a[0])), bool(i.right(b[0]))) for i, a, b, _ in rows if i.right is not None]
    shown = [[said[0].count(name[1]) > 0 for said in row[1:3]] for row in rows if (name := _NAME.search(row[3]))]
    less = np.array([float(b) - float(a) for a, b in right] or [0.0])
    rng = np.random.default_rng(1)
    means = [float(rng.choice(less, len(less)).mean()) for _ in range(2_000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Told(
        group=key[0], system=key[1], items=len(rows), carried=len(rows),
        same=sum(a[0] == b[0] for a, b in zip(plain, lined, strict=True)),
        tokens=(float(np.mean([a[1] for a in plain])), float(np.mean([b[1] for b in lined]))),
        right=(sum(a for a, _ in right), sum(b for _, b in right)),
        difference=(float(less.mean()), float(low), float(high)),
        prompt_tokens=float(np.mean([b[2] - a[2] for a, b in zip(plain, lined, strict=True)])),
        named=(len(shown), sum(a for a, _ in shown), sum(b for _, b in shown)),
        repeated=sum(_REPEATED.search(b[0]) is not None for b in lined),
    )  # fmt: skip
