"""One JSON text for one value, so that a digest or a signature over it means the value.

In: strings, whole numbers, truth values, None, lists and objects with ASCII names. Out: UTF-8 bytes as RFC 8785
writes them. Real numbers are refused, because two programs may write one number in two ways: they travel as text,
`exact` (hexadecimal, to the last bit) where a program reads them and a decimal where a person chose them.
Source: RFC 8785, "JSON Canonicalization Scheme"; IEEE 754 hexadecimal as `float.hex` writes it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from stillwatch.terms.errors import StillwatchError

T = TypeVar("T")
MOST_WHOLE: Final = 2**53 - 1
"""Whole numbers further from 0 than this are not the same in every program that reads JSON."""


def canonical(value: object) -> bytes:
    """Return the one JSON text of a value or of a frozen record.

    Raises:
        ValueError: it holds a real number, a number too large, or a name that is not ASCII.

    >>> canonical({"b": [1, True, None], "a": "é"}).decode()
    '{"a":"é","b":[1,true,null]}'
    """
    plain = msgspec.to_builtins(value, str_keys=False)
    _check(plain)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def read_canonical(raw: bytes, kind: type[T], what: str) -> T:
    """Return the record whose canonical JSON `raw` is; anything else, a blank too many included, is refused.

    Args:
        raw: The bytes.
        kind: Type of the record.
        what: What to call it in a message.

    Raises:
        StillwatchError: `raw` is not the canonical form of such a record; nothing of it is repeated.
    """
    try:
        found = msgspec.convert(_parsed(raw), type=kind)
        if canonical(found) == raw:
            return found
    except (ValueError, RecursionError, msgspec.MsgspecError):
        pass
    raise StillwatchError(f"{what}: is not in canonical form, or was altered; take it as it was written.")


def sha256(raw: bytes) -> str:
    """Return SHA-256 as 64 hex digits."""
    return hashlib.sha256(raw).hexdigest()


def exact(value: float) -> str:
    """Return a real number as text that keeps every bit.

    >>> exact(-13.75), number(exact(0.1)) == 0.1
    ('-0x1.b800000000000p+3', True)
    """
    return float(value).hex()


def number(text: str) -> float:
    """Return what `exact` or a decimal spells.

    Raises:
        StillwatchError: it spells no number.
    """
    try:
        return float.fromhex(text) if "x" in text else float(text)
    except (ValueError, OverflowError):
        raise StillwatchError(
            f"number {text[:40]!r}: must be a decimal, or hexadecimal as `float.hex` writes."
        ) from None


def _parsed(raw: bytes) -> Any:
    return json.loads(raw.decode("utf-8"), parse_float=_no_real, parse_constant=_no_real)


def _no_real(_: str) -> float:
    raise ValueError("real number")


def _check(value: object) -> None:
    if isinstance(value, Mapping):
        for name, held in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise ValueError("names must be ASCII text.")
            _check(held)
    elif isinstance(value, list | tuple):
        for held in value:
            _check(held)
    elif isinstance(value, int):
        if abs(value) > MOST_WHOLE:
            raise ValueError("a whole number beyond 2^53 - 1; write it as text.")
    elif not (value is None or isinstance(value, str)):
        raise ValueError(
            f"{type(value).__name__}: must be text, a whole number, a truth value, None, a list or an object."
        )
