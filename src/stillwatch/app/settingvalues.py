"""One value of the settings file against the annotation of its field; and the annotation as JSON Schema.

In: a type as `typing.get_type_hints` gives it, a value as `tomllib` gives it. Out: the value as the record
takes it, or an error that names the setting. Left to the records: ranges.
"""

import types
from collections.abc import Callable
from datetime import date
from typing import Any, Final, Union, get_args, get_origin

from stillwatch.terms.errors import StillwatchError

_KINDS: Final[dict[Any, tuple[str, Callable[[Any], bool]]]] = {
    bool: ("true or false", lambda v: isinstance(v, bool)),
    int: ("a whole number, 0 or more", lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0),
    float: ("a number", lambda v: isinstance(v, int | float) and not isinstance(v, bool)),
    str: ('text in quotes, such as "a"', lambda v: isinstance(v, str)),
}
_WORDS: Final[dict[Any, str]] = {bool: "true or false", int: "whole number", float: "number", str: "text",
                                   date: "date"}  # fmt: skip
_SCHEMAS: Final[dict[Any, dict[str, Any]]] = {
    bool: {"type": "boolean"}, int: {"type": "integer", "minimum": 0}, float: {"type": "number"},
    str: {"type": "string"}, date: {"type": "string", "format": "date"},
}  # fmt: skip


def checked_value(name: str, value: Any, kind: Any) -> Any:
    """Return `value` as a field annotated with `kind` takes it.

    Args:
        name: Dotted name of the setting.
        value: As TOML gives it.
        kind: `bool`, `int`, `float`, `str`, a tuple of any number of one of them, a dict from `str` to one of
            them, or one of them or None.

    Raises:
        StillwatchError: it is of another kind.

    >>> checked_value("a.b", ["x"], tuple[str, ...]), checked_value("a.c", 1, float | None)
    (('x',), 1)
    """
    kind, inner = _taken_apart(kind)
    if kind is tuple and isinstance(value, list) and all(_KINDS[inner][1](part) for part in value):
        return tuple(value)
    if kind is dict and isinstance(value, dict) and all(_KINDS[inner][1](part) for part in value.values()):
        return dict(value)
    if kind in _KINDS and _KINDS[kind][1](value):
        return value
    wanted = _KINDS[kind][0] if inner is None else f"a {'list' if kind is tuple else 'table'}, each {_KINDS[inner][0]}"
    raise StillwatchError(
        f"{name} = {value!r}: must be {wanted}.\nRun `stillwatch config explain {name}` for what it changes."
    )


def said(kind: Any) -> str:
    """Return a kind in words.

    >>> said(tuple[str, ...]), said(int | None)
    ('list of texts', 'whole number')
    """
    kind, inner = _taken_apart(kind)
    if kind in (tuple, dict):
        return f"{'list' if kind is tuple else 'table'} of {_WORDS[inner]}s"
    return _WORDS[kind]


def schema_of(kind: Any) -> dict[str, Any]:
    """Return a kind as JSON Schema.

    >>> schema_of(tuple[str, ...])
    {'type': 'array', 'items': {'type': 'string'}}
    """
    kind, inner = _taken_apart(kind)
    if kind is tuple:
        return {"type": "array", "items": dict(_SCHEMAS[inner])}
    if kind is dict:
        return {"type": "object", "additionalProperties": dict(_SCHEMAS[inner])}
    return dict(_SCHEMAS[kind])


def _taken_apart(kind: Any) -> tuple[Any, Any]:
    """Return a kind without `None`, and what a tuple or dict of it holds."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is tuple:
        return tuple, get_args(kind)[0]
    if get_origin(kind) is dict:
        return dict, get_args(kind)[1]
    return kind, None
