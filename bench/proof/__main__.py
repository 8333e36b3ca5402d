"""Measure proof on students that were really trained: train, judge, print, write into bench/RESULTS.md.

In: seeds, a folder that keeps students and texts, a data folder if another ground is wanted. Out: tables. Every step
is kept, so that the same command goes on after a break. Exit code 0; 1 where an innocent student is accused.
Cost: some fifteen minutes of a core a seed, most of it training.

Run: python -m bench.proof [--seeds 1 2 3] [--data FOLDER] [--keep FOLDER] [--train [NAME ...]] [--write]
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import Final

from bench import page
from bench.proof.judged import Judge
from bench.proof.students import CONTROLS, ORDER, Students
from bench.proof.tables import canary_table, innocent_table, main_table, removal_table, tracing_table
from bench.proof.world import World

MARKS: Final = ("<!-- proof: begin -->", "<!-- proof: end -->")
MAIN: Final = ("base", *CONTROLS, "m05", "m20", "shared")
"""Students without which there is no table; of the others those that are there are judged."""


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--data", type=Path, help="data folder; default: the packaged sample")
    parser.add_argument("--keep", type=Path, default=Path(".proof"), help="where all is kept")
    parser.add_argument("--train", nargs="*", metavar="NAME", help="train these students, or all, and stop")
    parser.add_argument("--write", action="store_true", help="put the tables into bench/RESULTS.md as well")
    given = parser.parse_args()
    world = World(given.data)
    given.keep.mkdir(parents=True, exist_ok=True)
    judges = {seed: Judge(Students(world, seed, given.keep)) for seed in given.seeds}
    names = MAIN if given.train is None else given.train or ORDER
    for name in names:
        for judge in judges.values():
            judge.students.model(name)
    if given.train is not None:
        return
    text, accused = tables(judges)
    print(text)
    if given.write:
        page.put(f"{_source(given)}\n\n{text}", MARKS)
    sys.exit(1 if accused else 0)


def tables(judges: dict[int, Judge]) -> tuple[str, int]:
    """Return all tables as Markdown, and how many innocents were accused; progress goes to standard error."""
    say = partial(print, file=sys.stderr, flush=True)
    shared = tuple(name for name in ("shared", "default") if any(one.students.made(name) for one in judges.values()))
    parts = {
        "The measure": main_table(judges, say), "Tracing 20 of 10,000 accounts": tracing_table(judges, shared, say),
        "Canaries": canary_table(judges, say),
    }  # fmt: skip
    parts["Innocent students"], accused = innocent_table(judges, say)
    parts["After an attack"] = removal_table(judges, say)
    return "\n\n".join(f"### {name}\n\n{text}" for name, text in parts.items()), accused


def _source(given: argparse.Namespace) -> str:
    seeds = " ".join(map(str, given.seeds))
    ground = "data folder" if given.data else "packaged sample"
    return (
        f"Command: `python -m bench.proof --seeds {seeds} --write`; commit {page.commit()}; texts: {ground}.\n"
        f"Machine: {os.cpu_count()} cores shared with other work."
    )


if __name__ == "__main__":
    main()
