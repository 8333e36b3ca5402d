"""Public networks in clear: an autonomous system or a prefix, never one person's address.

In: `AS64500`, `203.0.113.0/24`, `2001:db8::/40`. Out: a STIX pattern. A prefix narrower than a /24 or a /48 may be
one household and is refused.
"""

import ipaddress
import re
from typing import Final

from stillwatch.terms.errors import StillwatchError

NARROWEST: Final = {4: 24, 6: 48}
_PATTERN: Final = re.compile(
    r"\[(?:autonomous-system:number = (\d{1,10})|ipv[46]-addr:value ISSUBSET '([0-9a-f.:/]{1,43})')\]", re.ASCII
)
_AS: Final = re.compile(r"AS(\d{1,10})", re.ASCII)


def canonical_network(text: str) -> str:
    """Return a network as it is compared and told.

    Raises:
        StillwatchError: it is neither an autonomous system nor a prefix, or it is too narrow.

    >>> canonical_network("as64500"), canonical_network("203.0.113.7/24")
    ('AS64500', '203.0.113.0/24')
    """
    found = _AS.fullmatch(text.strip().upper())
    if found:
        return f"AS{int(found[1])}"
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise StillwatchError("network: must be AS and a number, or a prefix such as 203.0.113.0/24.") from None
    if network.prefixlen > NARROWEST[network.version]:
        raise StillwatchError(
            f"network: a /{network.prefixlen} may be one household; at most /{NARROWEST[network.version]} is told so. "
            "Single addresses go through the notaries."
        )
    return str(network)


def network_pattern(text: str) -> str:
    """Return the STIX pattern of a network.

    >>> network_pattern("AS64500")
    '[autonomous-system:number = 64500]'
    >>> network_pattern("203.0.113.0/24")
    "[ipv4-addr:value ISSUBSET '203.0.113.0/24']"
    """
    network = canonical_network(text)
    if network.startswith("AS"):
        return f"[autonomous-system:number = {network[2:]}]"
    family = "ipv6-addr" if ":" in network else "ipv4-addr"
    return f"[{family}:value ISSUBSET '{network}']"


def is_network_pattern(pattern: object) -> bool:
    """Return whether a pattern names one public network, wide enough, as `network_pattern` writes it.

    >>> is_network_pattern("[ipv4-addr:value ISSUBSET '203.0.113.0/24']")
    True
    >>> is_network_pattern("[ipv4-addr:value = '203.0.113.7']"), is_network_pattern(None)
    (False, False)
    """
    found = _PATTERN.fullmatch(pattern) if isinstance(pattern, str) else None
    if found is None:
        return False
    try:
        return network_pattern(f"AS{found[1]}" if found[1] else found[2]) == pattern
    except StillwatchError:
        return False
