"""Watermark: an order to the engine to mark this answer's choice of tokens, traceable to campaign and account.

In: a request. Out: the same with a signed order under `vllm_xargs`; the answer is not touched here.
Left to `engines`: choosing tokens. Left to `forensics`: reading the mark.
"""

from dataclasses import dataclass

from stillwatch.treatments.marks.order import FIELD, NAME
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.treatment import Json, WholeOnly


@dataclass(frozen=True, slots=True)
class WatermarkOne(WholeOnly):
    """The treatment with the order for one request."""

    order: str
    name: str = "watermark"

    def edit_request(self, body: Json) -> Json | None:
        """Send the order along."""
        given = body.get(FIELD)
        extra = given if type(given) is dict else {}
        return None if extra.get(NAME) == self.order else {**body, FIELD: {**extra, NAME: self.order}}

    def edit_answer(self, obj: Json) -> Json:
        """Leave the answer."""
        return obj


@dataclass(frozen=True, slots=True)
class Watermark:
    """The catalogue's entry."""

    name: str = "watermark"
    on_by_default: bool = False
    least: str = "mark"
    cost: str = (
        "Tokens are drawn with a keyed preference: with `green` answers are slightly less likely under the model, with "
        "`gumbel` the same request gives less varied answers. Measured in bench/RESULTS.md."
    )

    def begin(self, occasion: Occasion) -> WatermarkOne | None:
        """Return the treatment for one request; None without keys, or where the endpoint is not marked."""
        marks = occasion.marks
        if marks is None or occasion.endpoint not in occasion.marked_endpoints:
            return None
        return WatermarkOne(marks.order(occasion.account, occasion.campaign, occasion.now))
