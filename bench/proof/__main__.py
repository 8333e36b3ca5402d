"""Measure proof on students that were really trained: train, judge, print, write into bench/RESULTS.md.

In: seeds, a data folder, a folder that keeps students and texts. Out: tables. Every step is kept, so that the same
command goes on after a break. Exit code 0; 1 where an innocent student is accused.
Cost: about twenty-five minutes of a core a seed, most of it training; with all kept half a minute.

Run: python -m bench.proof [--seeds 1 2 3] [--data FOLDER] [--keep FOLDER] [--train-only] [--write]
"""

import argparse
from pathlib import Path

from bench.proof.students import ORDER, Students
from bench.proof.world import World

MAIN = ("base", "control", "m05", "m20", "shared", "clean")


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--data", type=Path, help="data folder; default: the packaged sample")
    parser.add_argument("--keep", type=Path, default=Path(".proof"), help="where all is kept")
    parser.add_argument("--train-only", nargs="*", metavar="NAME", help="train these students, or all, and stop")
    parser.add_argument("--write", action="store_true", help="put the tables into bench/RESULTS.md as well")
    given = parser.parse_args()
    world = World(given.data)
    given.keep.mkdir(parents=True, exist_ok=True)
    everyone = {
        seed: Students(world, seed, given.keep, say=lambda text: print(text, flush=True)) for seed in given.seeds
    }
    for names in (MAIN, [name for name in ORDER if name not in MAIN]):
        for students in everyone.values():
            for name in names:
                if not given.train_only or name in given.train_only:
                    students.model(name)


if __name__ == "__main__":
    main()
