"""Ask the embedded teacher tasks with right answers, plain and marked, and keep which were right.

In: tasks, ways of drawing. Out: one `.npz` with right answers, shape (ways, items), and milliseconds a token.
Every item is asked in every way, one after the other, so that figures are paired. Cost: 2 s an item.
Used by `bench.marks.teacher`.
"""

import time
from dataclasses import replace
from pathlib import Path

import aiohttp
import numpy as np

from bench.marks.drawn import KEYS, Draw, mark_of
from bench.marks.tasks import Task
from stillwatch.engines.llamacpp.generate import Answer
from stillwatch.engines.llamacpp.model import Model
from stillwatch.lab.teacher import Teacher


async def ask(
    teacher: Teacher, ways: list[Draw], tasks: dict[str, list[Task]], folder: Path, what: str = "task"
) -> None:
    """Ask every task that has no file `WHAT-NAME.npz` yet."""
    head = {"authorization": f"Bearer {teacher.key}"}
    async with aiohttp.ClientSession() as session:
        model = Model(session, teacher.url)
        await model.look(teacher.key)
        for name, items in tasks.items():
            path = folder / f"{what}-{name}.npz"
            if path.exists():
                continue
            print(f"asking {name}", flush=True)
            right = np.zeros((len(ways), len(items)), np.bool_)
            spent = np.zeros((len(ways), len(items)))
            for i, item in enumerate(items):
                prompt = await model.prompt_of({"messages": item.messages}, head)
                for row, way in enumerate(ways):
                    right[row, i], spent[row, i] = await _asked(model, prompt, (item, i, way), head)
            np.savez(path, right=right, milliseconds=1e3 * spent)


async def _asked(
    model: Model, prompt: list[int], what: tuple[Task, int, Draw], head: dict[str, str]
) -> tuple[bool, float]:
    item, number, way = what
    mark = mark_of(number % KEYS, way)
    asked = replace(way.asked, seed=1_000 + number, most=item.most)
    answer = Answer(model=model, asked=asked, mark=mark, mixture=way.mixture, prompt=prompt, head=head)
    begun = time.perf_counter()
    text = "".join([piece async for piece in answer.pieces(0)])
    return item.right(text), (time.perf_counter() - begun) / max(1, len(answer.said))
