"""Rows of one plan, and their means over seeds.

In: rows. Out: `Line`s, one for each (task, defence, attack, thief and what else tells cells apart), with intervals that
hold both the test items' chance and the seeds'. Left to `table` and `page`: showing them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from stillwatch.lab.cell import Budget, Cell, Measured, Row

Z = 1.959963984540054
"""Standard deviations of a normal 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """What the adaptive thief keeps by the best of its strategies: an upper bound, as it is chosen afterwards."""

    task: str
    defence: str
    attack: str
    strategy: str
    """The one that won."""
    tried: tuple[str, ...]
    """All that were run, in the plan's order."""
    retained: Measured
    """Mean over seeds, of the one that won; its interval does not know that it was chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """What a run of a plan gave."""

    plan: str
    rows: tuple[Row, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Task and attack -> why it could not be run here."""
    waiting: int = 0
    """Cells that are left for the next run."""
    version: str = ""
    best: tuple[Best, ...] = ()
    """For each task, defence and attack on which an adaptive thief had more strategies than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Rows that differ in their seeds only."""

    cell: Cell
    """Of the first seed."""
    rows: tuple[Row, ...]

    def mean(self, figure: Callable[[Row], Measured | None]) -> Measured | None:
        """Return a figure's mean over seeds; None where a row lacks it."""
        found = [figure(row) for row in self.rows]
        known = [one for one in found if one is not None]
        return mean_of(known) if len(known) == len(found) and known else None

    @property
    def retained(self) -> Measured | None:
        """Mean share of the lead that students keep."""
        return self.mean(lambda row: row.retained)


def mean_of(found: Sequence[Measured]) -> Measured:
    """Return the mean of figures of independent seeds.

    The half-width is the larger of two: what the seeds' own intervals say of a mean, and what their spread says.
    """
    if len(found) == 1:
        return found[0]
    values = np.array([one.value for one in found])
    within = math.sqrt(sum(((one.high - one.low) / 2.0) ** 2 for one in found)) / len(found)
    between = Z * float(values.std(ddof=1)) / math.sqrt(len(found))
    mean, half = float(values.mean()), max(within, between)
    return Measured(value=mean, low=mean - half, high=mean + half, n=sum(one.n for one in found))


def lines_of(rows: Sequence[Row]) -> list[Line]:
    """Return one line for each cell but for its seed, in the order in which they first appear."""
    groups: dict[Cell, list[Row]] = {}
    for row in rows:
        groups.setdefault(replace(row.cell, seed=0), []).append(row)
    return [Line(cell=group[0].cell, rows=tuple(group)) for group in groups.values()]


def undefended(lines: Sequence[Line], task: str) -> Line | None:
    """Return the line without a defence that keeps most on a task: what every defence is held against."""
    found = [line for line in lines if line.cell.task == task and line.cell.defence == "none" and line.retained]
    return max(found, key=lambda line: line.retained.value if line.retained else 0.0, default=None)


def strongest(lines: Sequence[Line], task: str, defence: str, thief: str) -> Line | None:
    """Return the line in which this thief keeps most against a defence."""
    wanted = (task, defence, thief)
    found = [line for line in lines if (line.cell.task, line.cell.defence, line.cell.thief) == wanted and line.retained]
    return max(found, key=lambda line: line.retained.value if line.retained else 0.0, default=None)


def best_of(lines: Sequence[Line]) -> list[Best]:
    """Return the best strategy for the thief wherever several were tried on the same task, defence and attack."""
    tried: dict[tuple[str, str, str], dict[str, Measured]] = {}
    for line in lines:
        cell, kept = line.cell, line.retained
        if cell.strategy and kept is not None:
            tried.setdefault((cell.task, cell.defence, cell.attack), {})[cell.strategy] = kept
    out = []
    for (task, defence, attack), found in tried.items():
        if len(found) > 1:
            won = max(found, key=lambda name: found[name].value)
            out.append(Best(task=task, defence=defence, attack=attack, strategy=won, tried=tuple(found),
                            retained=found[won]))  # fmt: skip
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One of the aims that the lab was built to check, and what came of it."""

    task: str
    undefended: Measured
    """Retention of the best attack without a defence."""
    adaptive: Measured | None
    """Retention of the best adaptive attack against `full`; None where none was run."""
    strategy: str
    """How that thief went about it; empty where the plan has one way only."""
    honest_points: Measured | None

    @property
    def halved(self) -> bool:
        """Whether the full defence halves retention at half a point of honest accuracy at most."""
        cheap = self.honest_points is not None and self.honest_points.value <= 0.5
        return self.adaptive is not None and cheap and self.adaptive.value <= 0.5 * self.undefended.value


def claims_of(rows: Sequence[Row]) -> list[Claim]:
    """Return the aim's figures for each task that was run without a defence."""
    lines, claims = lines_of(rows), []
    for task in dict.fromkeys(row.cell.task for row in rows):
        open_line = undefended(lines, task)
        if open_line is None or open_line.retained is None:
            continue
        best = strongest(lines, task, "full", "adaptive")
        claims.append(Claim(
            task=task, undefended=open_line.retained, adaptive=best.retained if best else None,
            strategy=best.cell.strategy if best else "",
            honest_points=best.mean(lambda row: row.honest_points) if best else None,
        ))  # fmt: skip
    return claims


def label_of(cell: Cell, base: Budget | None = None) -> str:
    """Return what tells a cell apart beside task, defence and thief, such as `soft E2 +by-loss`."""
    words = [cell.attack]
    if cell.evasion != "E0":
        words.append(cell.evasion)
    words += [f"+{name}" for name in cell.removal]
    if cell.strategy:
        words.append(f"by {cell.strategy}")
    if cell.start != "base":
        words.append(f"from {cell.start}")
    return " ".join(words)
