r"""JSON to values, with half characters mended.

In: JSON as bytes or text. Out: its value. orjson reads it; what orjson refuses for an escape of half a character
(`\ud83e` alone, as writers that cut texts by length leave it) is read again by `json`, each half as U+FFFD.
Cost: orjson's; a text that is refused and holds such an escape is read a second time, some five times slower.
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
