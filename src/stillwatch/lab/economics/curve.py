"""The lab's curve: how much of a teacher's lead a harvest of a size is worth.

In: scorecard rows. Out: points of (answers, share retained), and the answers needed for a share.
Between points the share is linear in the logarithm of the answers, below the first in the answers; beyond the last
point nothing is claimed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.lab.cell import Row
from stillwatch.lab.scorecard.card import Line, lines_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured harvest."""

    answers: float
    """Rows that the student was trained on."""
    queries: float
    """Requests that they took."""
    retained: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One task, undefended."""

    task: str
    attack: str
    points: tuple[Point, ...]
    """By answers, ascending."""

    def needed(self, retained: float) -> float | None:
        """Return the answers that give a share of the lead; None where no measured harvest gave so much.

        >>> p = [Point(answers=a, queries=a, retained=r, low=r, high=r) for a, r in ((100, 0.5), (400, 0.7))]
        >>> c = Curve(task="t", attack="soft", points=tuple(p))
        >>> round(c.needed(0.6)), c.needed(0.8)
        (200, None)
        """
        before: Point | None = None
        for point in self.points:
            if point.retained >= retained:
                if before is None:
                    return point.answers * retained / point.retained
                part = (retained - before.retained) / (point.retained - before.retained)
                return math.exp(math.log(before.answers) + part * math.log(point.answers / before.answers))
            before = point if before is None or point.retained > before.retained else before
        return None

    def at(self, answers: float) -> float:
        """Return the share that a harvest is worth, held at the ends of what was measured."""
        points = self.points
        if answers <= points[0].answers:
            return points[0].retained * max(answers, 0.0) / points[0].answers
        for a, b in zip(points, points[1:], strict=False):
            if answers <= b.answers:
                part = math.log(answers / a.answers) / math.log(b.answers / a.answers)
                return a.retained + part * (b.retained - a.retained)
        return points[-1].retained


def curves_of(rows: Sequence[Row], attack: str = "soft") -> list[Curve]:
    """Return one curve for each task on which this attack was run undefended from the base."""
    found: dict[str, list[Point]] = {}
    for line in lines_of(rows):
        cell = line.cell
        if (cell.defence, cell.attack, cell.start, cell.thief, cell.removal) == ("none", attack, "base", "passive", ()):
            point = _point(line)
            found.setdefault(cell.task, []).extend([point] if point is not None else [])
    return [
        Curve(task=task, attack=attack, points=tuple(sorted(points, key=lambda point: point.answers)))
        for task, points in found.items()
        if points
    ]


def _point(line: Line) -> Point | None:
    retained = line.retained
    if retained is None or not line.rows[0].harvested:
        return None
    n = len(line.rows)
    return Point(
        answers=sum(row.harvested for row in line.rows) / n, queries=sum(row.spent.queries for row in line.rows) / n,
        retained=retained.value, low=retained.low, high=retained.high,
    )  # fmt: skip
