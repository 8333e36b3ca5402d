"""Reasoning: its text taken out, summed up by rules, or told conclusion first; the answer itself stays.

In: a request and its answer. Out: the same with other reasoning text, in every field in which reasoning comes. In a
stream reasoning is held until its block ends, since an order can only be changed once all is there.
Signed reasoning is never rewritten: it is asked for without text where it is to be stripped; what comes with text all
the same is left where tools are at work, whose next turn must bring it back, and else taken out as a whole.
Cost: what `reasoningtext` costs; the reader of a stream waits for the whole of a block before its first word.
Source: DistillGuard, PART (arXiv:2510.11545); limits in docs/explain/treatments.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stillwatch.treatments import fields
from stillwatch.treatments.occasion import Occasion
from stillwatch.treatments.reasoningparts import asked_without_text, sealed, text_field
from stillwatch.treatments.reasoningstream import Streams
from stillwatch.treatments.reasoningtext import conclusion_first, summary
from stillwatch.treatments.shapes import at, edited
from stillwatch.treatments.treatment import Json

Rewrite = Callable[[str], str]


class _Rewritten:
    """Edits of a whole answer."""

    def __init__(self, rewrite: Rewrite, *, kept: bool) -> None:
        self._rewrite, self._kept = rewrite, kept

    def logprobs(self, value: Any) -> Any:
        return value

    entries = extra = logprobs

    def reasoning(self, value: Any) -> Any:
        if type(value) is str:
            return self._text(value)
        return self.parts(value) if type(value) is list else value

    def _text(self, value: str) -> str:
        after = self._rewrite(value) if value else value
        return value if after == value else after

    def parts(self, parts: Any) -> Any:
        """Rewrite a list of parts, or a message's blocks; others than reasoning are left."""
        if type(parts) is not list:
            return parts
        found = [self._part(part) for part in parts]
        after = [part for part in found if part is not None]
        return parts if len(after) == len(parts) and all(a is b for a, b in zip(after, parts, strict=True)) else after

    def _part(self, part: Any) -> Any:
        name = text_field(part)
        if not name:
            return part
        if sealed(part):
            return part if self._kept else None
        return at(part, name, self._text)

    def blocks(self, blocks: Any) -> Any:
        """Rewrite the thinking among a message's blocks."""
        if type(blocks) is not list:
            return blocks
        found: list[Any] = []
        for block in blocks:
            thinks = type(block) is dict and block.get("type") == "thinking"
            after = self._part(block) if thinks else block
            found += [] if after is None else [after]
        same = len(found) == len(blocks) and all(a is b for a, b in zip(found, blocks, strict=True))
        return blocks if same else found


@dataclass(slots=True)
class ReasoningOne:
    """One of the three at work on one request."""

    name: str
    rewrite: Rewrite
    strips: bool
    signed: bool
    """Whether the wire is one on which thinking is signed."""
    tools: bool = True
    """Whether a later turn may have to bring signed thinking back; assumed until the request was seen."""
    streams: Streams | None = None

    def edit_request(self, body: Json) -> Json | None:
        """Keep reasoning in its own field; where it is stripped, ask for none."""
        self.tools = bool(body.get("tools") or body.get("functions"))
        new = fields.without_reasoning(body) if self.strips else fields.without(body, ("reasoning_format",))
        new = asked_without_text(new) if self.strips and self.signed else new
        return None if new is body else new

    def edit_answer(self, obj: Json) -> Json:
        """Rewrite all reasoning of a whole answer."""
        edits = _Rewritten(self.rewrite, kept=self.tools)
        is_message = type(obj) is dict and obj.get("type") == "message"
        found: Json = at(obj, "content", edits.blocks) if is_message else edited(obj, edits)
        return found

    def edit_event(self, obj: Json) -> tuple[Json, ...]:
        """Hold reasoning until its block ends, then give it rewritten."""
        if self.streams is None:
            self.streams = Streams(self.rewrite, self.edit_answer, kept=self.tools)
        return self.streams.event(obj)

    def end_stream(self) -> tuple[Json, ...]:
        """Give what was held of a stream that ended without saying so."""
        return () if self.streams is None else self.streams.end()


def _nothing(text: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """An entry of the catalogue; there are three."""

    name: str
    rewrite: Rewrite
    cost: str
    on_by_default: bool = False
    least: str = "coarsen"

    def begin(self, occasion: Occasion) -> ReasoningOne:
        """Return the treatment for one request."""
        signed = occasion.endpoint == "messages"
        return ReasoningOne(name=self.name, rewrite=self.rewrite, strips=self.rewrite is _nothing, signed=signed)


def strip() -> Reasoning:
    """Return the treatment that takes reasoning text out."""
    return Reasoning(
        name="reasoning_strip", rewrite=_nothing,
        cost="No reasoning text; the answer's text, probabilities and number of choices are untouched.",
    )  # fmt: skip


def summarise() -> Reasoning:
    """Return the treatment that leaves a summary made by rules."""
    return Reasoning(
        name="reasoning_summary", rewrite=summary,
        cost="Of reasoning the first sentence, the last and conclusions, a third at most, once it is complete; the "
        "answer is untouched.",
    )  # fmt: skip


def conclude() -> Reasoning:
    """Return the treatment that tells conclusions before their steps and leaves self-talk out."""
    return Reasoning(
        name="reasoning_conclusion", rewrite=conclusion_first,
        cost="Reasoning comes once it is complete, conclusions before their steps, self-talk left out; the answer is "
        "untouched.",
    )  # fmt: skip
