"""Round: token probabilities in steps of half a nat, down to -8, with the first alternative only.

In: a request and its answer. Out: the same with 17 levels of log-probability where there were millions.
Cost to an honest user: a confidence is off by at most a quarter of a nat, and alternatives are gone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from stillwatch.treatments import fields
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.probabilities import redrawn, redrawn_entries
from stillwatch.treatments.shapes import edited
from stillwatch.treatments.treatment import Json, WholeOnly

STEP: Final = 0.5
"""Nats between two levels."""
FLOOR: Final = -8.0
"""Lowest level, nats; what is less likely is written as this."""
KEPT: Final = 1
"""Alternatives that stay at each position."""


def level(number: float) -> float:
    """Return the level that a log-probability is written as.

    >>> [level(x) for x in (-0.1, -0.7, -30.0)]
    [0.0, -0.5, -8.0]
    """
    return max(round(number / STEP) * STEP, FLOOR) + 0.0


def _redraw(alternatives: dict[str, float], token: str, own: float | None) -> Callable[[float], float]:
    return level


class _Rounded:
    def logprobs(self, value: Any) -> Any:
        return redrawn(value, _redraw, KEPT)

    def entries(self, value: Any) -> Any:
        return redrawn_entries(value, _redraw, KEPT)

    def extra(self, value: Any) -> Any:
        return None

    def reasoning(self, value: Any) -> Any:
        return value


_ROUNDED = _Rounded()


@dataclass(frozen=True, slots=True)
class Round(WholeOnly):
    """The catalogue's entry, and the treatment itself: it keeps nothing from one request to the next."""

    name: str = "round"
    on_by_default: bool = False
    least: str = "coarsen"
    cost: str = (
        "Log-probabilities in steps of 0.5 nats from 0 to -8, one alternative a position, none of the prompt; "
        "text, reasoning and number of choices are untouched."
    )

    def begin(self, occasion: Occasion) -> "Round":
        """Return the treatment for one request."""
        return self

    def edit_request(self, body: Json) -> Json | None:
        """Ask for one alternative at most, and for no probabilities of the prompt."""
        new = fields.without(body, fields.ASK_BESIDE)
        new = fields.capped(fields.capped(new, "top_logprobs", KEPT), "logprobs", KEPT)
        return None if new is body else new

    def edit_answer(self, obj: Json) -> Json:
        """Round every probability."""
        found: Json = edited(obj, _ROUNDED)
        return found
