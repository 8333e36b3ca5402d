"""Reasoning in streams: held until its block ends, then given rewritten, before whatever ended it.

In: events of one stream, in order. Out: events to send instead. Held text is bounded; what a model thinks beyond that
is not given. Events that only carry held text go out empty or not at all; numbers of blocks stay without gaps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from stillwatch.treatments.reasoningparts import sealed, text_field
from stillwatch.treatments.shapes import REASONING_FIELDS, at, each
from stillwatch.treatments.treatment import Json

MOST: Final = 1 << 20
"""Characters of one block that are held."""
_SAYS: Final = ("content", "tool_calls", "function_call", "refusal")
_TEXT_DELTA: Final = (".reasoning_text.delta", ".reasoning_summary_text.delta")
_TEXT_DONE: Final = (".reasoning_text.done", ".reasoning_summary_text.done")


@dataclass(slots=True)
class _Part:
    """One part of a list of reasoning, put together again."""

    shape: Json
    name: str
    text: str


@dataclass(slots=True)
class _Block:
    """One thinking block of Anthropic's wire."""

    start: Json
    text: str
    seals: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class _Choice:
    """What is held of one choice of a chat."""

    texts: dict[str, str] = field(default_factory=dict)
    parts: dict[tuple[str, Any, Any], _Part] = field(default_factory=dict)


class Streams:
    """What is held of one stream."""

    def __init__(self, rewrite: Callable[[str], str], whole: Callable[[Json], Json], *, kept: bool) -> None:
        """Take what becomes of text and of whole objects, and whether signed text is kept or taken out."""
        self._rewrite, self._whole, self._kept = rewrite, whole, kept
        self._choices: dict[Any, _Choice] = {}
        self._blocks: dict[Any, _Block] = {}
        self._gone = 0
        self._shell: Json = {}

    def event(self, obj: Json) -> tuple[Json, ...]:
        """Return what to send instead of one event."""
        kind = obj.get("type") if type(obj) is dict else None
        if type(kind) is not str:
            return self._chat(obj)
        if kind.startswith("content_block"):
            return self._block(obj, kind)
        if kind.endswith(_TEXT_DELTA) and type(obj.get("delta")) is str:
            return ({**obj, "delta": ""} if obj["delta"] else obj,)
        if kind.endswith(_TEXT_DONE) and type(obj.get("text")) is str:
            return self._done(obj, kind)
        if kind in ("message_delta", "message_stop"):
            return (*self._ended(), obj)
        return (obj,) if kind == "message_start" else (self._whole(obj),)

    def end(self) -> tuple[Json, ...]:
        """Return what is still held."""
        left, self._choices = self._choices, {}
        freed = [_freed(index, given) for index, held in left.items() if (given := self._given(held))]
        told: tuple[Json, ...] = ({**self._shell, "choices": freed},) if freed else ()
        return (*told, *self._ended())

    def _done(self, obj: Json, kind: str) -> tuple[Json, ...]:
        """The whole text comes once more at the end; what was held is given from it."""
        text = self._rewrite(obj["text"]) if obj["text"] else ""
        held = {k: v for k, v in obj.items() if k != "text"}
        told = ({**held, "type": kind[: -len("done")] + "delta", "delta": text},) if text else ()
        return (*told, obj if text == obj["text"] else {**obj, "text": text})

    # ---- chat ----

    def _chat(self, obj: Json) -> tuple[Json, ...]:
        choices = obj.get("choices")
        if type(choices) is not list or any(type(one) is dict and type(one.get("message")) is dict for one in choices):
            return (self._whole(obj),)
        freed: list[Json] = []
        after = at(obj, "choices", lambda found: each(found, lambda choice: self._choice(choice, freed)))
        if self._choices or freed:
            self._shell = {k: v for k, v in obj.items() if k not in ("choices", "usage")}
        return ({**self._shell, "choices": freed}, after) if freed else (after,)

    def _choice(self, choice: Any, freed: list[Json]) -> Any:
        delta = choice.get("delta") if type(choice) is dict else None
        if type(delta) is not dict:
            return choice
        index = choice.get("index") if type(choice.get("index")) is int else 0
        held = self._choices.setdefault(index, _Choice())
        after = delta
        for name in REASONING_FIELDS:
            after = at(after, name, partial(_hold, held, name))
        ends = choice.get("finish_reason") is not None or any(delta.get(name) for name in _SAYS)
        if not (held.texts or held.parts):
            del self._choices[index]
        elif ends:
            del self._choices[index]
            if given := self._given(held):
                freed.append(_freed(index, given))
        return choice if after is delta else {**choice, "delta": after}

    def _given(self, held: _Choice) -> Json:
        given: Json = {name: text for name, held_text in held.texts.items() if (text := self._rewrite(held_text))}
        for (name, _, _), part in held.parts.items():
            shape = self._part(part)
            if shape is not None:
                given.setdefault(name, []).append(shape)
        return given

    def _part(self, part: _Part) -> Json | None:
        if not part.text:
            return part.shape
        if sealed(part.shape):
            return {**part.shape, part.name: part.text} if self._kept else None
        text = self._rewrite(part.text)
        return {**part.shape, part.name: text} if text else None

    # ---- messages ----

    def _block(self, obj: Json, kind: str) -> tuple[Json, ...]:
        index = obj.get("index")
        if kind == "content_block_start":
            before = self._ended()
            block = obj.get("content_block")
            if type(block) is dict and block.get("type") == "thinking":
                text = block.get("thinking")
                self._blocks[index] = _Block(obj, text if type(text) is str else "")
                return before
            return (*before, self._numbered(obj))
        held = self._blocks.get(index)
        if held is None:
            return (self._numbered(obj),)
        if kind == "content_block_delta":
            _add(held, obj)
            return ()
        return self._ended(obj)

    def _ended(self, stop: Json | None = None) -> tuple[Json, ...]:
        """Give what is held of blocks; there is one at most, unless a server leaves blocks open."""
        found: list[Json] = []
        for held in self._blocks.values():
            start, block = held.start, held.start["content_block"]
            signed = bool(held.seals) or sealed(block)
            if signed and held.text and not self._kept:
                self._gone += 1
                continue
            text = held.text if signed else self._rewrite(held.text) if held.text else ""
            found.append({**start, "content_block": {**block, "thinking": ""}})
            if text:
                found.append({"type": "content_block_delta", "index": start.get("index"),
                              "delta": {"type": "thinking_delta", "thinking": text}})  # fmt: skip
            found += held.seals
            found += [] if stop is None else [stop]
        numbered = tuple(self._numbered(event) for event in found)
        self._blocks.clear()
        return numbered

    def _numbered(self, obj: Json) -> Json:
        index = obj.get("index")
        return {**obj, "index": index - self._gone} if self._gone and type(index) is int else obj


def _freed(index: int, delta: Json) -> Json:
    return {"index": index, "delta": delta, "finish_reason": None}


def _hold(held: _Choice, name: str, value: Any) -> Any:
    """Hold a field of a delta, and return what stays of it."""
    if type(value) is str:
        if value:
            held.texts[name] = (held.texts.get(name, "") + value)[:MOST]
        return "" if value else value
    if type(value) is not list or not value:
        return value
    for at_, part in enumerate(value):
        if type(part) is dict:
            _hold_part(held, name, part, at_)
    return []


def _hold_part(held: _Choice, name: str, part: Json, position: int) -> None:
    where = text_field(part)
    key = (name, part.get("type"), part.get("index") if type(part.get("index")) is int else position)
    known = held.parts.get(key)
    text = part[where] if where else ""
    if known is None:
        held.parts[key] = _Part(part, where, text)
        return
    known.name = known.name or where
    known.text = (known.text + text)[:MOST]
    known.shape = {**known.shape, **{k: v for k, v in part.items() if v is not None and k != where}}


def _add(held: _Block, obj: Json) -> None:
    delta = obj.get("delta")
    if type(delta) is not dict:
        return
    if delta.get("type") == "thinking_delta" and type(delta.get("thinking")) is str:
        held.text = (held.text + delta["thinking"])[:MOST]
    elif delta.get("type") == "signature_delta":
        held.seals.append(obj)
