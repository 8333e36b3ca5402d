"""What an answer cost, read off its last bytes; and usage that the gateway asked for, taken out again.

In: the start and the end of an answer, or the events of a stream. Out: token counts; the stream as the caller would
have got it. Unescaped `"usage":` cannot stand inside a JSON string, so that no text is taken for a count.
Cost: a few microseconds an answer; nothing a chunk unless usage was asked for here.
"""

import re
from typing import Any, Final, NamedTuple

_NUMBERS: Final = re.compile(
    rb'"(prompt_tokens|completion_tokens|input_tokens|output_tokens|cache_read_input_tokens'
    rb'|cache_creation_input_tokens)"\s*:\s*(\d{1,9})'
)
_USAGE: Final = b'"usage"'
_NULL: Final = re.compile(rb',\s*"usage"\s*:\s*null')
_SPAN: Final = 1_024
_BYTES_A_TOKEN: Final = 4
_BYTES_A_CHUNK: Final = 200


class Usage(NamedTuple):
    """Tokens of one exchange, as the upstream counted them; -1 where it did not say."""

    tokens_in: int
    tokens_out: int


def read_usage(head: bytes, tail: bytes) -> Usage:
    """Return what the end of an answer says of its cost, or its start where Anthropic's streams say the prompt.

    >>> read_usage(b"", b'..."usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}')
    Usage(tokens_in=7, tokens_out=2)
    """
    last = _counts(tail, tail.rfind(_USAGE))
    first = _counts(head, head.find(_USAGE)) if last.tokens_in < 0 else last
    return Usage(max(last.tokens_in, first.tokens_in), last.tokens_out if last.tokens_out >= 0 else first.tokens_out)


def _counts(data: bytes, at: int) -> Usage:
    if at < 0:
        return Usage(-1, -1)
    found: dict[bytes, int] = {}
    for name, number in _NUMBERS.findall(data, at, at + _SPAN):
        found.setdefault(name, int(number))
    tokens_in = found.get(b"prompt_tokens", found.get(b"input_tokens", -1))
    if b"prompt_tokens" not in found and tokens_in >= 0:
        tokens_in += found.get(b"cache_read_input_tokens", 0) + found.get(b"cache_creation_input_tokens", 0)
    return Usage(tokens_in, found.get(b"completion_tokens", found.get(b"output_tokens", -1)))


def guessed(request_bytes: int, answer_bytes: int, *, streamed: bool) -> int:
    """Return the tokens of an exchange whose upstream did not count them, from its sizes in bytes."""
    return request_bytes // _BYTES_A_TOKEN + answer_bytes // (_BYTES_A_CHUNK if streamed else _BYTES_A_TOKEN)


def without_usage(chunk: dict[str, Any]) -> dict[str, Any] | None:
    """Return a chunk of an OpenAI stream without its usage; None when it held nothing else."""
    if "usage" not in chunk:
        return chunk
    if chunk["usage"] is not None and chunk.get("choices") == []:
        return None
    return {name: value for name, value in chunk.items() if name != "usage"}
