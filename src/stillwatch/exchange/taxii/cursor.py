"""The opaque `next`: where a reading stands and what it filters by, signed by the hub.

In: a filter, a place, an endpoint. Out: text of URL-safe characters, and back. It carries its filters, so a client that
leaves them out, or moves `added_after` along while it follows `next`, goes on where it was; one that asks for something
else is refused. Nothing is kept for it: it works for ever and on every worker.
Cost: some 10 microseconds. Source: TAXII Version 2.1, section 3.5; behaviour of clients seen in the wild.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from stillwatch.exchange.taxii.filters import Asked, Filter
from stillwatch.exchange.taxii.refusal import Refusal

_SEAL_BYTES: Final = 16
_LONGEST: Final = 32_768


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go on."""

    filter: Filter
    after: int
    """`date_added` of the last object that was given, microseconds since 1970."""
    limit: int | None


def write_cursor(secret: bytes, endpoint: str, place: Place) -> str:
    """Return the cursor of a place.

    Args:
        secret: The hub's key for cursors.
        endpoint: What is read; a cursor holds for this alone.
        place: Where to go on.
    """
    body = json.dumps([place.after, place.limit, place.filter.plain()], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_seal(secret, endpoint, body) + body).decode().rstrip("=")


def read_cursor(secret: bytes, endpoint: str, text: str) -> Place:
    """Return the place of a cursor.

    Raises:
        Refusal: 400, it is none of this hub, or of another endpoint.
    """
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise _wrong() from None
    body = raw[_SEAL_BYTES:]
    if len(text) > _LONGEST or not hmac.compare_digest(raw[:_SEAL_BYTES], _seal(secret, endpoint, body)):
        raise _wrong()
    after, limit, plain = json.loads(body)
    return Place(_filter(plain), after, limit)


def resumed(asked: Asked, place: Place) -> Place:
    """Return where a request that names a cursor goes on.

    Raises:
        Refusal: 400, the request also names a filter, and it would have changed what is read.
    """
    for name in asked.given:
        given, kept = getattr(asked.filter, name), getattr(place.filter, name)
        behind = name == "added_after" and (kept or 0) <= given <= place.after
        if given != kept and not behind:
            raise Refusal(400, "The filters differ from those that next began with; leave them out or begin again.")
    return place if asked.limit is None else replace(place, limit=asked.limit)


def _filter(plain: dict[str, Any]) -> Filter:
    names = {f.name for f in fields(Filter)}
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items() if k in names}
    return Filter(**values)


def _seal(secret: bytes, endpoint: str, body: bytes) -> bytes:
    name = endpoint.encode("utf-8", "surrogatepass")
    return hmac.digest(secret, hashlib.sha256(name).digest() + body, "sha256")[:_SEAL_BYTES]


def _wrong() -> Refusal:
    return Refusal(400, "The parameter next is not one that this hub gave for this endpoint; begin again.")
