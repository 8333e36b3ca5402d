"""Evidence over time against what was needed, as SVG drawn here: steps of nats, a line for the threshold.

In: points in time order. Out: one stretchable SVG without text; figures stand beside it in the page, and in a table.
Evidence holds from one judgement to the next, so it is drawn as steps.
"""

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 1000, 140


class Point(NamedTuple):
    """One judgement."""

    at: float
    log_e: float
    threshold: float


def draw(points: Sequence[Point]) -> str:
    """Return the picture; empty without points.

    >>> draw([])
    ''
    >>> draw([Point(0.0, 1.0, 5.0), Point(1.0, 9.0, 5.0)]).count("<path")
    3
    """
    if not points:
        return ""
    start, end = points[0].at, max(points[-1].at, points[0].at + 1.0)
    top = max(1.0, *(max(p.log_e, p.threshold) for p in points)) * 1.08
    bottom = min(0.0, *(p.log_e for p in points))

    def x(at: float) -> float:
        return (at - start) / (end - start) * (WIDTH - 8) + 4

    def y(value: float) -> float:
        return HEIGHT - (value - bottom) / (top - bottom) * HEIGHT

    def steps(values: Sequence[tuple[float, float]]) -> str:
        path = f"M{x(values[0][0]):.1f} {y(values[0][1]):.1f}"
        for at, value in values[1:]:
            path += f"H{x(at):.1f}V{y(value):.1f}"
        return path + f"H{WIDTH}"

    line = steps([(p.at, p.log_e) for p in points])
    area = f"{line}V{y(bottom):.1f}H{x(start):.1f}z"
    return (
        f'<svg class="course" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="area" d="{area}"/><path class="nats-line" d="{line}"/>'
        f'<path class="needed" d="{steps([(p.at, p.threshold) for p in points])}"/></svg>'
    )
