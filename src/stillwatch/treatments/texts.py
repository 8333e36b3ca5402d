"""Where the text of an answer and its reasoning stand, in every shape that the gateway serves.

In: one JSON answer, or one event of a stream. Out: its `Place`s: whose text, of which channel, and the path to the
string within the object; and which texts an event ends. Known: OpenAI chat, completions and responses, Anthropic
messages, and the reasoning fields of vLLM, SGLang, llama.cpp, DeepSeek and OpenRouter. Refusals, tool calls and their
arguments, and what is encrypted or signed are no text here.
Cost: a few look-ups. Left to `flow`: what becomes of the text.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from stillwatch.treatments.treatment import Json

ANSWER: Final = "answer"
REASONING: Final = "reasoning"
CHANNELS: Final = (ANSWER, REASONING)

Path = tuple[str | int, ...]
Key = tuple[Any, ...]
"""Names one text of one answer: the same in each event that carries a piece of it."""

_FIELDS: Final = (("reasoning_content", REASONING), ("reasoning", REASONING), ("thinking", REASONING),
                  ("content", ANSWER))  # fmt: skip
"""Of a chat message or its delta, in the order in which they are said."""
_BLOCKS: Final = {"text": ("text", ANSWER), "output_text": ("text", ANSWER), "thinking": ("thinking", REASONING),
                  "text_delta": ("text", ANSWER), "thinking_delta": ("thinking", REASONING),
                  "reasoning_text": ("text", REASONING), "summary_text": ("text", REASONING),
                  "reasoning.text": ("text", REASONING), "reasoning.summary": ("summary", REASONING)}  # fmt: skip
"""Type of a part -> the field that holds its text, and the channel."""
_DELTAS: Final = {"response.output_text": (ANSWER, "content_index"),
                  "response.reasoning_text": (REASONING, "content_index"),
                  "response.reasoning_summary_text": (REASONING, "summary_index")}  # fmt: skip


class Place(NamedTuple):
    """One string of an object."""

    key: Key
    channel: str
    path: Path
    text: str
    bare: bool = True
    """No token probabilities and no positions within the text (citations) stand beside it."""


def at(obj: Any, path: Path) -> Any:
    """Return what stands at `path`."""
    for step in path:
        obj = obj[step]
    return obj


def put(obj: Any, path: Path, value: Any) -> Any:
    """Return a copy of `obj` with `value` at `path`; what is not on the path is shared."""
    if not path:
        return value
    copy: Any = list(obj) if type(obj) is list else dict(obj)
    copy[path[0]] = put(copy[path[0]], path[1:], value)
    return copy


def whole(obj: Any, under: Path = ()) -> Iterator[Place]:
    """Yield the places of a whole answer."""
    if type(obj) is not dict:
        return
    if obj.get("type") == "message":
        yield from _parts(obj.get("content"), (*under, "content"), ("block",))
    for i, choice in _listed(obj.get("choices")):
        path = (*under, "choices", i)
        bare, index = _bare(choice), _number(choice.get("index"), i)
        yield from _message(choice.get("message"), (*path, "message"), index, bare)
        if type(choice.get("text")) is str:
            yield Place(("choice", index, "text"), ANSWER, (*path, "text"), choice["text"], bare)
    for i, item in _listed(obj.get("output")):
        yield from item_texts(item, (*under, "output", i), i)


def item_texts(item: Any, under: Path, index: Any) -> Iterator[Place]:
    """Yield the places of one item of a response's `output`, which stands there at `index`."""
    if type(item) is dict and item.get("type") in ("message", "reasoning"):
        yield from _parts(item.get("content"), (*under, "content"), ("item", index, "content_index"))
        yield from _parts(item.get("summary"), (*under, "summary"), ("item", index, "summary_index"))


def part_text(part: Any, path: Path, key: Key) -> Iterator[Place]:
    """Yield the place of one part of a message's content."""
    kind = part.get("type") if type(part) is dict else None
    name, channel = _BLOCKS.get(kind, ("", "")) if type(kind) is str else ("", "")
    if name and type(part.get(name)) is str:
        yield Place(key, channel, (*path, name), part[name], not part.get("logprobs") and not part.get("annotations"))


def _parts(parts: Any, path: Path, key: Key) -> Iterator[Place]:
    for i, part in _listed(parts):
        yield from part_text(part, (*path, i), (*key, i))


def _listed(values: Any) -> list[tuple[int, Json]]:
    return [(i, v) for i, v in enumerate(values) if type(v) is dict] if type(values) is list else []


def _message(message: Any, path: Path, index: Any, bare: bool) -> Iterator[Place]:
    """Yield the places of a chat message, or of its delta."""
    if type(message) is not dict:
        return
    bare = bare and not message.get("annotations")
    for name, channel in _FIELDS:
        value = message.get(name)
        if type(value) is str:
            yield Place(("choice", index, name), channel, (*path, name), value, bare or channel == REASONING)
        elif type(value) is list:
            for place in _parts(value, (*path, name), ("choice", index, name)):
                yield place._replace(key=("choice", index, name, place.channel), bare=bare and place.bare)


def pieces(obj: Json) -> Iterator[Place]:
    """Yield the places of the pieces of text that one event of a stream adds."""
    kind = obj.get("type")
    if kind == "content_block_delta":
        yield from part_text(obj.get("delta"), ("delta",), ("block", _number(obj.get("index"))))
    elif kind == "content_block_start":
        yield from part_text(obj.get("content_block"), ("content_block",), ("block", _number(obj.get("index"))))
    elif type(kind) is str and kind.endswith(".delta"):
        channel, inner = _DELTAS.get(kind[: -len(".delta")], ("", ""))
        if channel and type(obj.get("delta")) is str:
            key = ("item", _number(obj.get("output_index")), inner, _number(obj.get(inner)))
            yield Place(key, channel, ("delta",), obj["delta"], not obj.get("logprobs"))
    for i, choice in _listed(obj.get("choices")):
        index, bare = _number(choice.get("index"), i), _bare(choice)
        yield from _message(choice.get("delta"), ("choices", i, "delta"), index, bare)
        if type(choice.get("text")) is str:
            yield Place(("choice", index, "text"), ANSWER, ("choices", i, "text"), choice["text"], bare)


def repeats(obj: Json) -> Iterator[Place]:
    """Yield the places of whole texts that one event of a stream says again after their pieces."""
    kind = obj.get("type")
    if type(kind) is not str or not kind.startswith("response."):
        return
    index = _number(obj.get("output_index"))
    channel, inner = _DELTAS.get(kind[: -len(".done")], ("", "")) if kind.endswith(".done") else ("", "")
    if channel and type(obj.get("text")) is str:
        key = ("item", index, inner, _number(obj.get(inner)))
        yield Place(key, channel, ("text",), obj["text"], not obj.get("logprobs"))
    if kind.endswith("part.done"):
        inner = "summary_index" if "summary" in kind else "content_index"
        yield from part_text(obj.get("part"), ("part",), ("item", index, inner, _number(obj.get(inner))))
    elif kind == "response.output_item.done":
        yield from item_texts(obj.get("item"), ("item",), index)
    if type(obj.get("response")) is dict:
        yield from whole(obj["response"], ("response",))


def ended(obj: Json, open_texts: list[Key]) -> list[Key]:
    """Return which of the texts begun so far end with this event."""
    kind = obj.get("type")
    if kind == "error" or "error" in obj and obj["error"] or kind in ("message_stop", "message_delta"):
        return open_texts
    if type(kind) is str:
        return _ended_typed(obj, kind, open_texts)
    over: set[Any] = set()
    for i, choice in _listed(obj.get("choices")):
        if choice.get("finish_reason") is not None:
            over.add(_number(choice.get("index"), i))
    return [key for key in open_texts if key[0] == "choice" and key[1] in over]


def _ended_typed(obj: Json, kind: str, open_texts: list[Key]) -> list[Key]:
    if kind == "content_block_stop" or (kind == "content_block_delta" and _signs(obj.get("delta"))):
        return [key for key in open_texts if key == ("block", _number(obj.get("index")))]
    if not kind.startswith("response."):
        return []
    if type(obj.get("response")) is dict and kind not in ("response.created", "response.in_progress"):
        return open_texts
    if not kind.endswith(".done"):
        return []
    mine = [key for key in open_texts if key[0] == "item" and key[1] == _number(obj.get("output_index"))]
    if kind == "response.output_item.done":
        return mine
    return [key for key in mine if key[2] in obj and key[3] == _number(obj[key[2]])]


def _number(value: Any, otherwise: int = -1) -> int:
    """Return an index; `otherwise` where there is none."""
    return value if type(value) is int else otherwise


def _signs(delta: Any) -> bool:
    return type(delta) is dict and delta.get("type") == "signature_delta"


def _bare(choice: Json) -> bool:
    """Return whether no token probabilities stand beside a choice's text; servers also write empty ones."""
    found = choice.get("logprobs")
    return not (any(found.values()) if type(found) is dict else found)
