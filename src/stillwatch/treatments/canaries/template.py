"""Templates: the free choices that can carry a canary, and how a value is read back from a text.

In: a situation in which any value is as good as another: the name of an invented person, the number in a worked
example, the order of items without an order. Out: a line for the system prompt, a question that shows what a model
chooses there, and the alternative that an answer shows. No value makes a statement false.
Left to `table`: which there are. Left to `forensics.canaries`: what hits prove.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

KINDS: Final = ("name", "constant", "order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One free choice. A released template is never edited, since commitments hold its digest."""

    name: str
    kind: str
    """One of `KINDS`."""
    topics: tuple[str, ...]
    """Lower-case words; a request that has one of them gives the choice an occasion."""
    line: str
    """What the system prompt says, with `{value}`."""
    probe: str
    """What a suspect is asked; names no value."""
    pool: tuple[str, ...] = field(repr=False)
    """Every value that it can have; of an `order`, the items joined by `, `."""
    gender: str = ""
    """Of a `name`: `f` or `m`, so that pronouns stay right."""

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, 64 hex digits."""
        parts = (self.name, self.kind, self.line, self.probe, self.gender, *self.topics, "", *self.pool)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def said(self, value: str) -> str:
        """Return the line that carries `value`."""
        return self.line.format(value=value)

    def read(self, text: str, alternatives: Sequence[str]) -> int | None:
        """Return which alternative a text shows first, by index; None when it shows none.

        What it returns depends on the alternatives and never on which of them was planted.
        """
        if self.kind == "order":
            return _order(text.lower(), alternatives)
        guard = r"(?<![\w.,-])(?:{})(?![\w%]|[.,]\d)" if self.kind == "constant" else r"(?<!\w)(?:{})(?!\w)"
        found = re.search(guard.format("|".join(map(re.escape, alternatives))), text)
        return alternatives.index(found.group()) if found else None


def _order(text: str, alternatives: Sequence[str]) -> int | None:
    items = sorted(alternatives[0].split(", "))
    places = [(match.start(), item) for item in items if (match := re.search(rf"(?<!\w){re.escape(item)}", text))]
    shown = ", ".join(item for _, item in sorted(places))
    return alternatives.index(shown) if len(places) == len(items) and shown in alternatives else None
