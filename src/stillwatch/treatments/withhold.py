"""Withhold: answers without token probabilities and reasoning text, and one choice only.

In: a request and its answer. Out: both without what makes a distilled student cheap.
Cost to an honest user: no confidences, no visible reasoning, one sample a request. Text, tools, usage,
signatures and encrypted reasoning stay, so that conversations go on. Signed thinking is asked for without text; a model
server that sends text all the same gets it back emptied, and may refuse the next turn.
"""

from dataclasses import dataclass
from typing import Any, Final

from stillwatch.treatments import fields
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.reasoningparts import asked_without_text, emptied
from stillwatch.treatments.shapes import edited
from stillwatch.treatments.treatment import Json, WholeOnly


class _WithoutProbabilities:
    def logprobs(self, value: Any) -> Any:
        return None

    def entries(self, value: Any) -> Any:
        return [] if value else value

    def extra(self, value: Any) -> Any:
        return None

    def reasoning(self, value: Any) -> Any:
        return value


class _Without(_WithoutProbabilities):
    def reasoning(self, value: Any) -> Any:
        if type(value) is str:
            return "" if value else value
        return emptied(value) if type(value) is list and value else value


WITHOUT_PROBABILITIES: Final = _WithoutProbabilities()
"""Edits that take out every token probability and nothing else."""
_WITHOUT: Final = _Without()


@dataclass(frozen=True, slots=True)
class Withhold(WholeOnly):
    """The catalogue's entry, and the treatment itself: it keeps nothing from one request to the next."""

    name: str = "withhold"
    on_by_default: bool = False
    least: str = "coarsen"
    cost: str = "No token probabilities, no reasoning text, one choice a request; the answer's text is untouched."
    signed: bool = False
    """Whether the wire is one on which thinking is signed."""

    def begin(self, occasion: Occasion) -> "Withhold":
        """Return the treatment for one request."""
        return _SIGNED if occasion.endpoint == "messages" else self

    def edit_request(self, body: Json) -> Json | None:
        """Ask for no probabilities and no reasoning text, and for one choice."""
        new = fields.without(body, (*fields.ASK_LOGPROBS, *fields.ASK_STATES))
        new = fields.without_reasoning(fields.without_included_logprobs(new))
        new = fields.capped(fields.capped(new, "n", 1), "best_of", 1)
        new = asked_without_text(new) if self.signed else new
        return None if new is body else new

    def edit_answer(self, obj: Json) -> Json:
        """Take out what the upstream gave all the same."""
        found: Json = edited(obj, _WITHOUT)
        return found


_SIGNED: Final = Withhold(signed=True)
