"""What a coalition's collection takes: one's own warnings, complete, dated and marked, and nothing to trade on.

In: an object, who sends it, the time; then what is kept of it already. Out: why it is refused; empty where it is
not. These are the rules that hold even if a member's own program does not keep them.
Left to `lint`: words and numbers. Left to `intake`: quotas and token sets.
"""

from collections.abc import Mapping
from typing import Any, Final

import stix2
from stix2.exceptions import STIXError

from stillwatch.exchange.stix import atlas, extension, lint, tlp
from stillwatch.exchange.stix.networks import is_network_pattern
from stillwatch.exchange.stix.stamps import micros, of_seconds
from stillwatch.exchange.stix.tokensets import token_pattern
from stillwatch.exchange.taxii.objects import Item
from stillwatch.terms.coalition import CROWD_KINDS, LEAST_CROWD

TYPES: Final = frozenset(["campaign", "indicator", "infrastructure", "sighting", "opinion", "relationship"])
MOST_DAYS: Final = 90.0
"""Longest that an indicator may hold."""
_AHEAD_SECONDS: Final = 300.0
"""How far a member's clock may be ahead of the hub's."""
PUBLISHED: Final[Mapping[str, dict[str, Any]]] = {
    item["id"]: item
    for item in (
        extension.definition(), extension.author(), *(tlp.marking(level) for level in tlp.SHARED),
        *(atlas.attack_pattern(technique) for technique in atlas.TECHNIQUES.values()),
    )
}  # fmt: skip
"""Objects of others that anybody may send, as they were published and not otherwise."""


def unfit(plain: Mapping[str, Any], item: Item, identity: str, now: float) -> str:
    """Return why a coalition's collection would never take an object; empty where it may.

    Args:
        plain: The object.
        item: The same, as it would be kept.
        identity: STIX id of the sender's organisation.
        now: Seconds since 1970.
    """
    if item.id in PUBLISHED:
        return "" if dict(plain) == PUBLISHED[item.id] else "It differs from the published object of this id."
    if item.type not in TYPES:
        return f"A coalition's collection takes {', '.join(sorted(TYPES))}."
    if item.author != identity:
        return "Its created_by_ref is not the sender's organisation."
    if item.version is None:
        return "It has no modified."
    if item.version > of_seconds(now + _AHEAD_SECONDS):
        return "Its modified lies in the future."
    found = next(iter(lint.findings(plain)), "") or (_indicator(plain, item) if item.type == "indicator" else "")
    if found:
        return found
    try:
        stix2.parse(dict(plain), allow_custom=False)
    except (STIXError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return "It is no strict STIX 2.1."
    return ""


def untimely(item: Item, newest: tuple[int, str, bool] | None) -> str:
    """Return why an object cannot follow what is kept of it; empty where it can.

    Args:
        item: The object.
        newest: Version, author and whether revoked of what is kept of it; None for nothing.
    """
    if newest is None or item.id in PUBLISHED:
        return ""
    if newest[1] != item.author:
        return "It is another organisation's."
    if item.version == newest[0]:
        return ""
    if newest[2]:
        return "It was revoked, which is for good."
    return "It is older than the version that is here." if (item.version or 0) < newest[0] else ""


def _indicator(plain: Mapping[str, Any], item: Item) -> str:
    start = micros(plain.get("valid_from"))
    if item.until is None or start is None:
        return "An indicator must have valid_until."
    if item.until - start > of_seconds(MOST_DAYS * 86_400.0):
        return f"An indicator may hold for {MOST_DAYS:.0f} days at most."
    own = (plain.get("extensions") or {}).get(extension.ID, {})
    if plain.get("pattern_type") == "oprf-token":
        missing = {"token_kind", "epoch", "digest", "size"} - set(own)
        if missing:
            return f"An indicator of tokens must state {', '.join(sorted(missing))}."
        if plain.get("pattern") != token_pattern(own["token_kind"], own["epoch"], own["digest"]):
            return "Its pattern must name its kind, epoch and set, and nothing else."
        crowd = own["token_kind"] in CROWD_KINDS
    elif plain.get("pattern_type") == "stix":
        if not is_network_pattern(plain.get("pattern")):
            return "A pattern in clear must be one public network: an autonomous system, a /24 or /48 or wider."
        crowd = True
    else:
        return "Its pattern_type must be oprf-token or stix."
    if crowd and "at_least_accounts" not in own:
        return f"What others may share must be seen on {LEAST_CROWD} accounts: state at_least_accounts."
    return ""
