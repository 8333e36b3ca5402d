"""Time line of a campaign over the whole traffic, as SVG drawn here.

In: counts per bin. Out: two strips with one time axis: all traffic with the campaign's part in it, and the campaign at
its own scale. No text inside, so that the strips may stretch to any width; labels stand in the page around them.
Cost: at most `MAX_BINS` bars a strip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_BINS = 160
HEIGHT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Strips:
    """Two drawn strips and the figures that label them."""

    traffic_svg: str
    campaign_svg: str
    traffic_peak: int
    campaign_peak: int
    step: float
    """Width of a drawn bin, seconds."""
    start: float
    end: float


def merged(counts: Sequence[int], limit: int = MAX_BINS) -> tuple[list[int], int]:
    """Return at most `limit` bins and how many old bins each new one adds up.

    >>> merged([1, 2, 3, 4, 5], limit=3)
    ([3, 7, 5], 2)
    """
    by = max(1, -(-len(counts) // limit))
    return [sum(counts[i : i + by]) for i in range(0, len(counts), by)], by


def draw(campaign: Sequence[int], traffic: Sequence[int], *, start: float, step: float) -> Strips | None:
    """Return the strips, or None when there is nothing to draw.

    Args:
        campaign: Requests of the campaign, shape (n_bins,).
        traffic: Requests of everybody, shape (n_bins,); may be empty when unknown.
        start: Start of the first bin, seconds since 1970-01-01 UTC.
        step: Width of a bin, seconds, above 0.
    """
    own, by = merged(campaign)
    if not any(own):
        return None
    every, _ = merged(traffic)
    return Strips(
        traffic_svg=_svg([("t", every), ("c", own)], max(every)) if any(every) else "",
        campaign_svg=_svg([("c", own)], max(own)),
        traffic_peak=max(every, default=0),
        campaign_peak=max(own),
        step=step * by,
        start=start,
        end=start + step * len(campaign),
    )


def strip(layers: list[tuple[str, list[int]]]) -> str:
    """Return one strip of layers at one scale, the last in front."""
    return _svg(layers, max(max(counts, default=0) for _, counts in layers))


def _svg(layers: list[tuple[str, list[int]]], top: int) -> str:
    """Draw each layer as one path of bars, the last in front."""
    n = len(layers[0][1])
    paths = "".join(f'<path class="{name}" d="{_bars(counts, top)}"/>' for name, counts in layers)
    box = f'viewBox="0 0 {n * 10} {HEIGHT}" preserveAspectRatio="none"'
    return f'<svg class="strip" {box} aria-hidden="true">{paths}</svg>'


def _bars(counts: list[int], top: int) -> str:
    bars = []
    for i, n in enumerate(counts):
        if n:
            height = max(n / max(top, 1) * HEIGHT, 1.0)
            bars.append(f"M{i * 10 + 0.5:g} {HEIGHT}v{-height:.2f}h9v{height:.2f}z")
    return "".join(bars)
