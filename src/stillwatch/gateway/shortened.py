"""A request too large to be kept, made small enough: the shape stays, and so do the ends that tell what was asked.

In: a JSON body and a bound. Out: JSON within the bound that still reads as a request. Fields that hold no text asked
go first when they are large, then the middles of long lists, deep nests and the ends of long texts: what a caller adds
as padding is what is lost. Cost: milliseconds a megabyte. Left to `record`: when.
"""

from typing import Any, Final

from stillwatch.gateway.jsonbytes import write_json

_ASKED: Final = (
    "model", "messages", "system", "input", "instructions", "prompt", "suffix", "tools", "functions", "documents",
    "response_format", "text",
)  # fmt: skip
"""Fields that say what was asked; all others together get an eighth of the room."""
_NAMES: Final = ("role", "type", "content", "text", "name", "function", "arguments", "tool_calls", "parts", "source")
"""What is kept of an object with more names than there is room for."""
_STEPS: Final = (
    (2, 4_096, 24),
    (8, 1_024, 12),
    (32, 256, 8),
    (128, 64, 8),
    (512, 16, 6),
    (4_096, 4, 5),
    (1 << 15, 2, 4),
)
"""Texts of a share of the bound, entries of a list or object, depth: each step keeps less than the one before."""


def shortened(body: dict[str, Any], limit: int) -> bytes:
    """Return a request as JSON of at most `limit` bytes.

    Args:
        body: The request.
        limit: Bytes; at least 1,024.

    >>> len(shortened({"pad": [0] * 9_000, "messages": [{"role": "user", "content": "x" * 9_000}]}, 1_024)) <= 1_024
    True
    """
    rest = _small({name: value for name, value in body.items() if name not in _ASKED}, limit // 8)
    asked = {name: body[name] for name in _ASKED if name in body}
    for share, most, depth in _STEPS:
        made = write_json({**rest, **_cut(asked, (max(limit // share, 8), most, depth))})
        if len(made) <= limit:
            return made
    return write_json(rest)


def _small(rest: dict[str, Any], room: int) -> dict[str, Any]:
    """Return the small ones of other fields, as far as there is room."""
    kept = {}
    for name, value in rest.items():
        try:
            size = len(name) * 6 + len(write_json(value)) + 4
        except RecursionError:
            continue
        if size <= room // 4:
            room -= size
            kept[name] = value
    return kept


def _cut(value: Any, bounds: tuple[int, int, int]) -> Any:
    room, most, depth = bounds
    kind = type(value)
    if kind is str:
        return value[:room]
    if kind is list or kind is dict:
        if depth <= 0:
            return None
        inner = (room, most, depth - 1)
        if kind is list:
            return [_cut(item, inner) for item in _ends(value, most)]
        names = value if len(value) <= most else [*(n for n in _NAMES if n in value), *list(value)[:most]][:most]
        return {name[:room]: _cut(value[name], inner) for name in names}
    return value if kind is not int or -(1 << 63) <= value < 1 << 64 else None


def _ends(items: list[Any], most: int) -> list[Any]:
    """Return the first and, mostly, the last items: the newest turns stand at the end."""
    if len(items) <= most:
        return items
    first = most // 4
    return items[:first] + items[len(items) - (most - first) :]
