r"""JSON to values, with half characters mended.

In: JSON as bytes or text. Out: its value. orjson reads it; what orjson refuses for an escape of half a character
(`\ud83e` alone, as writers that cut texts by length leave it) is read again by `json`, each half as U+FFFD.
Cost: orjson's; a text that is refused and holds such an escape is read a second time, some five times slower.
Left to `served_value`: what is no JSON by the book and is read as such by model servers all the same.
"""

import json
import re
from typing import Any

import orjson

_HALF = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE_BYTES = re.compile(_ESCAPE.pattern.encode())


def loads(source: bytes | str) -> Any:
    r"""Return the value of a JSON text.

    Raises:
        ValueError: it is no JSON.

    >>> loads(b'{"cut": "a \\ud83e"}') == {"cut": "a \ufffd"}
    True
    """
    try:
        return orjson.loads(source)
    except orjson.JSONDecodeError:
        if not (_ESCAPE_BYTES.search(source) if isinstance(source, bytes) else _ESCAPE.search(source)):
            raise
    try:
        text = source.decode("utf-8") if isinstance(source, bytes) else source
        return mended(json.loads(text, parse_constant=_refused))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def served_value(body: bytes) -> Any:
    """Return the value of a request body that a model server has taken, whatever the book says of it.

    Servers written in Python read UTF-16 and UTF-32, a byte order mark, NaN, Infinity and numbers of any size. The
    gateway passes them on as they are, so an event must be made of them: a caller that nobody can read is not watched.

    Raises:
        ValueError: it is no JSON for those servers either.

    >>> served_value('{"a": [NaN, 1e999]}'.encode("utf-16"))
    {'a': [nan, inf]}
    """
    try:
        return loads(body)
    except ValueError:
        pass
    try:
        return mended(json.loads(body))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def mended(value: Any) -> Any:
    """Return a JSON value with U+FFFD for each half character in its texts and names.

    Raises:
        RecursionError: it is nested too deeply.
    """
    if type(value) is str:
        return _HALF.sub("\ufffd", value)
    if type(value) is list:
        return [mended(item) for item in value]
    if type(value) is dict:
        return {_HALF.sub("\ufffd", name): mended(item) for name, item in value.items()}
    return value


def _refused(word: str) -> None:
    """NaN and Infinity are no JSON, here as for orjson."""
    raise ValueError("a word that is no JSON")
