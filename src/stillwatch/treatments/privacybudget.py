"""How much of a privacy budget is spent: zero-concentrated differential privacy, by account and day.

In: releases, each of the Gaussian mechanism. Out: whether one more is within the budget. Composition is addition,
whatever is asked next may depend on what was answered before.
Source: Bun and Steinke 2016, arXiv:1605.02065 (Gaussian mechanism: rho = (sensitivity / sd)^2 / 2; rho-zCDP gives
(rho + 2 sqrt(rho ln(1/delta)), delta)-differential privacy).
"""

import math
from dataclasses import dataclass

_SLACK = 1e-9


def rho_of(epsilon: float, delta: float) -> float:
    """Return the largest rho whose conversion gives (epsilon, delta).

    >>> round(rho_of(8.0, 1e-6), 3)
    0.91
    """
    spread = math.log(1.0 / delta)
    return (math.sqrt(spread + epsilon) - math.sqrt(spread)) ** 2


def epsilon_of(rho: float, delta: float) -> float:
    """Return the epsilon that rho-zCDP gives at `delta`."""
    return rho + 2.0 * math.sqrt(rho * math.log(1.0 / delta))


def release_rho(noise: float) -> float:
    """Return what one release costs: noise with `noise` times the reach as its standard deviation.

    >>> release_rho(10.0)
    0.005
    """
    return 0.5 / (noise * noise)


@dataclass(slots=True)
class Budget:
    """What one account has spent on one day."""

    day: int
    spent: float = 0.0
    """rho of all releases so far."""

    def on(self, day: int) -> "Budget":
        """Begin a new day where it is one."""
        if day != self.day:
            self.day, self.spent = day, 0.0
        return self

    def take(self, cost: float, most: float) -> bool:
        """Spend `cost` if it is within `most`; return whether it was."""
        if self.spent + cost > most * (1.0 + _SLACK):
            return False
        self.spent += cost
        return True
