"""Where a token stands: a keyed digest of the prompt and of the tokens before it, however a stream is cut.

In: one JSON answer or event, and edits that want to know. Out: as `shapes.edited`. A trail goes on from event to event
of a stream, for each choice by itself; where an event repeats what was streamed, it begins anew and gives the same.
Cost: one BLAKE2b a token. Left to the caller: what is done at each place.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final

from stillwatch.treatments.shapes import Edits, at, each, edited

_EXTRA: Final = ("prompt_logprobs", "completion_probabilities")
_DELTA: Final = "response.output_text.delta"


class Trail:
    """The digest of all that stands before the next token."""

    __slots__ = ("digest",)

    def __init__(self, root: bytes) -> None:
        self.digest = root

    def step(self, token: str) -> bytes:
        """Go past a token and return the digest of what stands before it."""
        before = self.digest
        self.digest = under(before, token)
        return before


def under(before: bytes, token: str) -> bytes:
    """Return the digest of a token at a place."""
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), key=before, digest_size=16).digest()


Begin = Callable[[], Trail]
EditsAt = Callable[[Begin], Edits]
"""From what gives the trail of the list that comes next to the edits there."""


class Trails:
    """The trails of one answer."""

    def __init__(self, root: bytes) -> None:
        """Take the digest of the prompt."""
        self.root = root
        self._lasting: dict[tuple[str, int, int], Trail] = {}

    def edited(self, obj: Any, edits: EditsAt) -> Any:
        """Return `obj` with every known place edited; `obj` itself where nothing changed."""
        if type(obj) is not dict:
            return obj
        if "choices" in obj:
            for name in _EXTRA:
                obj = at(obj, name, edits(self._fresh).extra)
            return at(obj, "choices", lambda choices: each(choices, lambda choice: self._choice(choice, edits)))
        if obj.get("type") == _DELTA:
            return edited(obj, edits(self._from("part", obj.get("output_index"), obj.get("content_index"))))
        return edited(obj, edits(self._fresh))

    def _choice(self, choice: Any, edits: EditsAt) -> Any:
        index = choice.get("index") if type(choice) is dict else None
        return edited({"choices": [choice]}, edits(self._from("choice", index, None)))["choices"][0]

    def _fresh(self) -> Trail:
        return Trail(self.root)

    def _from(self, kind: str, first: Any, second: Any) -> Begin:
        place = (kind, first if type(first) is int else 0, second if type(second) is int else 0)
        return lambda: self._lasting.setdefault(place, Trail(self.root))
