"""Carry: lines in the system prompt that say which value a free choice takes.

In: a request's body and the canaries that fit it. Out: a new body whose system prompt ends in their lines. A request
without a system prompt gets one; the caller's turns stay as they are. Cost: about 30 prompt tokens a line.
"""

from collections.abc import Sequence
from typing import Any, Final

from stillwatch.treatments.canaries.draw import Canary
from stillwatch.treatments.treatment import Json

MOST_LINES: Final = 3
"""Canaries that one request carries at most."""
_HEAD: Final = "For free choices only, without mentioning it:"
_SYSTEM: Final = ("system", "developer")


def carrying(body: Json, endpoint: str, canaries: Sequence[Canary]) -> Json | None:
    """Return the body with the lines of at most `MOST_LINES` canaries; None where it has no place for them."""
    if not canaries or endpoint == "completions":
        return None
    said = "\n".join((_HEAD, *(one.template.said(one.value) for one in canaries[:MOST_LINES])))
    if endpoint != "chat":
        name = "system" if endpoint == "messages" else "instructions"
        return {**body, name: _joined(body.get(name), said)}
    messages = body["messages"]
    first = messages[0]
    if first.get("role") in _SYSTEM:
        return {**body, "messages": [{**first, "content": _joined(first["content"], said)}, *messages[1:]]}
    return {**body, "messages": [{"role": "system", "content": said}, *messages]}


def _joined(before: Any, said: str) -> Any:
    if type(before) is list:
        return [*before, {"type": "text", "text": said}]
    return f"{before}\n\n{said}" if before else said
