"""What the mark's core must reach, and whether it did.

In: rows of `chance`, `honest` and `pace`. Out: the table of goals, and the lines that say where figures come from.
A time is judged by its median: the machine is shared, and the best run flatters.
"""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import page
from bench.layout import table
from bench.marks.chance import Level
from bench.marks.pace import READ, SEARCH, STEP, Time

WORDS = {
    STEP: ("one decode step", "<= 500 us", "200 us"),
    READ: ("reading on one core", ">= 2 M tokens/s", "5 M tokens/s"),
    SEARCH: ("search", "<= 10 s", "3 s"),
}
BOUNDS = {STEP: (500.0, 200.0), READ: (2.0, 5.0), SEARCH: (10.0, 3.0)}


def render(levels: Sequence[Level], times: Sequence[Time]) -> str:
    """Return the table of goals."""
    rows = []
    for row in times:
        if row.budget:
            kind, must, aim = WORDS[row.budget]
            measured = f"{row.median:,.3g} {row.unit} (best {row.least:,.3g})"
            rows.append([f"{kind}: {row.what}", must, aim, measured, met(row)])
    for scheme in dict.fromkeys((row.scheme, row.width, row.keys) for row in levels):
        own = [row for row in levels if (row.scheme, row.width, row.keys) == scheme]
        what = f"honest documents: {scheme[0]}, width {scheme[1]}, {own[0].tests:,} tests"
        measured = ", ".join(f"{row.passed / row.tests:.1e} at {row.nominal:.0e}" for row in own)
        missed = [f"{row.nominal:.0e}" for row in own if not row.within]
        said = f"not at {', '.join(missed)}" if missed else "yes"
        rows.append([what, "exact rate within 99 % Clopper-Pearson", "", measured, said])
    return table(["goal", "must", "aim", "measured", "met"], rows)


def met(row: Time) -> str:
    """Return whether a median reaches its budget, and its aim.

    >>> met(Time("a", 150.0, 190.0, "us", STEP)), met(Time("a", 150.0, 590.0, "us", STEP))
    ('yes, and the aim', 'no')
    """
    must, aim = BOUNDS[row.budget]
    sign = -1.0 if row.budget == READ else 1.0
    if sign * row.median > sign * must:
        return "no"
    return "yes, and the aim" if sign * row.median <= sign * aim else "yes"


def source(seed: int, texts: str) -> str:
    """Return the command, the seed, the commit, the texts and the machine."""
    given = [Path(value).name if os.sep in value else value for value in sys.argv[1:]]
    return (
        f"Command: `python -m bench.marks {' '.join(given)}`; seed {seed}; commit {page.commit()}; texts: {texts}.\n"
        f"Machine: {os.cpu_count()} cores shared with other work, load average {os.getloadavg()[0]:.1f}; "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}. Times are medians of repeats."
    )
