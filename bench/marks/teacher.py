"""The mark on the embedded teacher: tokens to 1e-6, and what it costs. `python -m bench.marks.teacher FOLDER`.

In: a folder, where tokens of the drawn answers are kept and nothing of their text. Out: tables as Markdown.
What is in the folder is not drawn again. Cost: an hour on one core. STILLWATCH_DATA names real headlines.
`python -m bench.marks.teacher FOLDER experts`: what drawing from a product with a proxy costs, 12 minutes. The proxy is
made of the plain answers to other prompts than are measured.
"""

import asyncio
import sys
from pathlib import Path

import numpy as np

from bench.marks.answered import ask
from bench.marks.drawn import Draw, draw
from bench.marks.marked import TIERS, interval, read, tokens_needed
from bench.marks.tasks import CHANCE, tasks
from stillwatch.engines.llamacpp.asked import Asked
from stillwatch.engines.llamacpp.proxy import Mixture
from stillwatch.lab.teacher import Teacher, missing, start_teacher
from stillwatch.treatments.poe import NgramProxy

PURE = Asked(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
"""The model's own distribution, but for what lies beyond the candidates."""
USUAL = Asked(temperature=1.0)
"""What llama.cpp does where a client says only the temperature: top-k 40, top-p 0.95, min-p 0.05."""
GREEDY = Asked(temperature=0.0)
ITEMS = 120
LEAST_ABOVE = 0.2
"""Only where the plain teacher is that much above chance does a task say something of a mark's cost."""
DRAWS = [
    Draw("pure-0", 0.0, PURE), Draw("pure-2", 2.0, PURE), Draw("pure-1.5", 1.5, PURE), Draw("pure-1", 1.0, PURE),
    Draw("usual-0", 0.0, USUAL), Draw("usual-1.5", 1.5, USUAL), Draw("usual-2", 2.0, USUAL),
]  # fmt: skip
WAYS = [
    Draw("greedy-0", 0.0, GREEDY), Draw("greedy-1", 1.0, GREEDY), Draw("greedy-1.5", 1.5, GREEDY),
    Draw("greedy-2", 2.0, GREEDY), Draw("usual-0", 0.0, USUAL), Draw("usual-1.5", 1.5, USUAL),
    Draw("usual-2", 2.0, USUAL),
]  # fmt: skip

SHARES = (0.1, 0.3)
HELD_OUT = 32
"""Prompts from here on are measured; the plain answers to those before make the proxy."""
EXPERT_ITEMS = 60
VOCAB = 49_152


def main(folder: Path, *, experts: bool = False) -> None:
    if why := missing():
        sys.exit(f"bench.marks.teacher: {why}.")
    folder.mkdir(parents=True, exist_ok=True)
    teacher = start_teacher()
    try:
        asyncio.run((_experts if experts else _measured)(teacher, folder))
    finally:
        teacher.stop()
    (experts_table if experts else table)(folder)


async def _measured(teacher: Teacher, folder: Path) -> None:
    await draw(teacher, DRAWS[:4], folder)
    await ask(teacher, WAYS, tasks(ITEMS), folder)
    await draw(teacher, DRAWS[4:], folder)


async def _experts(teacher: Teacher, folder: Path) -> None:
    await draw(teacher, DRAWS[:1], folder)
    with np.load(folder / "pure-0.npz") as file:
        proxy = NgramProxy(file["tokens"][: file["lengths"][:HELD_OUT].sum()].astype(np.int64), VOCAB)
    mixed = [(share, Mixture(proxy, share)) for share in SHARES]
    await draw(teacher, [Draw(f"experts-{x}", 0.0, PURE, mixture=both, first=HELD_OUT) for x, both in mixed], folder)
    ways = [Draw("greedy-0", 0.0, GREEDY), *(Draw(f"greedy-{x}", 0.0, GREEDY, mixture=both) for x, both in mixed)]
    asked = {name: items for name, items in tasks(EXPERT_ITEMS).items() if name in ("code", "json", "copy")}
    await ask(teacher, ways, asked, folder, "experts")


def table(folder: Path) -> None:
    """Print what the folder holds."""
    rng = np.random.default_rng(1)
    print("| drawn | delta | tokens | " + " | ".join(TIERS) + " | nats a token | length | ended | ms a token |")
    print("|---" * (7 + len(TIERS)) + "|")
    plain: dict[str, np.ndarray] = {}
    for one in DRAWS:
        if not (folder / f"{one.name}.npz").exists():
            continue
        found, answers = read(folder, one.name, one.delta)
        nats = -found["log_p"] / np.maximum(found["lengths"], 1)
        kind = one.name.split("-")[0]
        plain.setdefault(kind, nats)
        needs = [_needed(*tokens_needed(answers, tiers, rng)) if one.delta else "-" for tiers in TIERS.values()]
        more = "" if not one.delta else " ({:+.2f}, {:+.2f} to {:+.2f})".format(*interval(nats - plain[kind], rng))
        print(f"| {kind} | {one.delta:g} | {found['lengths'].sum():,} | {' | '.join(needs)} | "
              f"{nats.mean():.2f}{more} | {found['lengths'].mean():.0f} | {100 * found['ended'].mean():.0f} % | "
              f"{1e3 * np.median(found['seconds']):.1f} |")  # fmt: skip
    _tasks(folder, rng)


def _needed(figure: float, low: float, high: float) -> str:
    return f"{figure:.0f} ({low:.0f} to {high:.0f})"


def _tasks(folder: Path, rng: np.random.Generator) -> None:
    print("\n| task | chance | " + " | ".join(way.name for way in WAYS) + " |")
    print("|---" * (2 + len(WAYS)) + "|")
    for name, chance in CHANCE.items():
        path = folder / f"task-{name}.npz"
        if not path.exists():
            continue
        right = np.load(path)["right"].astype(np.float64)
        cells = []
        for row, way in enumerate(WAYS):
            base = next(i for i, other in enumerate(WAYS) if other.name == way.name.split("-")[0] + "-0")
            share = f"{100 * right[row].mean():.0f}"
            if row != base:
                share += " ({:+.1f}, {:+.1f} to {:+.1f})".format(
                    *(100 * x for x in interval(right[row] - right[base], rng))
                )
            elif right[row].mean() < chance + LEAST_ABOVE:
                share += " too low"
            cells.append(share)
        print(f"| {name} | {100 * chance:.0f} | {' | '.join(cells)} |")


def experts_table(folder: Path) -> None:
    """Print what the folder holds of `experts`; intervals of differences to the plain teacher are paired."""
    rng = np.random.default_rng(1)
    print("| share | answers | nats a token | length | ended | ms a token |\n|---|---|---|---|---|---|")
    plain: list[np.ndarray] = []
    for name, first in (("pure-0", HELD_OUT), *((f"experts-{share}", 0) for share in SHARES)):
        with np.load(folder / f"{name}.npz") as file:
            found = {key: file[key][first:] for key in ("lengths", "log_p", "ended", "seconds")}
        figures = [-found["log_p"] / np.maximum(found["lengths"], 1), found["lengths"].astype(float)]
        plain = plain or figures
        more = [" ({:+.2f}, {:+.2f} to {:+.2f})".format(*interval(its - old, rng)) if its is not old else ""
                for its, old in zip(figures, plain, strict=True)]  # fmt: skip
        print(f"| {name.split('-')[1]} | {len(figures[0])} | {figures[0].mean():.2f}{more[0]} | "
              f"{figures[1].mean():.0f}{more[1]} | {100 * found['ended'].mean():.0f} % | "
              f"{1e3 * np.median(found['seconds']):.1f} |")  # fmt: skip
    print("\n| task | 0 | " + " | ".join(f"{share}" for share in SHARES) + " |\n|---|---" + "|---" * len(SHARES) + "|")
    for path in sorted(folder.glob("experts-[a-z]*.npz")):
        right = 100.0 * np.load(path)["right"]
        cells = [f"{row.mean():.0f} ({{:+.1f}}, {{:+.1f}} to {{:+.1f}})".format(*interval(row - right[0], rng))
                 for row in right[1:]]  # fmt: skip
        print(f"| {path.stem.split('-')[1]} | {right[0].mean():.0f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    if sys.argv[1] == "table":
        table(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]), experts=sys.argv[2:] == ["experts"])
