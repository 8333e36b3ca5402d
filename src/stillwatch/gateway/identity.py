"""Who sent a request, read from its headers once: key, address, agent; and the headers that go upstream.

In: the header list of an ASGI scope. Out: `Heads`. Nothing that a caller can write itself is believed: forwarded
addresses and TLS fingerprints count only from a proxy that the settings trust, and are never passed on.
Cost: one pass, a few microseconds. Left to `Desk`: whose key it is.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

from stillwatch.gateway.config import GatewayConfig

Pairs = list[tuple[str, str]]

_READABLE_CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate", "zstd", "identity"})
_READ: Final = frozenset(
    b"authorization x-api-key user-agent content-encoding content-length x-stainless-retry-count connection "
    b"anthropic-version dpop host".split()
)
_DROPPED: Final = frozenset(
    b"authorization x-api-key connection keep-alive proxy-connection proxy-authorization te trailer "
    b"transfer-encoding upgrade host dpop content-length expect forwarded via x-real-ip x-client-ip "
    b"x-cluster-client-ip true-client-ip cf-connecting-ip x-client-cert x-ja3 x-ja3n x-ja4 x-ja4h "
    b"x-tls-fingerprint".split()
)
"""Credentials, headers of one hop, and those that speak of the caller in another's name."""
_DROPPED_STEMS: Final = (b"x-stillwatch-", b"x-forwarded-")


class Heads:
    """What the headers of one request say."""

    __slots__ = (
        "agent",
        "anthropic",
        "attempt",
        "auth",
        "coding",
        "forwarded",
        "host",
        "length",
        "pairs",
        "proof",
        "secret",
        "tls",
    )

    def __init__(self, seen: dict[bytes, str], pairs: Pairs, forwarded: list[str], tls: str) -> None:
        bearer = seen.get(b"authorization", "")
        if bearer[:7].lower() == "bearer ":
            self.secret, self.auth = bearer[7:].strip(), "bearer"
        elif bearer[:5].lower() == "dpop ":
            self.secret, self.auth = bearer[5:].strip(), "dpop"
        else:
            self.secret = seen.get(b"x-api-key", "").strip()
            self.auth = "x-api-key" if self.secret else ""
        self.proof = seen.get(b"dpop", "").strip()
        """Proof that the sender of a grant's token holds its key."""
        self.host = seen.get(b"host", "")
        self.agent = seen.get(b"user-agent", "")
        self.attempt = _number(seen.get(b"x-stainless-retry-count"), 0)
        self.coding = seen.get(b"content-encoding", "").strip().lower()
        """Content coding of the body; empty for none."""
        self.length = _number(seen.get(b"content-length"), -1)
        self.anthropic = b"anthropic-version" in seen
        self.forwarded = forwarded
        self.tls = tls
        """As some header said; believed only from a trusted proxy."""
        self.pairs = pairs
        """Headers that go upstream, without credentials."""


def _number(value: str | None, default: int) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 16 else default


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _readable(value: str) -> str:
    """Leave out content codings that could not be read here, so that no answer passes unread."""
    kept = [part for part in value.split(",") if part.split(";")[0].strip().lower() in _READABLE_CODINGS]
    return ",".join(kept).strip() or "identity"


class HeaderReader:
    """Reads header lists under one configuration."""

    def __init__(self, config: GatewayConfig) -> None:
        self._ja4 = config.ja4_header.lower().encode()
        self._dropped = _DROPPED | {self._ja4}

    def read(self, headers: Iterable[tuple[bytes, bytes]]) -> Heads:
        """Return what `headers` (names in lower case, as ASGI has them) say."""
        seen: dict[bytes, str] = {}
        pairs: Pairs = []
        forwarded: list[str] = []
        dropped = self._dropped
        for name, raw in headers:
            value = _text(raw)
            if name in _READ:
                seen[name] = value
            elif name == b"x-forwarded-for":
                forwarded += value.split(",")
            elif name == self._ja4:
                seen[name] = value
            elif name == b"accept-encoding":
                value = _readable(value)
            if name not in dropped and not name.startswith(_DROPPED_STEMS):
                pairs.append((name.decode("ascii", "replace"), value))
        if b"connection" in seen:
            pairs = _without_named(pairs, seen[b"connection"])
        return Heads(seen, pairs, forwarded, seen.get(self._ja4, ""))


def _without_named(pairs: Pairs, connection: str) -> Pairs:
    """Headers that `connection` names belong to one hop."""
    named = {part.strip().lower() for part in connection.split(",")} - {"keep-alive", "close"}
    return [pair for pair in pairs if pair[0] not in named] if named else pairs


class Trust:
    """Which proxies are believed when they say for whom they speak."""

    _KEPT: Final = 4096

    def __init__(self, config: GatewayConfig) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in config.trusted_proxies)
        self._hops = config.forwarded_hops
        self._known: dict[str, bool] = {}

    def trusts(self, address: str) -> bool:
        """Return whether `address` belongs to a trusted proxy."""
        if not self._networks:
            return False
        known = self._known.get(address)
        if known is None:
            known = self._look_up(address)
            if len(self._known) >= self._KEPT:
                self._known.clear()
            self._known[address] = known
        return known

    def _look_up(self, address: str) -> bool:
        parsed = parse_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def address(self, peer: str, forwarded: list[str]) -> str:
        """Return the caller's address: the socket's, or what trusted proxies say, from the right.

        Args:
            peer: Address of the socket.
            forwarded: Entries of `x-forwarded-for`, in order.
        """
        found = peer
        for entry in forwarded[: -self._hops - 1 : -1]:
            if not self.trusts(found):
                break
            parsed = parse_address(entry)
            if parsed is None:
                break
            found = str(parsed)
        return found


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address in `text`, with or without brackets and port; None when there is none.

    >>> parse_address(" [2001:db8::1]:443"), parse_address("192.0.2.7:80"), parse_address("unknown")
    (IPv6Address('2001:db8::1'), IPv4Address('192.0.2.7'), None)
    """
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
