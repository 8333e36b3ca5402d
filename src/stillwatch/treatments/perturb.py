"""Perturb: token probabilities with keyed errors that keep the order of alternatives.

In: a request and its answer. Out: the same with every gap between neighbouring log-probabilities multiplied by
a factor between 0.5 and 1.5 that only the key's holder can compute.
The factors depend on the position's likeliest token and its coarse probability, not on the request: asking again
gives the same errors, so that they cannot be averaged away. The first alternative stays first, equal ones stay equal,
and no position sums to more than one. Cost: one HMAC a position; about 65 microseconds with 20 alternatives.
This is the noise that is hardly seen: what a model says first it still says first, at whatever scale.
Only under a confirmed verdict: `policy` lets no other rule order it.
"""

import hashlib
import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass
from struct import unpack
from typing import Any, Final

from stillwatch.treatments import fields
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.probabilities import redrawn, redrawn_entries
from stillwatch.treatments.shapes import edited
from stillwatch.treatments.treatment import Json, WholeOnly

SCALE: Final = 0.5
"""A gap is multiplied by a factor between one less and one more this."""
_COARSE: Final = 1.0
"""Nats to which probabilities are rounded before they choose factors: repeated requests differ in the last digits."""


class Gaps:
    """Edits under one key, with gaps stretched by factors from one less to one more than `scale`, at most 1."""

    def __init__(self, key: bytes, scale: float = SCALE) -> None:
        self._key = key
        self._scale = scale

    def logprobs(self, value: Any) -> Any:
        """Edit what a choice says of probabilities."""
        return redrawn(value, self._redraw)

    def entries(self, value: Any) -> Any:
        """Edit a list of positions."""
        return redrawn_entries(value, self._redraw)

    def extra(self, value: Any) -> Any:
        """Edit what has a shape of its own: it is taken out."""
        return None

    def reasoning(self, value: Any) -> Any:
        """Edit nothing of reasoning."""
        return value

    def _redraw(self, alternatives: dict[str, float], token: str, own: float | None) -> Callable[[float], float]:
        known = dict(alternatives)
        if own is not None:
            known.setdefault(token, own)
        if not known:
            return float
        levels = sorted({*known.values(), *(() if own is None else (own,))}, reverse=True)
        moved = _moved(levels, self._factors(alternatives or known))
        # Rounding on the way may lift a sum by a few units in the last place; the margin keeps it at one.
        excess = max(math.log(sum(math.exp(moved[number]) for number in known.values())) + 1e-12, 0.0)
        return lambda number: moved.get(number, number) - excess

    def _factors(self, known: dict[str, float]) -> list[float]:
        """Return the factors of one position, chosen by its likeliest token alone.

        Neither the token that was drawn nor the number of alternatives asked for has a say: drawing again, or
        asking for one alternative more, gives the same factors.
        """
        most = max(known.values())
        first = min(token for token, number in known.items() if number == most)
        labels = self._labels(first, most)
        drawn = zip(*(unpack(">32H", hmac.digest(self._key, one, hashlib.sha512)) for one in labels), strict=True)
        least, step = 1.0 - self._scale, 2.0 * self._scale / 65_535.0 / len(labels)
        return [least + step * sum(numbers) for numbers in drawn]

    def _labels(self, first: str, most: float) -> tuple[bytes, ...]:
        """Return what chooses the factors of one position; with several, they are the mean of what each chooses."""
        return (f"stillwatch perturb\x00{first}\x00{round(most / _COARSE)}".encode("utf-8", "surrogatepass"),)


def _moved(levels: list[float], factors: list[float]) -> dict[float, float]:
    """Return old -> new for log-probabilities in descending order, each gap stretched by its factor.

    There are 32 factors; beyond, they come round again.
    """
    moved: dict[float, float] = {}
    before, now = 0.0, 0.0
    for i, number in enumerate(levels):
        now -= (before - number) * factors[i % len(factors)]
        before = number
        moved[number] = now
    return moved


@dataclass(frozen=True, slots=True)
class PerturbOne(WholeOnly):
    """The treatment under one key."""

    edits: Gaps
    name: str = "perturb"

    def edit_request(self, body: Json) -> Json | None:
        """Ask for no probabilities of the prompt, nor in shapes that cannot be perturbed."""
        new = fields.without(body, fields.ASK_BESIDE)
        return None if new is body else new

    def edit_answer(self, obj: Json) -> Json:
        """Perturb every probability."""
        found: Json = edited(obj, self.edits)
        return found


@dataclass(frozen=True, slots=True)
class Perturb:
    """The catalogue's entry."""

    name: str = "perturb"
    on_by_default: bool = False
    least: str = "perturb"
    cost: str = (
        "Gaps between log-probabilities are off by a factor of 0.5 to 1.5; order, first choice, text and reasoning "
        "are untouched; no probabilities of the prompt."
    )

    def begin(self, occasion: Occasion) -> PerturbOne:
        """Return the treatment for one request; the request has no say in the errors (see the module)."""
        return PerturbOne(Gaps(occasion.key))
