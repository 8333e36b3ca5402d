"""Run the benchmark: detection against three rules, scan and sketch throughput.

In: a seed, or `--quick`. Out: tables. Exit code 0, or 1 where a scan takes more memory than its budget.
Cost: about half an hour; `--quick` about a minute (2 seeds, 600 honest accounts, packaged sample).

Run: python -m bench [--seed 1] [--quick] [--seeds N] [--honest N] [--data FOLDER] [--large] [--json]
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import detection, page, rates, tables, throughput
from bench.layout import table

QUICK_SEEDS, QUICK_HONEST, QUICK_LARGEST, QUICK_SCAN = 2, 600, 200, 20_000
SKETCHED = 20_000


def sketch(seed: int, data: Path | None, requests: int) -> dict[str, Any]:
    """Return the figures of `bench_sketch`, run in a process of its own: exchanges to events on one core."""
    command = [sys.executable, "-m", "bench.bench_sketch", "--json", "--seed", str(seed), "--n", str(requests)]
    surroundings = {name: value for name, value in os.environ.items() if name != "STILLWATCH_DATA"}
    if data:
        surroundings["STILLWATCH_DATA"] = str(data)
    told = subprocess.run(command, env=surroundings, stdout=subprocess.PIPE, check=True, text=True)
    figures: dict[str, Any] = json.loads(told.stdout)
    return figures


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="first seed")
    parser.add_argument("--quick", action="store_true", help="small and from the packaged sample")
    parser.add_argument("--seeds", type=int, help="how many seeds")
    parser.add_argument("--honest", type=int, help="honest accounts a seed")
    parser.add_argument("--data", type=Path, help="data folder; default $STILLWATCH_DATA, and the sample with --quick")
    parser.add_argument("--large", action="store_true", help="also scan a million requests")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put tables into bench/RESULTS.md, rates into the package")
    given = parser.parse_args()
    data = given.data or (None if given.quick else detection.data_folder())
    asked = detection.Asked(
        seed=given.seed,
        seeds=given.seeds or (QUICK_SEEDS if given.quick else detection.SEEDS),
        honest=given.honest or (QUICK_HONEST if given.quick else detection.HONEST),
        data=data,
        largest=QUICK_LARGEST if given.quick else 1_000,
    )
    sizes = [QUICK_SCAN if given.quick else throughput.DEFAULT, *([throughput.LARGE] if given.large else [])]
    found: dict[str, Any] = {
        "detection": detection.run(asked),
        "scan": throughput.run(sizes, given.seed, data, honest=asked.honest),
        "sketch": sketch(given.seed, data, SKETCHED // (10 if given.quick else 1)),
    }
    print(json.dumps(found) if given.json else render(found))
    if given.write:
        page.write(render(found), given.seed)
        rates.write()
    if broken := throughput.over_budget(found["scan"]):
        raise SystemExit("\n".join(broken))


def render(found: dict[str, Any]) -> str:
    """Return every table as Markdown."""
    figures = found["sketch"].items()
    rows = [
        [name.replace("_", " "), f"{value:,}" if isinstance(value, int | float) else value] for name, value in figures
    ]
    return "\n\n".join(
        (
            "## Detection",
            tables.render(found["detection"]),
            "## Throughput",
            throughput.render(found["scan"]),
            "### Sketch, exchanges to events on one core\n\n" + table(["figure", "value"], rows),
        )
    )


if __name__ == "__main__":
    main()
