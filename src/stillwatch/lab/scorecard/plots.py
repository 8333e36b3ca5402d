"""Plots of the scorecard as SVG: what each defence leaves of the lead, and what a harvest is worth by its size.

In: lines of the scorecard. Out: SVG text that scales to its place and says in words what it shows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from stillwatch.lab.cell import Measured
from stillwatch.lab.scorecard.card import Line, label_of

WIDTH: Final = 640
ROW: Final = 22
LEFT: Final = 285
RIGHT: Final = 16
MOST: Final = 1.2
"""Right end of the scale: a student can be better than its teacher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar with its interval."""

    name: str
    value: Measured
    kind: str
    """`none`, `given` or `adaptive`: chooses the colour."""


def bars_of(lines: Sequence[Line]) -> list[Bar]:
    """Return a bar for each line that has a retention."""
    return [
        Bar(name=f"{line.cell.defence} / {label_of(line.cell)} / {line.cell.thief} / {line.cell.budget.queries:,}",
            value=line.retained,
            kind="none" if line.cell.defence == "none" else "adaptive" if line.cell.thief == "adaptive" else "given")
        for line in lines
        if line.retained is not None
    ]  # fmt: skip


def retention_plot(title: str, bars: Sequence[Bar]) -> str:
    """Return bars from 0 to 120 % with their 95 % intervals, and lines at 50 and 85 %."""
    height = ROW * len(bars) + 34
    out = [_open(height, f"{title}: share of the teacher's lead that students keep")]
    for share in (0.0, 0.5, 0.85, 1.0):
        x = _x(share)
        out.append(f'<line class="grid" x1="{x:.1f}" y1="4" x2="{x:.1f}" y2="{height - 26}"/>')
        out.append(f'<text class="tick" x="{x:.1f}" y="{height - 10}" text-anchor="middle">{100 * share:.0f} %</text>')
    for number, bar in enumerate(bars):
        y = 6 + ROW * number
        value, low, high = (min(max(one, 0.0), MOST) for one in (bar.value.value, bar.value.low, bar.value.high))
        out.append(f'<text class="name" x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(bar.name)}</text>')
        out.append(
            f'<rect class="{bar.kind}" x="{_x(0):.1f}" y="{y + 3}" width="{_x(value) - _x(0):.1f}" height="12"/>'
        )
        out.append(f'<line class="whisker" x1="{_x(low):.1f}" y1="{y + 9}" x2="{_x(high):.1f}" y2="{y + 9}"/>')
    out.append("</svg>")
    return "".join(out)


def _x(share: float) -> float:
    return LEFT + share / MOST * (WIDTH - LEFT - RIGHT)


def _open(height: float, said: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(said, quote=True)}">'


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One curve."""

    name: str
    points: tuple[tuple[float, Measured], ...]
    """(answers, share retained), by answers."""


def harvest_series(lines: Sequence[Line]) -> list[Series]:
    """Return what undefended `soft` harvests of each task are worth, where there are two sizes at least."""
    found: dict[str, list[tuple[float, Measured]]] = {}
    for line in lines:
        cell = line.cell
        plain = (cell.defence, cell.attack, cell.thief, cell.start, cell.removal)
        if plain == ("none", "soft", "passive", "base", ()) and line.retained:
            mean = sum(row.harvested for row in line.rows) / len(line.rows)
            found.setdefault(cell.task, []).append((mean, line.retained))
    return [Series(name=task, points=tuple(sorted(points, key=lambda p: p[0])))
            for task, points in found.items() if len(points) > 1]  # fmt: skip


def curve_plot(series: Series) -> str:
    """Return one curve over the logarithm of the answers."""
    low, high = math.log(series.points[0][0]), math.log(series.points[-1][0])
    height = 220

    def place(answers: float, share: float) -> tuple[float, float]:
        across = (math.log(answers) - low) / (high - low) if high > low else 0.5
        return 60 + across * (WIDTH - 100), 180 - min(max(share, 0.0), MOST) / MOST * 165

    out = [_open(height, f"{series.name}: share of the lead by answers harvested")]
    for share in (0.0, 0.5, 0.85, 1.0):
        y = place(series.points[0][0], share)[1]
        out.append(f'<line class="grid" x1="60" y1="{y:.1f}" x2="{WIDTH - 40}" y2="{y:.1f}"/>')
        out.append(f'<text class="tick" x="52" y="{y + 4:.1f}" text-anchor="end">{100 * share:.0f} %</text>')
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(n, one.value) for n, one in series.points))
    out.append(f'<polyline class="curve" points="{path}"/>')
    for n, one in series.points:
        x, y = place(n, one.value)
        ends = place(n, one.low)[1], place(n, one.high)[1]
        out.append(f'<line class="whisker" x1="{x:.1f}" y1="{ends[0]:.1f}" x2="{x:.1f}" y2="{ends[1]:.1f}"/>')
        out.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
        out.append(f'<text class="tick" x="{x:.1f}" y="202" text-anchor="middle">{n:,.0f}</text>')
    out.append("</svg>")
    return "".join(out)
