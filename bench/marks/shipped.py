"""The marks as shipped, on the embedded teacher: power, loss, accuracy. `python -m bench.marks.shipped FOLDER`.

In: a folder, where tokens of drawn answers are kept and nothing of their text; that of `bench.marks.teacher` will do,
and saves drawing the plain ones again. Out: tables as Markdown: `green` at delta 2 with sure places spared, and
`gumbel` of width 2, each against the unmarked teacher. Cost: a quarter of an hour on one core.
"""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import aiohttp
import numpy as np
from numpy.typing import NDArray

from bench.marks.answered import ask
from bench.marks.drawn import Draw, draw, epoch_of, prompts
from bench.marks.marked import LOG_ALPHA, WANTED, interval, read, tokens_needed
from bench.marks.tasks import CHANCE, Task, tasks
from bench.marks.teacher import GREEDY, LEAST_ABOVE, PURE, USUAL
from stillwatch.engines.llamacpp.favoured import Unmarked
from stillwatch.engines.llamacpp.generate import Answer
from stillwatch.engines.llamacpp.model import Model
from stillwatch.forensics.marks.gumbel import GumbelText, read_draws
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.lab.teacher import Teacher, missing, start_teacher
from stillwatch.treatments.marks.ring import Ring
from stillwatch.treatments.marks.signer import Marks
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.surface import Surface

PLAIN = Draw("pure-0", 0.0, PURE)
GREEN = Draw("pure-2s", 2.0, PURE, spare=0.8)
GUMBEL = Draw("pure-gumbel", 0.0, PURE, scheme="gumbel")
WAYS = [
    Draw("greedy-0", 0.0, GREEDY), Draw("greedy-green", 2.0, GREEDY, spare=0.8),
    Draw("usual-0", 0.0, USUAL), Draw("usual-green", 2.0, USUAL, spare=0.8),
    Draw("usual-gumbel", 0.0, USUAL, scheme="gumbel"),
]  # fmt: skip
ITEMS = 60
LENGTHS = np.array([30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500, 700, 1_000, 1_400])
TASKS = ("code", "json", "copy")


def main(folder: Path) -> None:
    if why := missing():
        sys.exit(f"bench.marks.shipped: {why}.")
    folder.mkdir(parents=True, exist_ok=True)
    teacher = start_teacher()
    try:
        asyncio.run(_drawn(teacher, folder))
    finally:
        teacher.stop()
    table(folder)


async def _drawn(teacher: Teacher, folder: Path) -> None:
    await draw(teacher, [PLAIN, GUMBEL, GREEN], folder)
    asked = {name: items for name, items in tasks(ITEMS).items() if name in TASKS}
    await ask(teacher, WAYS, asked, folder, "shipped")
    await _surface(teacher, {**asked, "prose": _prose()}, folder)


def _prose() -> list[Task]:
    """Return requests for prose; any answer is right, so that only changed answers count."""
    return [Task("prose", [{"role": "user", "content": text}], lambda said: True, 200) for text in prompts()[:ITEMS]]


async def _surface(teacher: Teacher, asked: dict[str, list[Task]], folder: Path) -> None:
    """Ask the plain teacher, and mark the wording of what it says: right before, right after, changed."""
    if (folder / "surface.npz").exists():
        return
    head, rows = {"authorization": f"Bearer {teacher.key}"}, {}
    async with aiohttp.ClientSession() as session:
        model = Model(session, teacher.url)
        await model.look(teacher.key)
        for name, items in asked.items():
            print(f"wording of {name}", flush=True)
            rows[name] = np.array([await _worded(model, i, item, head) for i, item in enumerate(items)])
    np.savez(folder / "surface.npz", **rows)


async def _worded(model: Model, number: int, item: Task, head: dict[str, str]) -> tuple[bool, bool, bool]:
    prompt = await model.prompt_of({"messages": item.messages}, head)
    asked = replace(USUAL, seed=1_000 + number, most=item.most)
    answer = Answer(model=model, asked=asked, mark=Unmarked(), mixture=None, prompt=prompt, head=head)
    text = "".join([piece async for piece in answer.pieces(0)])
    ring = Ring((epoch_of(number, 1.0),))
    one = Surface(ring).begin(Occasion(key=b"", account="acme", endpoint="chat", marks=Marks(ring)))
    assert one is not None
    one.edit_request({"messages": item.messages})
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    after = one.edit_answer({"choices": [choice]})["choices"][0]["message"]["content"]
    return item.right(text), item.right(after), after != text


def table(folder: Path) -> None:
    """Print what the folder holds."""
    rng = np.random.default_rng(1)
    plain, _ = read(folder, PLAIN.name, 0.0)
    print("| mark | tokens to 1e-6 at 90 %, account known | nats a token | length | ms a token |")
    print("|---|---|---|---|---|")
    print(f"| none | - | {_nats(plain).mean():.2f} | {plain['lengths'].mean():.0f} | {_speed(plain):.1f} |")
    found, answers = read(folder, GREEN.name, GREEN.delta)
    needs = "{:.0f} ({:.0f} to {:.0f})".format(*tokens_needed(answers, (0, 1, 2), rng))
    _row("green, delta 2, spare 0.8", needs, found, plain, rng)
    found, _ = read(folder, GUMBEL.name, 1.0)
    _row("gumbel, width 2", _draws_needed(found, rng), found, plain, rng)
    _tasks(folder, rng)
    print("\n| surface mark | answers | changed | right before | right after |\n|---|---|---|---|---|")
    for name, rows in np.load(folder / "surface.npz").items():
        print(f"| {name} | {len(rows)} | {rows[:, 2].sum()} | {rows[:, 0].sum()} | {rows[:, 1].sum()} |")


def _row(name: str, needs: str, found: dict[str, NDArray], plain: dict[str, NDArray], rng: np.random.Generator) -> None:
    loss = "{:+.2f} ({:+.2f} to {:+.2f})".format(*interval(_nats(found) - _nats(plain), rng))
    more = "{:+.0f} ({:+.0f} to {:+.0f})".format(*interval((found["lengths"] - plain["lengths"]).astype(float), rng))
    print(f"| {name} | {needs} | {loss} | {more} | {_speed(found):.1f} |")


def _nats(found: dict[str, NDArray]) -> NDArray[np.float64]:
    return np.asarray(-found["log_p"] / np.maximum(found["lengths"], 1))


def _speed(found: dict[str, NDArray]) -> float:
    return float(1e3 * np.median(found["seconds"]))


def _draws_needed(found: dict[str, NDArray], rng: np.random.Generator) -> str:
    """Return the tokens from which on a text is found nine times in ten, with a bootstrap interval over answers."""
    ends = np.cumsum(found["lengths"])
    answers = [found["tokens"][end - n : end].astype(np.int64) for end, n in zip(ends, found["lengths"], strict=True)]
    reached = np.stack([_reached(i, answers, found["keys"], rng) for i in range(len(answers))])
    drawn = rng.integers(0, len(answers), (1_000, len(answers)))
    spread = [_least(reached[rows].mean(axis=0)) for rows in drawn]
    low, high = np.quantile(spread, [0.025, 0.975], method="nearest")
    return f"{_least(reached.mean(axis=0)):.0f} ({low:.0f} to {high:.0f})"


def _reached(
    first: int, answers: list[NDArray[np.int64]], keys: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return at which of `LENGTHS` the text that begins with an answer is found; once found it stays found."""
    epoch = epoch_of(int(keys[first]), 0.0, scheme="gumbel")
    others = rng.permutation([i for i in np.flatnonzero(keys == keys[first]) if i != first])
    out, low, high = np.ones(len(LENGTHS)), 0, len(LENGTHS)
    while low < high:
        middle = (low + high) // 2
        text = TokenText.of(_cut([answers[i] for i in (first, *others)], int(LENGTHS[middle])))
        readings = read_draws(GumbelText.of(text, epoch), rng, account=epoch.tag("account", "acme"))
        if readings[-1].log_p <= LOG_ALPHA:
            high = middle
        else:
            low = middle + 1
    out[:low] = 0.0
    return out


def _cut(documents: list[NDArray[np.int64]], tokens: int) -> list[NDArray[np.int64]]:
    out: list[NDArray[np.int64]] = []
    for document in documents:
        if tokens <= 0:
            break
        out.append(document[:tokens])
        tokens -= len(out[-1])
    return out


def _least(found: NDArray[np.float64]) -> float:
    short = np.flatnonzero(found < WANTED)
    after = 0 if not len(short) else int(short[-1]) + 1
    return float(LENGTHS[after]) if after < len(LENGTHS) else float("inf")


def _tasks(folder: Path, rng: np.random.Generator) -> None:
    print("\n| task | chance | " + " | ".join(way.name for way in WAYS) + " |")
    print("|---" * (2 + len(WAYS)) + "|")
    for name in TASKS:
        right = np.load(folder / f"shipped-{name}.npz")["right"].astype(np.float64)
        cells = []
        for row, way in enumerate(WAYS):
            base = next(i for i, other in enumerate(WAYS) if other.name == way.name.split("-")[0] + "-0")
            cell = f"{100 * right[row].mean():.0f}"
            if row != base:
                cell += " ({:+.0f}, {:+.0f} to {:+.0f})".format(
                    *(100 * x for x in interval(right[row] - right[base], rng))
                )
            elif right[row].mean() < CHANCE[name] + LEAST_ABOVE:
                cell += " too low"
            cells.append(cell)
        print(f"| {name} | {100 * CHANCE[name]:.0f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    table(Path(sys.argv[2])) if sys.argv[1] == "table" else main(Path(sys.argv[1]))
