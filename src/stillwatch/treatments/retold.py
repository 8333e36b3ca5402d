"""Token probabilities told anew, token by token: other numbers, listed in the order of those, or none at a place.

In: what a choice says under `logprobs`, or a list of entries, and a `Retell`. Out: the same with other numbers. Beside
`probabilities`, which maps numbers to numbers: here equal numbers of two tokens need not stay equal, since that they
were equal would be told. "Impossible" (-9999) is a number like others.
"""

from collections.abc import Callable
from itertools import zip_longest
from typing import Any, Final

from stillwatch.treatments.shapes import at

Known = dict[str, float]
Retell = Callable[[str, Known], Known | None]
"""(chosen token, log-probabilities by token) -> the same tokens with other numbers; None takes the place out."""
_LEAST: Final = -1e9


def retold(value: Any, retell: Retell) -> Any:
    """Return what a choice says under `logprobs` told anew; other shapes pass through."""
    for name in ("content", "refusal"):
        value = at(value, name, lambda entries: retold_entries(entries, retell))
    if type(value) is dict and type(value.get("token_logprobs")) is list:
        return _older(value, retell)
    return value


def retold_entries(entries: Any, retell: Retell) -> Any:
    """Return a list of `{token, logprob, top_logprobs}` told anew; places that are taken out are left out."""
    if type(entries) is not list or not entries:
        return entries
    found = [_entry(entry, retell) if type(entry) is dict else entry for entry in entries]
    return [entry for entry in found if entry is not None]


def _is(value: Any) -> bool:
    return type(value) in (int, float) and _LEAST < value <= 0.0


def _entry(entry: dict[str, Any], retell: Retell) -> dict[str, Any] | None:
    token, listed = str(entry.get("token")), entry.get("top_logprobs")
    own: Any = entry.get("logprob")
    others = [one for one in listed if type(one) is dict] if type(listed) is list else []
    known = {str(one.get("token")): float(one["logprob"]) for one in others if _is(one.get("logprob"))}
    if _is(own):
        known.setdefault(token, float(own))
    if not known:
        return entry
    new = retell(token, known)
    if new is None:
        return None
    entry = {**entry, "logprob": new[token]} if _is(own) else entry
    if type(listed) is not list:
        return entry
    told = [{**one, "logprob": new[str(one.get("token"))]} if _is(one.get("logprob")) else one for one in others]
    return {**entry, "top_logprobs": sorted(told, key=_rank)}


def _rank(one: dict[str, Any]) -> tuple[float, str]:
    number: Any = one.get("logprob")
    return (-number if _is(number) else 0.0, str(one.get("token")))


def _older(value: dict[str, Any], retell: Retell) -> Any:
    """Tell the shape of completions anew: lists `tokens`, `token_logprobs` and `top_logprobs`."""
    columns = [found if type(found := value.get(name)) is list else [] for name in _COLUMNS]
    new_own: list[Any] = []
    new_tops: list[Any] = []
    for token, own, top in zip_longest(*columns):
        named = {k: float(v) for k, v in top.items() if _is(v)} if type(top) is dict else {}
        known = {str(token): float(own), **named} if _is(own) else named
        new = retell(str(token), known) if known else {}
        gone = new is None or not known
        new_own.append(None if gone or new is None or not _is(own) else new[str(token)])
        new_tops.append(None if gone or new is None or type(top) is not dict else _listed(named, new))
    tops = value.get("top_logprobs")
    value = {**value, "token_logprobs": new_own[: len(columns[1])]}
    return {**value, "top_logprobs": new_tops[: len(tops)]} if type(tops) is list else value


_COLUMNS: Final = ("tokens", "token_logprobs", "top_logprobs")


def _listed(named: Known, new: Known) -> Known:
    return dict(sorted(((name, new[name]) for name in named), key=lambda pair: (-pair[1], pair[0])))
