"""Run the benchmark of the mark's core: chance on honest text, tokens needed, and times.

In: a seed, or `--quick`. Out: tables. Exit code 0, or 1 where honest text passes more often than its level says.
Cost: five minutes; `--quick` one. The marking teacher has its own: `python -m bench.marks.teacher`, and so have peers:
`python -m bench.marks.peers`.

Run: python -m bench.marks [--seed 1] [--quick] [--data FOLDER] [--json] [--write]
"""

import argparse
import dataclasses
import json
import os
from pathlib import Path

from bench import page
from bench.layout import table
from bench.marks import chance, goals, honest, needs, pace
from bench.marks.documents import documents

DOCUMENTS, MORE_KEYS = 10_000, 100
QUICK = 1_000
HEADS = ("Goals", "Honest documents", "Scored tokens to 1e-6 at 90 % power, by green rate", "Times")
MARKS = ("<!-- marks: begin -->", "<!-- marks: end -->")


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="1,000 documents of the packaged sample")
    parser.add_argument("--data", type=Path, help="data folder; default $STILLWATCH_DATA, and the sample with --quick")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the tables into bench/RESULTS.md as well")
    given = parser.parse_args()
    named = os.environ.get("STILLWATCH_DATA")
    data = given.data or (Path(named) if named and not given.quick else None)
    found = documents(data, QUICK if given.quick else DOCUMENTS)
    levels = [row for width in (1, 2) for keys in (1, MORE_KEYS) for row in chance.run(found, width, keys, given.seed)]
    levels += honest.run(found, given.seed)
    needed = needs.run(given.seed)
    times = [*pace.steps(given.seed), *pace.reading(found, given.seed)]
    if given.json:
        parts = {"chance": levels, "needs": needed, "pace": times}
        print(json.dumps({name: [dataclasses.asdict(row) for row in rows] for name, rows in parts.items()}))
    else:
        parts_of_page = [goals.render(levels, times), chances(levels), needed_tokens(needed), paces(times)]
        tables = "\n\n".join(f"### {name}\n\n{text}" for name, text in zip(HEADS, parts_of_page, strict=True))
        text = f"{goals.source(given.seed, found.source)}\n\n{tables}"
        print(text)
        if given.write:
            page.put(text, MARKS)
    if broken := [row for row in levels if not row.held]:
        raise SystemExit(
            "\n".join(
                f"{row.scheme}, width {row.width}: {row.passed} of {row.tests} at {row.nominal}" for row in broken
            )
        )


def chances(rows: list[chance.Level]) -> str:
    """Return the table of honest documents."""
    head = ["scheme", "width", "documents x keys", "level", "found", "99 % interval", "exact rate", "with repeats"]
    return table(head, (
        [row.scheme, str(row.width), f"{row.tests // row.keys:,} x {row.keys}", f"{row.nominal:.0e}",
         f"{row.passed / row.tests:.2e}", f"{row.low:.2e} to {row.high:.2e}",
         f"{'<= ' if row.bounded else ''}{row.allowed:.2e}", f"{row.repeats_kept:.2e}"] for row in rows
    ))  # fmt: skip


def needed_tokens(rows: list[needs.Need]) -> str:
    """Return the table of tokens to 1e-6 at 90 % power."""
    head = ["green rate", "all tiers", "simulated power", "campaign tier wrong", "provider tier", "one of 10,000"]
    return table(head, (
        [f"{row.rate:.2f}", f"{row.union:,}", f"{row.simulated:.3f}", f"{row.wrong_quarter:,}", f"{row.provider:,}",
         f"{row.named_of_10_000:,}"] for row in rows
    ))  # fmt: skip


def paces(rows: list[pace.Time]) -> str:
    """Return the table of times."""
    return table(["what", "best", "median", "unit", "budget"], (
        [row.what, f"{row.least:,.4g}", f"{row.median:,.4g}", row.unit, row.budget] for row in rows
    ))  # fmt: skip


if __name__ == "__main__":
    main()
