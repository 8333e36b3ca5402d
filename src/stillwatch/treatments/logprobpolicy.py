"""Logprobs: which token probabilities an account may have: few a position, never with steering, so many a day.

In: a request and its answer. Out: the same with at most `treatments.logprobs_top` alternatives a position, or with none
at all: where the request also steers which tokens come (`logit_bias` and its like), which is how single logits are
read off one by one, and once the account has had `treatments.logprobs_a_day` different (prompt, token) pairs today.
Cost: one short digest a probability; one kilobyte an account; no text is kept, only which digests were seen.
Numbers that are given are exact: this alone does not stop whoever is content with few. See docs/explain/treatments.md.
Source: Carlini et al. 2024, arXiv:2403.06634; Finlayson et al. 2024, arXiv:2403.09539.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from stillwatch.treatments import fields
from stillwatch.treatments.distinct import Distinct
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.places import Begin, Trail, Trails, under
from stillwatch.treatments.probabilities import redrawn, redrawn_entries
from stillwatch.treatments.prompt import prompt_digest
from stillwatch.treatments.shapes import edited
from stillwatch.treatments.treatment import Json, WholeOnly
from stillwatch.treatments.withhold import WITHOUT_PROBABILITIES

DAY: Final = 86_400.0
STEERING: Final = ("logit_bias", "allowed_token_ids", "bad_words", "bad_words_ids", "guided_choice", "guided_regex")
"""Fields that push single tokens up or down."""


def steers(body: Json) -> bool:
    """Return whether a request pushes single tokens up or down."""
    nested = body.get("extra_body")
    places = (body, nested) if type(nested) is dict else (body,)
    return any(bool(place.get(name)) for place in places for name in STEERING)


class _Metered:
    """Caps alternatives and counts what is given."""

    def __init__(self, begin: Begin, top: int, seen: Distinct) -> None:
        self._begin, self._top, self._seen = begin, top, seen

    def logprobs(self, value: Any) -> Any:
        return redrawn(value, self._redraw(self._begin()), self._top)

    def entries(self, value: Any) -> Any:
        return redrawn_entries(value, self._redraw(self._begin()), self._top)

    def extra(self, value: Any) -> Any:
        return None

    def reasoning(self, value: Any) -> Any:
        return value

    def _redraw(self, trail: Trail) -> Callable[[dict[str, float], str, float | None], Callable[[float], float]]:
        def redraw(alternatives: dict[str, float], token: str, own: float | None) -> Callable[[float], float]:
            before = trail.step(token)
            given = sorted(alternatives, key=lambda name: -alternatives[name])[: self._top]
            for name in {*given, token} if own is not None else set(given):
                self._seen.add(under(before, name))
            return float

        return redraw


@dataclass(slots=True)
class LogprobsOne(WholeOnly):
    """The treatment at work on one request."""

    key: bytes = field(repr=False)
    top: int
    seen: Distinct = field(repr=False)
    dropped: bool
    """Whether no probability is given at all."""
    trails: Trails = field(repr=False)
    name: str = "logprobs"

    def edit_request(self, body: Json) -> Json | None:
        """Ask for no more alternatives than are given; for none where tokens are steered or the day is used up."""
        self.dropped = self.dropped or steers(body)
        self.trails = Trails(prompt_digest(body, self.key))
        if self.dropped:
            new = fields.without_included_logprobs(fields.without(body, fields.ASK_LOGPROBS))
        else:
            new = fields.without(body, fields.ASK_BESIDE)
            new = fields.capped(fields.capped(new, "top_logprobs", self.top), "logprobs", self.top)
        new = fields.without(new, fields.ASK_STATES)
        return None if new is body else new

    def edit_answer(self, obj: Json) -> Json:
        """Cap and count probabilities, or take them out."""
        found: Json = (
            edited(obj, WITHOUT_PROBABILITIES)
            if self.dropped
            else self.trails.edited(obj, lambda begin: _Metered(begin, self.top, self.seen))
        )
        return found


@dataclass(frozen=True, slots=True)
class Logprobs:
    """The catalogue's entry."""

    name: str = "logprobs"
    on_by_default: bool = False
    least: str = "coarsen"
    cost: str = (
        "At most `treatments.logprobs_top` alternatives a position, exact; none of the prompt, none beside logit_bias, "
        "none once the day's `treatments.logprobs_a_day` are used up; text and reasoning are untouched."
    )

    def begin(self, occasion: Occasion) -> LogprobsOne:
        """Return the treatment for one request; the whole of it is answered under what was left when it began."""
        config, day = occasion.config, int(occasion.now // DAY)
        seen = occasion.memory.of(self.name, occasion.account, lambda: Distinct(day))
        if seen.day != day:
            seen.renew(day)
        return LogprobsOne(
            key=occasion.key, top=config.logprobs_top, seen=seen, dropped=seen.count() >= config.logprobs_a_day,
            trails=Trails(occasion.key[:16]),
        )  # fmt: skip
