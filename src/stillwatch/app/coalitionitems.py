"""Values of a campaign's accounts that are already tokens, or public networks, from a file of JSON lines.

In: lines such as `{"account": "a", "kind": "payment", "epoch": "12-ab", "token": "9f..."}` or `{"account": "a",
"kind": "network", "value": "AS64500"}`. Out: holdings by epoch, and networks with the accounts behind them. A value
in clear of any other kind is refused: it would have to go through the notaries. No message repeats a value.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stillwatch.exchange.stix.networks import canonical_network
from stillwatch.terms.coalition import TOKEN_BYTES, TOKEN_KINDS, Holding
from stillwatch.terms.errors import StillwatchError


@dataclass(slots=True)
class Items:
    """What the file holds."""

    holdings: dict[str, list[Holding]] = field(default_factory=dict, repr=False)
    """By epoch."""
    networks: dict[str, set[str]] = field(default_factory=dict, repr=False)
    """Accounts by network."""


def read_items(lines: Iterable[str]) -> Items:
    """Read the lines; empty ones are passed over.

    Raises:
        StillwatchError: a line is wrong; it is named by its number alone.
    """
    found = Items()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"items: line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict) or not isinstance(value.get("account"), str) or not value["account"]:
            raise StillwatchError(f"{where}: must be a JSON object with account, kind, and token or value.")
        if value.get("kind") == "network":
            network = canonical_network(str(value.get("value", "")))
            found.networks.setdefault(network, set()).add(value["account"])
        else:
            epoch = value.get("epoch")
            if not isinstance(epoch, str) or not epoch:
                raise StillwatchError(f"{where}: a token needs the epoch it was made in.")
            found.holdings.setdefault(epoch, []).append(_holding(value, where))
    return found


def _holding(value: dict[str, Any], where: str) -> Holding:
    if value.get("kind") not in TOKEN_KINDS:
        raise StillwatchError(f"{where}: kind must be one of {', '.join(TOKEN_KINDS)}, or network.")
    try:
        token = bytes.fromhex(str(value.get("token", "")))
    except ValueError:
        token = b""
    if len(token) != TOKEN_BYTES:
        raise StillwatchError(
            f"{where}: token must be {2 * TOKEN_BYTES} hex digits; values in clear go through the notaries."
        )
    return Holding(account=value["account"], kind=value["kind"], token=token)
