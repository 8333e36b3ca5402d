"""Dose: exact while use looks natural, then the more in error the stronger the verdict and the more was covered.

In: a request and its answer. Out: the very answer at dose 0; else token probabilities with keyed errors that keep their
order, embeddings turned a little, scores moved. The dose has four steps and needs both: nats beyond
`treatments.dose_nats`, and more different prompts than `treatments.dose_prompts`, counted for the campaign as a whole
where there is one. Each step doubles the error and draws it anew, so that asking again at a higher dose is no help:
all four answers weighed as well as can be have 87 % of the error of the first alone. At one dose the same question
always gets the same answer; other words for it, or exact numbers for another place, undo half of the error each.
Cost: one kilobyte a campaign; a millisecond an embedding of 1,536 numbers.
"""

import hmac
import math
from dataclasses import dataclass, field
from typing import Any, Final

from stillwatch.treatments import fields
from stillwatch.treatments.config import TreatmentConfig
from stillwatch.treatments.distinct import Distinct
from stillwatch.treatments.noise import normals
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.perturb import Gaps
from stillwatch.treatments.places import Begin, Trail, Trails
from stillwatch.treatments.probabilities import New
from stillwatch.treatments.prompt import digest_of, prompt_digest
from stillwatch.treatments.treatment import Json, WholeOnly
from stillwatch.treatments.vectors import Numbers, edited_vectors, input_of

STRETCH: Final = (0.0, 0.1, 0.2, 0.4, 0.8)
"""By step: a gap between log-probabilities is multiplied by a factor between one less and one more this."""
TURN: Final = (0.0, 0.05, 0.1, 0.2, 0.4)
"""By step: length of the error of an embedding or of scores, as a share of their own."""
_SPAN: Final = math.log(100.0)


def step_of(log_e: float, prompts: float, config: TreatmentConfig) -> int:
    """Return the step of the dose, 0 to 4; it never falls when either argument rises.

    Args:
        log_e: Nats of the verdict; it counts from `dose_nats`, in full at twice that.
        prompts: Different prompts so far; they count from `dose_prompts`, in full at a hundred times that.
        config: Thresholds.

    >>> [step_of(nats, 50_000, TreatmentConfig()) for nats in (9.0, 10.0, 14.0, 30.0)]
    [0, 1, 2, 4]
    """
    strength = min(max(log_e / config.dose_nats - 1.0, 0.0), 1.0)
    covered = min(max(math.log(max(prompts, 1.0) / config.dose_prompts) / _SPAN, 0.0), 1.0)
    return min(math.ceil(4.0 * strength * covered), 4)


class _GapsAtPlace(Gaps):
    """Errors of which half hold for one place and half for every place with that likeliest token.

    Whoever knows exact numbers at one place learns nothing certain of others, and whoever asks in many words does not
    average them away; only who does both gets rid of them.
    """

    def __init__(self, key: bytes, scale: float, begin: Begin) -> None:
        super().__init__(key, scale)
        self._begin = begin
        self._trail = Trail(b"")
        self._place = b""

    def logprobs(self, value: Any) -> Any:
        self._trail = self._begin()
        return super().logprobs(value)

    def entries(self, value: Any) -> Any:
        self._trail = self._begin()
        return super().entries(value)

    def _redraw(self, alternatives: dict[str, float], token: str, own: float | None) -> New:
        self._place = self._trail.step(token)
        return super()._redraw(alternatives, token, own)

    def _labels(self, first: str, most: float) -> tuple[bytes, ...]:
        return (*super()._labels(first, most), b"stillwatch dose at\0" + self._place)


@dataclass(slots=True)
class DoseOne(WholeOnly):
    """The treatment at work on one request, at one step."""

    key: bytes = field(repr=False)
    step: int
    seen: Distinct = field(repr=False)
    embeds: bool
    trails: Trails = field(repr=False)
    name: str = "dose"
    body: Json = field(default_factory=dict, repr=False)
    """Of an embedding request what it asks, until the answer is given; empty for others."""

    def edit_request(self, body: Json) -> Json | None:
        """Count what is asked; above dose 0 ask for no probabilities in shapes that are not treated."""
        given = body.get("input") if self.embeds else None
        if type(given) is list and given and type(given[0]) is not int:
            for one in given:
                self.seen.add(digest_of(one, self.key))
        else:
            asked = prompt_digest(body, self.key)
            self.seen.add(digest_of(given, self.key) if self.embeds else asked)
            self.trails = Trails(asked)
        if not self.step:
            return None
        self.body = {name: body[name] for name in ("input", "model") if name in body} if self.embeds else {}
        new = fields.without(body, fields.ASK_BESIDE)
        return None if new is body else new

    def edit_answer(self, obj: Json) -> Json:
        """Put in the errors of this step."""
        if not self.step:
            return obj
        key = hmac.digest(self.key, b"stillwatch dose\0%d" % self.step, "sha256")
        found = self.trails.edited(obj, lambda begin: _GapsAtPlace(key, STRETCH[self.step], begin))
        found = edited_vectors(found, lambda kind, index, numbers: self._moved(key, kind, index, numbers))
        return found if type(found) is dict else obj

    def _moved(self, key: bytes, kind: str, index: int, numbers: Numbers) -> Numbers:
        """Return numbers with an error of fixed share; lengths of embeddings, and sums and ranges of scores, stay."""
        label = digest_of([kind, input_of(self.body, index), self.body.get("model")], key)
        length = math.hypot(*numbers)
        error = TURN[self.step] * length / math.sqrt(len(numbers))
        moved = [number + error * one for number, one in zip(numbers, normals(key, label, len(numbers)), strict=True)]
        if kind == "embedding":
            return _scaled(moved, length / max(math.hypot(*moved), 1e-30))
        if min(numbers) >= 0.0 and max(numbers) <= 1.0:
            moved = [min(max(number, 0.0), 1.0) for number in moved]
            total = sum(numbers)
            if len(numbers) > 1 and abs(total - 1.0) < 1e-3 and sum(moved) > 0.0:
                return _scaled(moved, total / sum(moved))
        return moved


def _scaled(numbers: Numbers, factor: float) -> Numbers:
    return [number * factor for number in numbers]


@dataclass(frozen=True, slots=True)
class Dose:
    """The catalogue's entry."""

    name: str = "dose"
    on_by_default: bool = False
    least: str = "perturb"
    cost: str = (
        "Nothing at dose 0. Above, gaps between log-probabilities are off by a factor of up to 0.2 to 1.8, embeddings "
        "by up to 0.4 of their length; order, first choice, text and reasoning are untouched."
    )

    def begin(self, occasion: Occasion) -> DoseOne:
        """Return the treatment for one request; its dose follows from what was covered before it."""
        who = f"campaign {occasion.campaign}" if occasion.campaign else f"account {occasion.account}"
        seen = occasion.memory.of(self.name, who, Distinct)
        step = step_of(occasion.log_e, seen.count(), occasion.config)
        embeds = occasion.endpoint == "embeddings"
        return DoseOne(key=occasion.key, step=step, seen=seen, embeds=embeds, trails=Trails(occasion.key[:16]))
