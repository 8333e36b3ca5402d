"""Measure what a campaign still gets once a person confirmed it, and what honest accounts in the same traffic feel.

In: seeds. Out: a table. Exit code 0, or 1 where a promise is broken: further harvest at most (1 - recall) + 2 % of the
plan, and no honest request refused.
Cost: about a minute and a half a seed.

Run: python -m bench.containment [--seeds 3] [--seed 1] [--seconds N] [--json] [--write]
"""

import argparse
import asyncio
import json
import math
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench import page
from bench.contained import Contained, contained
from bench.layout import down, table, up

MARKS: Final = ("<!-- containment: begin -->", "<!-- containment: end -->")
MARGIN: Final = 0.02
"""Share of the plan that may be answered beyond what members that nobody named get."""
SECONDS: Final = 60.0


def allowed(found: Contained) -> float:
    """Return the share of the plan that may be answered after the first confirmation."""
    return 1.0 - found.recall + MARGIN


def broken(found: Contained) -> list[str]:
    """Return a line for each promise that did not hold."""
    faults = []
    if not found.confirmed_days:
        faults.append(f"seed {found.seed}: no campaign was accused, so nothing was confirmed.")
    if found.harvest > allowed(found):
        faults.append(
            f"seed {found.seed}: {up(found.harvest)} of the plan answered after the confirmation; "
            f"must be at most {down(allowed(found))}."
        )
    if found.honest_refused:
        faults.append(f"seed {found.seed}: {found.honest_refused} honest requests refused; must be 0.")
    return faults


ROWS: Final[tuple[tuple[str, Callable[[Contained], str]], ...]] = (
    ("campaign", lambda f: f.label),
    ("its plan, requests", lambda f: f"{f.plan:,}"),
    ("first confirmed after day", lambda f: f"{f.confirmed_days[0]:.1f}" if f.confirmed_days else "never"),
    ("confirmations", lambda f: str(len(f.confirmed_days))),
    ("members confirmed first", lambda f: f"{f.named_first} of {f.members}"),
    ("members confirmed at the end", lambda f: f"{f.named} of {f.members}"),
    ("answered before the first confirmation", lambda f: f"{f.before} ({up(f.before / f.plan)})"),
    ("answered after it", lambda f: str(f.late + f.early + f.never)),
    ("- to members confirmed by then", lambda f: str(f.late)),
    ("- to members confirmed later", lambda f: str(f.early)),
    ("- to members never confirmed", lambda f: str(f.never)),
    ("refused", lambda f: str(f.refused)),
    ("seconds to the first refusal", lambda f: f"{f.refusal_seconds:.1f}"),
    ("further harvest, of the plan", lambda f: up(f.harvest)),
    ("(1 - recall at the end) + 2 %", lambda f: down(allowed(f))),
    ("(1 - recall at first) + 2 %", lambda f: down(1.0 - f.recall_first + MARGIN)),
    ("honest accounts confirmed", lambda f: f"{f.honest_named} of {f.honest}"),
    ("honest requests answered", lambda f: f"{f.honest_answered:,}"),
    ("honest requests refused", lambda f: str(f.honest_refused)),
    ("promises kept", lambda f: "no" if broken(f) else "yes"),
)


def render(runs: Sequence[Contained]) -> str:
    """Return the table, a column each run."""
    head = ["figure", *(f"seed {found.seed}" for found in runs)]
    return table(head, ([name, *(say(found) for found in runs)] for name, say in ROWS))


def _source(runs: Sequence[Contained], load: float) -> str:
    one = runs[0]
    return (
        f"Command: `python -m bench.containment {' '.join(sys.argv[1:])}`; commit {page.commit()}.\n"
        f"Time-lapse: one wall second is {one.hours_a_second:.1f} hours of traffic. "
        f"Machine: {os.cpu_count()} cores shared with other work, load average {load:.1f} before; "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}."
    )


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="in which the seven days pass; default 60")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the table into bench/RESULTS.md as well")
    given = parser.parse_args()
    load, runs = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory(prefix="containment-") as folder:
        for seed in range(given.seed, given.seed + given.seeds):
            runs.append(asyncio.run(contained(seed, Path(folder) / f"seed-{seed}", given.seconds)))
            print(f"seed {seed}: {'; '.join(broken(runs[-1])) or 'kept'}", file=sys.stderr)
    text = f"{_source(runs, load)}\n\n{render(runs)}"
    print(json.dumps([_plain(found) for found in runs]) if given.json else text)
    if given.write:
        page.put(text, MARKS)
    if faults := [fault for found in runs for fault in broken(found)]:
        raise SystemExit("\n".join(faults))


def _plain(found: Contained) -> dict[str, object]:
    """Return the counts as JSON has them, which knows no infinity."""
    said = {**asdict(found), "recall": found.recall, "harvest": found.harvest, "allowed": allowed(found)}
    return {name: None if value == math.inf else value for name, value in said.items()}


if __name__ == "__main__":
    main()
