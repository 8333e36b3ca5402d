"""Who is at the door: a key, a client certificate, or both; and how often.

In: headers, the connection's scope, the time. Out: the member, or a refusal with 401 or 429. A member that was given
a certificate must show it, with its key or without; a key alone is not enough then. What is wrong is never said.
Cost: one hash and one row. Left to `tls`: reading the certificate. Source: TAXII Version 2.1, section 1.6.9 (HTTP
Basic).
"""

import base64
import binascii
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from stillwatch.exchange.taxii.members import Member, Register
from stillwatch.exchange.taxii.refusal import Refusal
from stillwatch.terms.account import key_digest

CHALLENGE: Final = 'Basic realm="coalition", charset="UTF-8", Bearer realm="coalition"'
CERTIFICATE: Final = "stillwatch.certificate"
"""Name in the ASGI scope of the SHA-256 of the certificate that the client proved to hold, in hex."""


class Doorkeeper:
    """Lets members in."""

    def __init__(self, register: Register, secret: bytes, *, per_minute: int, need_certificate: bool = False) -> None:
        self._register, self._secret = register, secret
        self._per_minute, self._need = per_minute, need_certificate
        self._minute, self._seen = 0, dict[str, int]()
        self._lock = threading.Lock()

    def admit(self, headers: Mapping[str, str], scope: MutableMapping[str, Any], now: float) -> Member:
        """Return who this is.

        Raises:
            Refusal: 401, nobody that is known; 429, too often in this minute.
        """
        shown: str | None = scope.get(CERTIFICATE)
        name, key = _given(headers.get("authorization"))
        if key is not None:
            member = self._register.find_member(digest=key_digest(key, self._secret))
        else:
            member = self._register.find_member(certificate=shown)
        if member is None or not member.good_at(now) or (name and name != member.name):
            raise self._nobody()
        if (self._need or member.certificate is not None) and (shown is None or member.certificate != shown):
            raise self._nobody()
        self._count(member.name, now)
        return member

    def _count(self, name: str, now: float) -> None:
        with self._lock:
            if int(now // 60) != self._minute:
                self._minute, self._seen = int(now // 60), {}
            self._seen[name] = self._seen.get(name, 0) + 1
            if self._seen[name] > self._per_minute:
                wait = {"Retry-After": str(60 - int(now % 60))}
                raise Refusal(429, "Too many requests in this minute.", wait)

    @staticmethod
    def _nobody() -> Refusal:
        return Refusal(401, "Give a key of this coalition, and the certificate that belongs to it.",
                       {"WWW-Authenticate": CHALLENGE})  # fmt: skip


def _given(header: str | None) -> tuple[str, str | None]:
    """Return the name and key of an Authorization header; no key where it holds none."""
    scheme, _, value = (header or "").strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return "", value
    if scheme.lower() != "basic":
        return "", None if not header else ""
    try:
        name, colon, key = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (ValueError, binascii.Error):
        return "", ""
    return (name, key) if colon else ("", "")
