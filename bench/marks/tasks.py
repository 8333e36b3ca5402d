"""Tasks with right answers, short enough for a small teacher: made here, and headlines where the data folder is named.

In: a number of items. Out: `Task` lists; checking an answer runs nothing of what the model wrote.
"""

import ast
import csv
import gzip
import itertools
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TOPICS = {"1": "world", "2": "sports", "3": "business", "4": "technology"}
WORDS = "river stone lamp paper green seven window quiet bread market silver cloud garden letter winter horse".split()
NAMES = "Anna Ben Carla David Emma Frank Grace Henry Irene Jack Karen Louis Maria Noah Olga Peter".split()
CITIES = "Rome Paris Berlin Madrid London Vienna Oslo Dublin Athens Prague Lisbon Warsaw Cairo Lima Delhi Tokyo".split()


@dataclass(frozen=True)
class Task:
    """One question."""

    name: str
    messages: list[dict[str, str]]
    right: Callable[[str], bool]
    most: int
    """Tokens that an answer may have."""


def tasks(count: int, seed: int = 1) -> dict[str, list[Task]]:
    """Return `count` items of each task, the same for a seed, and the chance level of each by name."""
    rng = np.random.default_rng(seed)
    made = {
        "copy": [_copy(rng) for _ in range(count)],
        "sum": [_sum(a, b) for a, b in itertools.islice(_pairs(rng), count)],
        "json": [_json(rng) for _ in range(count)],
        "code": [_code(rng) for _ in range(count)],
    }
    folder = os.environ.get("STILLWATCH_DATA", "")
    path = Path(folder) / "tasks" / "ag_news_test.csv.gz"
    if folder and path.is_file():
        made["topic"] = _headlines(path, count, rng)
    return made


CHANCE = {"copy": 0.0, "sum": 1.0 / 17.0, "json": 0.0, "code": 0.0, "topic": 0.25}
"""Share of right answers by guessing among the answers that occur."""


def _asked(*turns: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(turns)]


def _copy(rng: np.random.Generator) -> Task:
    text = " ".join(rng.choice(WORDS, 8, replace=False))
    shot = " ".join(rng.choice(WORDS, 8, replace=False))
    ask = "Repeat these words exactly, and nothing else: {}"
    return Task("copy", _asked(ask.format(shot), shot, ask.format(text)), lambda said: said.strip(" .\n") == text, 24)


def _pairs(rng: np.random.Generator) -> list[tuple[int, int]]:
    found = [(a, b) for a in range(1, 10) for b in range(1, 10)] * 4
    rng.shuffle(found)
    return [(int(a), int(b)) for a, b in found]


def _sum(a: int, b: int) -> Task:
    turns = _asked("What is 2 + 2?", "4", "What is 5 + 3?", "8", "What is 7 + 6?", "13", f"What is {a} + {b}?")

    def right(said: str) -> bool:
        numbers = re.findall(r"\d+", said)
        return bool(numbers) and int(numbers[-1]) == a + b

    return Task("sum", turns, right, 12)


def _json(rng: np.random.Generator) -> Task:
    def drawn() -> tuple[str, int, str]:
        return str(rng.choice(NAMES)), int(rng.integers(18, 80)), str(rng.choice(CITIES))

    def ask(name: str, age: int, city: str) -> str:
        return f"{name} is {age} years old and lives in {city}. Write this as JSON with the keys name, age and city."

    def said(name: str, age: int, city: str) -> str:
        return json.dumps({"name": name, "age": age, "city": city})

    one, two, three = drawn(), drawn(), drawn()
    name, age, city = three

    def right(answer: str) -> bool:
        try:
            return bool(json.loads(answer) == {"name": name, "age": age, "city": city})
        except ValueError:
            return False

    return Task("json", _asked(ask(*one), said(*one), ask(*two), said(*two), ask(*three)), right, 40)


def _code(rng: np.random.Generator) -> Task:
    signs = {"add": "+", "subtract": "-", "multiply": "*"}

    def drawn() -> tuple[str, int]:
        return str(rng.choice([*signs])), int(rng.integers(2, 30))

    def ask(word: str, n: int) -> str:
        joined = {"add": f"adds {n} to x", "subtract": f"subtracts {n} from x", "multiply": f"multiplies x by {n}"}
        return f"Write a Python function f(x) that {joined[word]}. Only code."

    def said(word: str, n: int) -> str:
        return f"def f(x):\n    return x {signs[word]} {n}"

    one, two, three = ("add", 4), ("multiply", 6), drawn()
    word, n = three

    def right(answer: str) -> bool:
        try:
            return ast.dump(ast.parse(answer)) == ast.dump(ast.parse(said(word, n)))
        except (SyntaxError, ValueError):
            return False

    return Task("code", _asked(ask(*one), said(*one), ask(*two), said(*two), ask(*three)), right, 32)


def _headlines(path: Path, count: int, rng: np.random.Generator) -> list[Task]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    head, rows = rows[0], rows[1:]
    label, title = _column(head, ("class_index", "label")), _column(head, ("title", "text"))
    chosen = [rows[i] for i in rng.permutation(len(rows))[: count + 8]]
    shots, asked = chosen[:8], chosen[8:]
    topic = dict(zip(sorted({row[label] for row in rows}), TOPICS.values(), strict=True))

    def ask(row: list[str]) -> str:
        return f"Headline: {row[title][:120]}\nTopic (world, sports, business or technology)?"

    told = [turn for row in shots for turn in (ask(row), topic[row[label]])]

    def task(row: list[str]) -> Task:
        wanted = topic[row[label]]
        return Task("topic", _asked(*told, ask(row)), lambda said: said.strip(" .\n").lower() == wanted, 6)

    return [task(row) for row in asked]


def _column(head: list[str], names: tuple[str, ...]) -> int:
    return next(head.index(name) for name in names if name in head)
