"""Token probabilities of one position, whatever the shape that they stand in.

In: entries of the chat shape, or the parallel lists of the older one. Out: the same with each number
replaced by what a `Redraw` makes of all numbers of that position.
"""

from collections.abc import Callable
from itertools import zip_longest
from typing import Any, Final

from stillwatch.treatments.shapes import at, each

New = Callable[[float], float]
Redraw = Callable[[dict[str, float], str, float | None], New]
"""(alternatives, chosen token, its natural log of probability) -> what becomes of each number there."""
LEAST: Final = -9_990.0
"""Servers write -9999 for "impossible"; what lies below this is left alone."""


def is_number(value: Any) -> bool:
    """Return whether this is a log-probability that can be edited: finite, at most 0."""
    return type(value) in (int, float) and LEAST < value <= 0.0


def redrawn_entries(entries: Any, redraw: Redraw, keep: int | None = None) -> Any:
    """Return a list of `{token, logprob, top_logprobs}` redrawn, with at most `keep` alternatives each."""
    return each(entries, lambda entry: _entry(entry, redraw, keep))


def redrawn(value: Any, redraw: Redraw, keep: int | None = None) -> Any:
    """Return what a choice says under `logprobs` redrawn; other shapes pass through."""
    for name in ("content", "refusal"):
        value = at(value, name, lambda entries: redrawn_entries(entries, redraw, keep))
    return _older(value, redraw, keep)


def _entry(entry: Any, redraw: Redraw, keep: int | None) -> Any:
    if type(entry) is not dict:
        return entry
    listed = entry.get("top_logprobs")
    others = [one for one in listed if type(one) is dict] if type(listed) is list else []
    numbers = {str(one.get("token")): one["logprob"] for one in others if is_number(one.get("logprob"))}
    own = entry.get("logprob")
    new = redraw(numbers, str(entry.get("token")), own if is_number(own) else None)
    entry = at(entry, "logprob", lambda number: _renewed(number, new))
    if type(listed) is list:
        kept = _strongest(others, keep) if keep is not None and len(listed) > keep else listed
        kept = each(kept, lambda one: _alternative(one, new))
        entry = at(entry, "top_logprobs", lambda _: kept)
    return entry


def _alternative(one: Any, new: New) -> Any:
    number: Any = one.get("logprob") if type(one) is dict else None
    if not is_number(number):
        return one
    found = new(number)
    return one if found == number else {**one, "logprob": found}


def _older(value: Any, redraw: Redraw, keep: int | None) -> Any:
    """Redraw the shape of completions: lists `tokens`, `token_logprobs` and `top_logprobs`, one entry a position."""
    if type(value) is not dict or type(value.get("token_logprobs")) is not list:
        return value
    tokens, own, tops = (_list(value.get(name)) for name in ("tokens", "token_logprobs", "top_logprobs"))
    new_own, new_tops = [], []
    for token, number, top in zip_longest(tokens, own, tops):
        numbers = {k: v for k, v in top.items() if is_number(v)} if type(top) is dict else {}
        new = redraw(numbers, str(token), number if is_number(number) else None)
        new_own.append(_renewed(number, new))
        new_tops.append(_older_top(top, numbers, new, keep))
    value = at(value, "token_logprobs", lambda before: _unless_same(before, new_own))
    return at(value, "top_logprobs", lambda before: _unless_same(before, new_tops))


def _list(value: Any) -> list[Any]:
    return value if type(value) is list else []


def _unless_same(before: Any, after: list[Any]) -> Any:
    after = after[: len(_list(before))]
    return before if type(before) is not list or after == before else after


def _older_top(top: Any, numbers: dict[str, float], new: New, keep: int | None) -> Any:
    if type(top) is not dict:
        return top
    names = list(top) if keep is None else sorted(numbers, key=lambda name: -numbers[name])[:keep]
    return {name: _renewed(top[name], new) for name in names}


def _strongest(entries: list[dict[str, Any]], keep: int) -> list[dict[str, Any]]:
    ranked = sorted((one for one in entries if is_number(one.get("logprob"))), key=lambda one: -one["logprob"])
    return ranked[:keep]


def _renewed(number: Any, new: New) -> Any:
    if not is_number(number):
        return number
    found = new(number)
    return number if found == number else found
