"""The prose that stands beside the turns of a request: descriptions of tools, of forms, documents handed over.

In: an `Exchange`. Out: its longer texts, each by itself, since callers put the same ones into many requests.
Cost: a parse of the schemas, for those not seen before only. Left to `told`: which are new.
"""

import json
from typing import Any, Final

from stillwatch.terms.exchange import Exchange

SHORTEST: Final = 24
"""Characters; shorter texts are names and types, not prose."""
MOST: Final = 512
"""Texts of one request that are looked at."""


def prose(exchange: Exchange) -> list[str]:
    """Return the longer texts in the tools and forms of `exchange`, in order.

    >>> prose(Exchange(time=0.0, account="a", tools='[{"d":"Look up the weather of a town","type":"function"}]'))
    ['Look up the weather of a town']
    """
    found: list[str] = []
    for source in (exchange.tools, exchange.aside):
        try:
            _gather(json.loads(source) if source else None, found)
        except (ValueError, RecursionError):
            found.append(source)
    return found[:MOST]


def _gather(value: Any, found: list[str]) -> None:
    if len(found) >= MOST:
        return
    if isinstance(value, str):
        if len(value) >= SHORTEST:
            found.append(value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _gather(name, found)
            _gather(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _gather(inner, found)
