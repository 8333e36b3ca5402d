"""Withhold: answers without token probabilities and reasoning text, and one choice only.

In: a request and its answer. Out: both without what makes a distilled student cheap.
Cost to an honest user: no confidences, no visible reasoning, one sample a request. Text, tools, usage,
signatures and encrypted reasoning stay, so that conversations go on.
"""

from dataclasses import dataclass
from typing import Any

from stillwatch.treatments import fields
from stillwatch.treatments.shapes import edited
from stillwatch.treatments.treatment import Json


class _Without:
    def logprobs(self, value: Any) -> Any:
        return None

    def entries(self, value: Any) -> Any:
        return [] if value else value

    def extra(self, value: Any) -> Any:
        return None

    def reasoning(self, value: Any) -> Any:
        if type(value) is str:
            return "" if value else value
        return [] if type(value) is list and value else value


_WITHOUT = _Without()


@dataclass(frozen=True, slots=True)
class Withhold:
    """The catalogue's entry, and the treatment itself: it keeps nothing from one request to the next."""

    name: str = "withhold"
    on_by_default: bool = False
    actions: tuple[str, ...] = ("coarsen",)
    cost: str = "No token probabilities, no reasoning text, one choice a request; the answer's text is untouched."

    def begin(self, key: bytes, request_id: str) -> "Withhold":
        """Return the treatment for one request."""
        return self

    def edit_request(self, body: Json) -> Json | None:
        """Ask for no probabilities and no reasoning text, and for one choice."""
        new = fields.without(body, (*fields.ASK_LOGPROBS, *fields.ASK_STATES))
        new = fields.without_reasoning(fields.without_included_logprobs(new))
        new = fields.capped(fields.capped(new, "n", 1), "best_of", 1)
        return None if new is body else new

    def edit_answer(self, obj: Json) -> Json:
        """Take out what the upstream gave all the same."""
        found: Json = edited(obj, _WITHOUT)
        return found
