"""Graph of a campaign: its accounts on a ring, what they share inside it, as SVG drawn here.

In: edges with weights. Out: one SVG and the list of hubs behind its numbers; the same input draws the same picture.
Hubs that at least half of the accounts share stand in the middle, the rest stand near the accounts that share them.
Cost: at most `MAX_ACCOUNTS` accounts and `MAX_EDGES` lines; the rest is counted, not drawn.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.console.report import Edge

MAX_ACCOUNTS = 120
MAX_HUBS = 40
MAX_EDGES = 1500
NUMBERED = 12
SIZE = 480
RING, INNER = 218.0, 124.0
KINDS = ("content", "payment", "network", "client", "timing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """One thing that accounts share."""

    number: int
    """From 1, most shared first."""
    kind: str
    key: str
    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The drawn graph and what could not be drawn."""

    svg: str
    hubs: tuple[Hub, ...]
    """All of them, most shared first; the first `NUMBERED` carry their number in the picture."""
    drawn: int
    """Accounts in the picture."""
    left_out: int
    """Accounts beyond the cap, or without any link."""
    lines_left_out: int


def draw(edges: Sequence[Edge | tuple[int, int | str, float]], accounts: int) -> Picture | None:
    """Return the picture of a campaign of `accounts` accounts, or None without edges."""
    lines = [Edge(*edge) for edge in edges]
    linked = sorted({e.account for e in lines} | {e.other for e in lines if isinstance(e.other, int)})
    shown = linked[:MAX_ACCOUNTS]
    if not shown:
        return None
    sharers = _sharers(lines)
    hubs = sorted(sharers, key=lambda name: (-len(sharers[name]), name))
    drawn_hubs = [name for name in hubs if sharers[name] & set(shown)][:MAX_HUBS]
    places = _place_accounts(shown, drawn_hubs, sharers)
    hub_places = _place_hubs(drawn_hubs, sharers, places)
    svg, missing = _svg(lines, places, hub_places, drawn_hubs)
    table = tuple(_hub(i + 1, name, len(sharers[name])) for i, name in enumerate(hubs))
    return Picture(
        svg=svg, hubs=table, drawn=len(shown), left_out=max(accounts - len(shown), 0), lines_left_out=missing
    )


def _sharers(lines: list[Edge]) -> dict[str, set[int]]:
    sharers: dict[str, set[int]] = defaultdict(set)
    for edge in lines:
        if isinstance(edge.other, str):
            sharers[edge.other].add(edge.account)
    return dict(sharers)


def _hub(number: int, name: str, accounts: int) -> Hub:
    kind, _, key = name.partition(":")
    return Hub(number=number, kind=kind, key=key, accounts=accounts)


def _place_accounts(shown: list[int], hubs: list[str], sharers: dict[str, set[int]]) -> dict[int, tuple[float, float]]:
    """Put accounts on the ring, those with the same particular hubs side by side."""
    common = len(shown) / 2
    particular = [name for name in hubs if len(sharers[name] & set(shown)) < common]
    signature = {a: tuple(i for i, name in enumerate(particular) if a in sharers[name]) or (len(hubs),) for a in shown}
    order = sorted(shown, key=lambda a: (signature[a], a))
    turn = 2 * math.pi / len(order)
    return {a: _polar(RING, i * turn - math.pi / 2) for i, a in enumerate(order)}


def _place_hubs(
    hubs: list[str], sharers: dict[str, set[int]], places: dict[int, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Put hubs that most share in the middle, each other one at the mean direction of its accounts."""
    here = {name: [places[a] for a in sorted(sharers[name]) if a in places] for name in hubs}
    middle = [name for name in hubs if len(here[name]) >= len(places) / 2]
    outer = {name: _direction(here[name]) for name in hubs if name not in middle}
    spots: dict[str, tuple[float, float]] = {}
    for i, name in enumerate(middle):
        radius = 0.0 if len(middle) == 1 else max(26.0, 7.0 * len(middle))
        spots[name] = _polar(min(radius, INNER - 40), i * 2 * math.pi / len(middle) - math.pi / 2)
    order = sorted(outer, key=lambda name: (outer[name], name))
    for name, angle in zip(order, _apart([outer[name] for name in order]), strict=True):
        spots[name] = _polar(INNER, angle)
    return spots


def _direction(points: list[tuple[float, float]]) -> float:
    centre = SIZE / 2
    return math.atan2(sum(y - centre for _, y in points), sum(x - centre for x, _ in points))


def _apart(angles: list[float]) -> list[float]:
    """Return sorted angles pushed apart so that no two hubs touch; evenly spread when they are many."""
    n = len(angles)
    gap = min(2 * math.pi / max(n, 1), 26.0 / INNER)
    for _ in range(60):
        for i in range(n):
            after = angles[(i + 1) % n] + (2 * math.pi if i + 1 == n else 0.0)
            short = gap - (after - angles[i])
            if n > 1 and short > 1e-9:
                angles[i] -= short / 2
                angles[(i + 1) % n] += short / 2
    return angles


def _polar(radius: float, angle: float) -> tuple[float, float]:
    return SIZE / 2 + radius * math.cos(angle), SIZE / 2 + radius * math.sin(angle)


def _svg(
    lines: list[Edge],
    places: dict[int, tuple[float, float]],
    hub_places: dict[str, tuple[float, float]],
    hubs: list[str],
) -> tuple[str, int]:
    ends = [
        (places[e.account], places.get(e.other) if isinstance(e.other, int) else hub_places.get(e.other), e)
        for e in sorted(lines, key=lambda e: (-e.weight, e.account, str(e.other)))
        if e.account in places
    ]
    drawable = [(a, b, e) for a, b, e in ends if b is not None]
    strokes: dict[str, list[str]] = defaultdict(list)
    for (x1, y1), (x2, y2), edge in drawable[:MAX_EDGES]:
        kind = _kind(edge.other) if isinstance(edge.other, str) else "pair"
        strokes[kind].append(f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}")
    parts = [f'<path class="l k-{kind}" d="{"".join(d)}"/>' for kind, d in sorted(strokes.items())]
    parts += [f'<circle class="a" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in places.values()]
    for i, name in enumerate(hubs):
        parts.append(_mark(_kind(name), *hub_places[name], number=i + 1 if i < NUMBERED else 0))
    body = "".join(parts)
    svg = f'<svg class="graph" viewBox="0 0 {SIZE} {SIZE}" aria-hidden="true">{body}</svg>'
    return svg, len(lines) - len(drawable[:MAX_EDGES])


def _kind(hub: str) -> str:
    kind = hub.partition(":")[0]
    return kind if kind in KINDS else "other"


SHAPES = {
    "content": "M-11-11h22v22h-22z",
    "payment": "M0-14L14 0L0 14L-14 0z",
    "network": "M0-14L13 10h-26z",
    "client": "M-7-12h14l7 12l-7 12h-14l-7-12z",
    "timing": "M0-14L13-4L8 11h-16L-13-4z",
    "other": "M-11 0a11 11 0 1 0 22 0a11 11 0 1 0-22 0z",
}
"""Outline of each kind of hub, so that no kind is told by colour alone."""


def _mark(kind: str, x: float, y: float, *, number: int) -> str:
    scale = "" if number else " scale(.62)"
    lower = 4 if kind != "network" else 7
    label = f'<text y="{lower}">{number}</text>' if number else ""
    return f'<g class="h k-{kind}" transform="translate({x:.1f} {y:.1f}){scale}"><path d="{SHAPES[kind]}"/>{label}</g>'


def legend_mark(kind: str) -> str:
    """Return the small shape that stands for `kind` in a legend."""
    known = kind if kind in KINDS else "other"
    mark = f'<g class="h k-{known}"><path d="{SHAPES[known]}"/></g>'
    return f'<svg class="key" viewBox="-16 -16 32 32" aria-hidden="true">{mark}</svg>'
