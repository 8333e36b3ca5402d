"""Where token probabilities and reasoning stand in answers, in every shape that the gateway serves.

In: one JSON answer or one event of a stream, and an `Edits`. Out: the same object, or a copy in which each
place was edited. Known: OpenAI chat, completions and responses, Anthropic messages, and the extra fields of
vLLM, llama.cpp, DeepSeek and OpenRouter. Arguments and inputs of tools are content and are not looked into.
Cost: a few look-ups where nothing is found.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from stillwatch.treatments.treatment import Json

Edit = Callable[[Any], Any]

REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks")
"""Beside `content` in a chat message or its delta."""
_PROMPT_FIELDS: Final = ("prompt_logprobs", "completion_probabilities")
"""Token probabilities that only some servers give: of the prompt, or in a shape of their own."""


class Edits(Protocol):
    """What becomes of each place; every method returns its argument to leave it alone."""

    def logprobs(self, value: Any) -> Any:
        """Edit what a choice says under `logprobs`: OpenAI's chat shape or the older one of completions."""
        ...

    def entries(self, value: Any) -> Any:
        """Edit a list of tokens with `logprob` and `top_logprobs`."""
        ...

    def extra(self, value: Any) -> Any:
        """Edit probabilities of the prompt, or in the shape of one server."""
        ...

    def reasoning(self, value: Any) -> Any:
        """Edit reasoning: text, or a list of parts."""
        ...


def edited(obj: Any, edits: Edits) -> Any:
    """Return `obj` with every known place edited; `obj` itself where nothing changed."""
    if type(obj) is not dict:
        return obj
    kind = obj.get("type")
    if type(kind) is str:
        found = _event(obj, kind, edits)
        if found is not obj:
            return found
    for name in _PROMPT_FIELDS:
        obj = at(obj, name, edits.extra)
    obj = at(obj, "choices", lambda choices: each(choices, lambda choice: _choice(choice, edits)))
    return at(obj, "output", lambda items: each(items, lambda item: _item(item, edits)))


def at(obj: Any, name: str, edit: Edit) -> Any:
    """Return `obj` with `obj[name]` edited; `obj` itself when it has none, or nothing changed."""
    if type(obj) is not dict or name not in obj:
        return obj
    before = obj[name]
    after = edit(before)
    return obj if after is before else {**obj, name: after}


def each(values: Any, edit: Edit) -> Any:
    """Return a list with each element edited; the list itself when nothing changed, or it is none."""
    if type(values) is not list:
        return values
    found = [edit(value) for value in values]
    return found if any(a is not b for a, b in zip(found, values, strict=True)) else values


def _choice(choice: Any, edits: Edits) -> Any:
    choice = at(choice, "logprobs", edits.logprobs)
    for name in _PROMPT_FIELDS:
        choice = at(choice, name, edits.extra)
    for side in ("message", "delta"):
        choice = at(choice, side, lambda message: _message(message, edits))
    return choice


def _message(message: Any, edits: Edits) -> Any:
    for name in REASONING_FIELDS:
        message = at(message, name, edits.reasoning)
    return at(message, "content", lambda parts: each(parts, lambda part: _block(part, edits)))


def _event(obj: Json, kind: str, edits: Edits) -> Any:
    if kind.startswith("response."):
        return _responses_event(obj, kind, edits)
    if kind == "message":
        return at(obj, "content", lambda blocks: each(blocks, lambda block: _block(block, edits)))
    if kind == "message_start":
        return at(obj, "message", lambda message: _event(message, "message", edits))
    if kind == "content_block_start":
        return at(obj, "content_block", lambda block: _block(block, edits))
    if kind == "content_block_delta":
        return at(obj, "delta", lambda delta: _block(delta, edits))
    return obj


def _responses_event(obj: Json, kind: str, edits: Edits) -> Any:
    if kind.startswith("response.reasoning"):
        for name in ("delta", "text"):
            obj = at(obj, name, edits.reasoning)
        return at(obj, "part", lambda part: at(part, "text", edits.reasoning))
    obj = at(obj, "logprobs", edits.entries)
    obj = at(obj, "part", lambda part: _block(part, edits))
    obj = at(obj, "item", lambda item: _item(item, edits))
    return at(obj, "response", lambda body: edited(body, edits))


def _item(item: Any, edits: Edits) -> Any:
    """Edit one item of `output`: a message, or reasoning with its summary."""
    if type(item) is not dict:
        return item
    if item.get("type") == "reasoning":
        for name in ("summary", "content"):
            item = at(item, name, lambda parts: each(parts, lambda part: at(part, "text", edits.reasoning)))
        return item
    return at(item, "content", lambda parts: each(parts, lambda part: _block(part, edits)))


def _block(block: Any, edits: Edits) -> Any:
    """Edit one part of a message's content; encrypted and signed parts stay, since later turns need them."""
    if type(block) is not dict:
        return block
    kind = block.get("type")
    if kind in ("thinking", "thinking_delta"):
        return at(block, "thinking", edits.reasoning)
    if kind == "reasoning_text":
        return at(block, "text", edits.reasoning)
    return at(block, "logprobs", edits.entries) if kind == "output_text" else block
