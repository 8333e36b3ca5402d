"""What a scenario is: a null in words, the fields it needs, and a score for accounts.

In: `Features`. Out: scores, larger for what the scenario describes. Conformal p-values against
honest accounts of the same stratum make nats of them, so a score needs no scale of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detect.features import Features

Score = Callable[[Features], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way in which distillation shows."""

    name: str
    """Its number, such as `S2`."""
    title: str
    null: str
    """The null hypothesis in words."""
    clears: str
    """What would clear an account or campaign of it."""
    look_alikes: str
    """Honest work that looks the same."""
    accuses: bool
    """Whether an account can be accused on it without a campaign, once calibrated."""
    score: Score | None
    """Score of each account; None for scenarios that speak of campaigns."""
