"""Stored stream chunks, put together to the answer that they made.

In: a list of chunk objects or of `data:` lines, or an event stream as one text. Out: one response body in the
shape that the API would have sent without streaming.
Cost: one pass. Left out: choices other than the first, but for those of several prompts in one request.
"""

import re
from collections.abc import Iterable
from typing import Any

from stillwatch.logs.content import call_text
from stillwatch.logs.importer import Row
from stillwatch.logs.jsontext import loads

_MOST_CHOICES = 16_384
_LINE_END = re.compile(r"\r\n|\n|\r")
"""What ends a line of an event stream; `splitlines` would also cut at characters that stand inside texts."""


def joined_chunks(chunks: list[Any] | str) -> Row:
    """Return the body that `chunks` add up to; chunks that are damaged or unknown are passed over."""
    body: Row = {}
    texts: list[str] = []
    calls: dict[int, list[str]] = {}
    others: dict[int, list[str]] = {}
    for chunk in _objects(chunks):
        kind = chunk.get("type")
        if type(kind) is str and kind.startswith("response."):
            _responses(chunk, kind, body, texts)
        elif type(kind) is str:
            _anthropic(chunk, kind, body, texts, calls)
        else:
            _openai(chunk, body, texts, calls)
            _gather(chunk, others)
    if type(body.get("output")) is not list:
        shown = ["".join(texts)] + [call_text(*call) for _, call in sorted(calls.items())]
        body["content"] = "\n".join(text for text in shown if text)
    if others and max(others) == len(others):
        body["texts"] = ["".join(texts), *("".join(text) for _, text in sorted(others.items()))]
    return body


def _objects(chunks: list[Any] | str) -> Iterable[Row]:
    for item in _LINE_END.split(chunks) if type(chunks) is str else chunks:
        value = item
        if type(item) is str:
            line = item.removeprefix("data:").strip()
            if not line.startswith("{"):
                continue
            try:
                value = loads(line)
            except ValueError:
                continue
        if type(value) is dict:
            yield value


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _object(value: Any) -> Row:
    return value if type(value) is dict else {}


def _openai(chunk: Row, body: Row, texts: list[str], calls: dict[int, list[str]]) -> None:
    for name in ("model", "created", "usage"):
        if chunk.get(name) is not None:
            body[name] = chunk[name]
    choices = chunk.get("choices")
    choice = _object(choices[0]) if type(choices) is list and choices else {}
    if choice.get("index", 0) != 0:
        return
    delta = _object(choice.get("delta"))
    texts.append(_text(delta.get("content")) or _text(choice.get("text")))
    parts = delta.get("tool_calls")
    for part in parts if type(parts) is list else []:
        spec = _object(_object(part).get("function"))
        index = _object(part).get("index", 0)
        call = calls.setdefault(index if type(index) is int else 0, ["", ""])
        call[0] += _text(spec.get("name"))
        call[1] += _text(spec.get("arguments"))
    if choice.get("finish_reason"):
        body["finish_reason"] = choice["finish_reason"]


def _anthropic(chunk: Row, kind: str, body: Row, texts: list[str], calls: dict[int, list[str]]) -> None:
    if kind == "message_start":
        message = _object(chunk.get("message"))
        body.update({name: message[name] for name in ("model",) if name in message})
        body["usage"] = dict(_object(message.get("usage")))
    elif kind == "content_block_start":
        block = _object(chunk.get("content_block"))
        if block.get("type") == "tool_use":
            calls[_index(chunk)] = [_text(block.get("name")), ""]
        else:
            texts.append(_text(block.get("text")))
    elif kind == "content_block_delta":
        delta = _object(chunk.get("delta"))
        texts.append(_text(delta.get("text")))
        if "partial_json" in delta:
            calls.setdefault(_index(chunk), ["", ""])[1] += _text(delta["partial_json"])
    elif kind == "message_delta":
        body["stop_reason"] = _object(chunk.get("delta")).get("stop_reason")
        body["usage"] = {**_object(body.get("usage")), **_object(chunk.get("usage"))}
    elif kind == "error":
        body["error"] = chunk.get("error") or True


def _gather(chunk: Row, others: dict[int, list[str]]) -> None:
    """Keep the text of further choices by their number, as completions of several prompts have them."""
    choices = chunk.get("choices")
    for choice in choices if type(choices) is list else []:
        index, text = _object(choice).get("index"), _object(choice).get("text")
        if type(index) is int and 0 < index < _MOST_CHOICES and type(text) is str:
            others.setdefault(index, []).append(text)


def _index(chunk: Row) -> int:
    index = chunk.get("index")
    return index if type(index) is int else 0


def _responses(chunk: Row, kind: str, body: Row, texts: list[str]) -> None:
    if kind == "response.output_text.delta":
        texts.append(_text(chunk.get("delta")))
    elif kind in ("response.completed", "response.incomplete", "response.failed"):
        body.update(_object(chunk.get("response")))
