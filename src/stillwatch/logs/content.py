"""Turns of a conversation, in every shape that the wire formats write them, to `Message` records.

In: content as text, as parts, as blocks; tool calls and their results. Out: `Message` tuples.
Reasoning blocks are left out on both sides, so that an answer equals the assistant turn that quotes it.
Cost: a microsecond or two a turn of plain text. Left to `sketch`: opening the images.
"""

import binascii
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import orjson

from stillwatch.logs.importer import BadRow, Row, kind_of
from stillwatch.logs.jsontext import loads
from stillwatch.terms.exchange import Message

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    "tool": "tool",
    "function": "tool",
}
"""Role as written -> role as `Message` has it; any other is read as `user`."""

REDACTED = frozenset({"redacted-by-litellm", "[REDACTED]", "<redacted>"})
"""Whole texts that mean that the source kept none."""

_SNIFFED = 4_096
_LONGEST_NAME = 64
_FILES = frozenset({"document", "file", "input_file"})
_SILENT = frozenset({"thinking", "redacted_thinking", "reasoning"})
_RESULTS = frozenset({"tool_result", "tool_call_response", "function_call_output", "custom_tool_call_output"})
_CALLS = frozenset({"tool_use", "tool_call", "function_call", "custom_tool_call", "server_tool_use"})


def parsed(value: Any) -> Any:
    """Return `value`, or what its JSON says where it is a text that starts like JSON and is valid."""
    if type(value) is str and value[:1] in ("{", "["):
        try:
            return loads(value)
        except ValueError:
            return value
    return value


def canonical(value: Any) -> str:
    """Return the JSON of `value` with its keys sorted; the empty string where it is no JSON."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return ""


def call_text(name: Any, arguments: Any) -> str:
    """Return a tool call as text: its name, then its arguments as canonical JSON.

    >>> call_text("find", '{"b": 1, "a": 2}')
    'find {"a":2,"b":1}'
    """
    value = parsed(arguments)
    shown = value if type(value) is str else canonical(value) if value is not None else ""
    return f"{name if type(name) is str else ''} {shown}".strip()


class Images(list[bytes]):
    """Pictures met in a content, and how many parts no reader here opens."""

    unread = 0


def flatten(content: Any, images: list[bytes], *, thoughts: bool = False) -> str:
    """Return all text in `content`, parts joined by line feeds.

    Args:
        content: A text, a part, or a list of them.
        images: Inline images are appended here; where it is an `Images`, unread parts are counted too.
        thoughts: Whether reasoning blocks are text, as they are wherever a caller writes them into turns of its own.
    """
    kind = type(content)
    if kind is str:
        return "" if content in REDACTED else str(content)
    if kind is list:
        texts = [text for part in content if (text := flatten(part, images, thoughts=thoughts))]
        return "\n".join(texts)
    return _part(content, images, thoughts) if kind is dict else ""


def _part(part: Row, images: list[bytes], thoughts: bool) -> str:
    kind = part.get("type")
    if type(kind) is str:
        if kind in _SILENT:
            inner = _first(part, "thinking", "reasoning", "text", "content", "summary")
            return flatten(inner, images, thoughts=True) if thoughts else ""
        if kind in _CALLS:
            return _call(part)
        if kind in _RESULTS:
            return flatten(_first(part, "content", "output", "response", "result"), images, thoughts=thoughts)
        if kind in _FILES:
            return _file(part, images)
        reader = _IMAGES.get(kind)
        if reader is not None:
            if not _keep(reader(part), images):
                _pass_over(images)
            return ""
    inner = _first(part, "text", "content", "value", "refusal")
    if type(inner) in (str, list, dict):
        return flatten(inner, images, thoughts=thoughts)
    if type(kind) is str and len(part) > 1:
        _pass_over(images)
    return ""


def _pass_over(images: list[bytes]) -> None:
    if isinstance(images, Images):
        images.unread += 1


def _file(part: Row, images: list[bytes]) -> str:
    """Return the text of a file or document that came inline, with what is said of it; others are passed over."""
    inner = _first(part, "file", "source")
    source = inner if type(inner) is dict else part
    told = [text for name in ("title", "context") if type(text := part.get(name)) is str]
    kind = source.get("type")
    if kind == "text" and type(source.get("data")) is str:
        told.append(source["data"])
    elif kind == "content":
        told.append(flatten(source.get("content"), images, thoughts=True))
    else:
        text = _decoded(_first(source, "file_data", "data"))
        if not text and source is not part:
            text = _decoded(_first(part, "file_data", "data"))
        told.append(text)
        if not text:
            _pass_over(images)
    return "\n".join(text for text in told if text)


def _decoded(data: Any) -> str:
    """Return a file as text; empty where it is none, such as a PDF."""
    if type(data) is not str:
        return ""
    if data.startswith("data:"):
        head, _, data = data.partition(",")
        if not head.endswith("base64"):
            return unquote(data)
    try:
        raw = binascii.a2b_base64(data)
    except (binascii.Error, ValueError):
        return ""
    if b"\x00" in raw[:_SNIFFED] or raw.startswith(b"%PDF"):
        return ""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return ""


def _first(part: Row, *names: str) -> Any:
    for name in names:
        value = part.get(name)
        if value is not None:
            return value
    return None


def _call(part: Row) -> str:
    inner = part.get("function")
    spec = inner if type(inner) is dict else part
    return call_text(spec.get("name"), _first(spec, "arguments", "input", "args"))


def _image_url(part: Row) -> Any:
    source = part.get("image_url", part.get("url"))
    return source.get("url") if type(source) is dict else source


def _image_source(part: Row) -> Any:
    source = _first(part, "source", "image", "url")
    return _first(source, "data", "url") if type(source) is dict else source


_IMAGES: dict[str, Callable[[Row], Any]] = {
    "image_url": _image_url,
    "input_image": _image_url,
    "image": _image_source,
    "blob": lambda part: _first(part, "content", "data"),
    "uri": lambda part: None,
}


def _keep(encoded: Any, images: list[bytes]) -> bool:
    """Decode a data address or bare base64; an address elsewhere, or damage, is no image and gives False."""
    if type(encoded) is not str or encoded.startswith(("http:", "https:", "file", "gs:", "s3:")):
        return False
    if encoded.startswith("data:"):
        head, _, encoded = encoded.partition(",")
        if not head.endswith("base64"):
            return False
    try:
        decoded = binascii.a2b_base64(encoded)
    except (binascii.Error, ValueError):
        return False
    if decoded:
        images.append(decoded)
    return bool(decoded)


def tool_calls_text(calls: Any) -> str:
    """Return the tool calls of an assistant turn as text, one a line."""
    calls = calls if type(calls) is list else [calls] if type(calls) is dict else []
    return "\n".join(_call(call) for call in calls if type(call) is dict)


def turns(source: Any) -> tuple[Message, ...]:
    """Return the messages in a list of turns, or in one text.

    Raises:
        BadRow: `source` is neither, or a turn is no object.
    """
    out: list[Message] = []
    source = parsed(source)
    if type(source) is dict:
        inner = source.get("messages")
        source = inner if type(inner) is list else [source] if source else []
    if type(source) is str:
        return (Message(role="user", text=flatten(source, [])),) if source else ()
    if type(source) is not list:
        raise BadRow(f"messages: {kind_of(source)}; must be a list of turns or a text")
    for index, turn in enumerate(source):
        if type(turn) is dict:
            _turn(turn, out)
        elif type(turn) is str:
            out.append(Message(role="user", text=flatten(turn, [])))
        else:
            raise BadRow(f"messages: item {index} is {kind_of(turn)}; must be an object")
    return tuple(out)


def _turn(turn: Row, out: list[Message]) -> None:
    content = turn.get("content")
    role = turn.get("role", turn.get("from"))
    role = ROLES.get(role.lower(), "user") if type(role) is str else _role_by_type(turn)
    if type(content) is str and len(turn) == 2:  # the common shape, kept fast
        out.append(Message(role=role, text="" if content in REDACTED else content))
        return
    if not role:
        return
    if content is None:
        content = _first(turn, "parts", "text", "value")
        content = turn if content is None and "role" not in turn else content
    elif type(content) is list and any(type(p) is dict and p.get("type") in _RESULT_LIST for p in content):
        content = _tool_results(content, out)
        if not content:
            return
    images = Images()
    text = flatten(content, images, thoughts=role != "assistant")
    calls = tool_calls_text(turn.get("tool_calls") or turn.get("function_call"))
    text = "\n".join(part for part in (_odd_name(turn), text, calls) if part)
    out.append(Message(role=role, text=text, images=tuple(images), unread=images.unread))


def _odd_name(turn: Row) -> str:
    """Return the name of who speaks where it is no name but a text, which templates put before the turn."""
    name = turn.get("name")
    return name if type(name) is str and (len(name) > _LONGEST_NAME or " " in name.strip()) else ""


_RESULT_LIST = list(_RESULTS)  # a list, so that an unhashable `type` compares instead of raising


def _role_by_type(turn: Row) -> str:
    """Items of the responses API carry a type where others carry a role; reasoning items are left out."""
    kind = turn.get("type")
    if type(kind) is not str:
        return "user"
    if kind in _SILENT:
        return ""
    return "assistant" if kind in _CALLS else "tool" if kind in _RESULTS else "user"


def _tool_results(content: list[Any], out: list[Message]) -> list[Any]:
    """Give each tool result its own turn and return the parts that are left."""
    rest = []
    for part in content:
        if type(part) is dict and part.get("type") in _RESULT_LIST:
            images = Images()
            text = flatten(part, images, thoughts=True)
            out.append(Message(role="tool", text=text, images=tuple(images), unread=images.unread))
        else:
            rest.append(part)
    return rest
