"""Filters of a request: `added_after`, `match[...]`, `limit`, `next`.

In: the query. Out: a frozen `Filter`, or a refusal with 400. Unknown parameters are passed over, as the specification
asks; one that is given twice, or has a value of the wrong kind, is refused instead of guessed at.
Source: TAXII Version 2.1, section 3.4.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from stillwatch.exchange.stix.stamps import micros
from stillwatch.exchange.taxii.refusal import Refusal

MATCHES: Final = ("id", "type", "version", "spec_version")
MOST_VALUES: Final = 200
"""Values of one match; SQLite takes more, a person never does."""
_WORDS: Final = ("first", "last", "all")
_DIGITS: Final = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a member asked for."""

    added_after: int | None = None
    """Microseconds since 1970, excluded."""
    ids: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    words: tuple[str, ...] = ("last",)
    """Of `first`, `last`, `all`."""
    versions: tuple[int, ...] = ()
    """Versions by time, microseconds since 1970."""
    specs: tuple[str, ...] | None = None
    """None for the newest that each object has."""

    def plain(self) -> dict[str, Any]:
        """Return what differs from a filter that nobody set, for a cursor."""
        empty = Filter()
        return {name: getattr(self, name) for name in self.__slots__ if getattr(self, name) != getattr(empty, name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request's parameters."""

    filter: Filter
    given: frozenset[str]
    """Fields of `filter` that the request named itself."""
    limit: int | None = None
    next: str | None = None


def read_query(pairs: Sequence[tuple[str, str]], allowed: Sequence[str] = MATCHES) -> Asked:
    """Return the parameters of a request.

    Args:
        pairs: Names and values in their order.
        allowed: Matches that the endpoint knows; others are passed over.

    Raises:
        Refusal: 400, a parameter is given twice or cannot be read.
    """
    known = {"added_after", "limit", "next", *(f"match[{name}]" for name in allowed)}
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in known:
            if name in values:
                raise Refusal(400, f"The parameter {name} is given more than once.")
            values[name] = value
    fields: dict[str, Any] = {}
    if "added_after" in values:
        fields["added_after"] = _time(values["added_after"], "added_after")
    for name, field in (("id", "ids"), ("type", "types"), ("spec_version", "specs")):
        if f"match[{name}]" in values:
            fields[field] = _list(values[f"match[{name}]"], name)
    if "match[version]" in values:
        fields["words"], fields["versions"] = _versions(_list(values["match[version]"], "version"))
    return Asked(filter=Filter(**fields), given=frozenset(fields), limit=_limit(values.get("limit")),
                 next=values.get("next"))  # fmt: skip


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not _DIGITS.fullmatch(text) or int(text) < 1:
        raise Refusal(400, "The parameter limit must be a whole number, at least 1.")
    return int(text)


def _time(text: str, name: str) -> int:
    at = micros(text)
    if at is None:
        raise Refusal(400, f"The parameter {name} must be a time such as 2026-11-30T00:00:00.000000Z.")
    return at


def _list(text: str, name: str) -> tuple[str, ...]:
    parts = tuple(sorted({part.strip() for part in text.split(",")}))
    if "" in parts:
        raise Refusal(400, f"The parameter match[{name}] has an empty value.")
    if len(parts) > MOST_VALUES:
        raise Refusal(400, f"The parameter match[{name}] has more than {MOST_VALUES} values.")
    return parts


def _versions(parts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    words = tuple(part for part in parts if part in _WORDS)
    times = tuple(sorted({_time(part, "match[version]") for part in parts if part not in _WORDS}))
    if "all" in words and (len(words) > 1 or times):
        return ("all",), ()
    return words, times
