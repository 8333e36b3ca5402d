"""JSON bytes as servers write them: the fast reader first, Python's own for what only that one takes."""

import json
from typing import Any

import orjson


def read_json(data: bytes) -> Any:
    """Return the value in `data`; half surrogates, NaN, UTF-16 and large numbers are taken, as many servers take them.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(data)
    except ValueError:
        pass
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def write_json(value: Any) -> bytes:
    """Return `value` as JSON bytes."""
    try:
        return orjson.dumps(value)
    except (TypeError, ValueError):
        return json.dumps(value).encode()
