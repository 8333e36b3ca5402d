"""Bars of nats against the bar that has to be passed, as SVG drawn here.

In: nats. Out: one stretchable SVG each, without text; the figure stands beside it in the page.
"""

import math

WIDTH = 1000


def axis_end(values: list[float], threshold: float) -> float:
    """Return where the axis ends, nats: past the threshold and past twice the least value, which decides.

    >>> axis_end([3.0, 9.0], 8.0), axis_end([10.0, 300.0], 8.0)
    (10.0, 32.0)
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    return max(1.25 * threshold, min(max(finite) * 1.05, max(2 * min(finite), 4 * threshold)), 1e-9)


def bar(value: float, *, threshold: float, end: float) -> str:
    """Return one bar from 0 to `value` with a line at `threshold`; a bar that runs off the axis is shown broken."""
    length = 0.0 if math.isnan(value) else min(max(value, 0.0) / end, 1.0) * WIDTH
    passed = "pass" if value >= threshold else "fall"
    line = min(threshold / end, 1.0) * WIDTH
    over = value > end
    shape = "M0 3h948v12H0zM960 3h12v12h-12zM984 3h16v12h-16z" if over else f"M0 3h{length:.1f}v12H0z"
    return (
        f'<svg class="bar" viewBox="0 0 {WIDTH} 18" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="track" d="M0 3h{WIDTH}v12H0z"/><path class="{passed}" d="{shape}"/>'
        f'<path class="line" d="M{line:.1f} 0v18"/></svg>'
    )
