"""Read an address as written, and name the network it stands in.

In: text from a log. Out: (4 or 6, number), or nothing for what is no address.
Private means every special range: loopback, link-local, carrier NAT, documentation, multicast.
Source: the IANA special-purpose address registries (RFC 6890), written out so that the answer does
not change with the Python version.
"""

import functools
import ipaddress
from typing import Final

Address = tuple[int, int]

_MAPPED: Final = 0xFFFF
_SPECIAL: Final = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    "::/96", "64:ff9b:1::/48", "100::/64", "2001:2::/48", "2001:db8::/32", "3fff::/20", "fc00::/7", "fe80::/10",
    "ff00::/8",
)  # fmt: skip


def parse_address(text: str) -> Address | None:
    """Return (4, 32-bit number) or (6, 128-bit number); None when `text` holds no address.

    Takes the first of a comma-separated list; drops a port, brackets and a zone. An IPv4 address
    mapped into IPv6 is read as IPv4.

    >>> parse_address("192.0.2.7:443"), parse_address("[::ffff:192.0.2.7]:443"), parse_address("home")
    ((4, 3221225991), (4, 3221225991), None)
    """
    text = text.partition(",")[0].strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    number = int(address)
    if address.version == 6 and number >> 32 == _MAPPED:
        return 4, number & 0xFFFF_FFFF
    return address.version, number


@functools.cache
def _special() -> tuple[tuple[int, int, int], ...]:
    networks = [ipaddress.ip_network(text) for text in _SPECIAL]
    return tuple((n.version, int(n.network_address), int(n.broadcast_address)) for n in networks)


def is_private(address: Address) -> bool:
    """Return whether the address belongs to no one network of the public internet."""
    version, number = address
    return any(version == kind and low <= number <= high for kind, low, high in _special())


def network_of(address: Address | None) -> str:
    """Return the /24 or /48 that the address stands in, as text; empty for None.

    >>> network_of((4, 3221225991))
    '192.0.2.0/24'
    """
    if address is None:
        return ""
    version, number = address
    if version == 4:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.0/24"
    top = number >> 80
    return f"{top >> 32:x}:{top >> 16 & 0xFFFF:x}:{top & 0xFFFF:x}::/48"
