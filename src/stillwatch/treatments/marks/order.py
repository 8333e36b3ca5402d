"""The mark order: what a gateway tells an engine of one request, signed.

In: tags of account and campaign, and an epoch's number. Out: 94 characters for the body's
`vllm_xargs: {"stillwatch_mark": ...}`, and the order again on the engine's side.
An order names nobody: tags are keyed pseudonyms. It carries no key: the engine has the ring. It expires, and nobody
without the ring can make or change one. Cost: one HMAC, 5 microseconds.
Left to `gateway`: taking out whatever a client put into that field. Left to engines: refusing what does not read.
"""

import base64
import binascii
import hmac
import math
import struct
from dataclasses import dataclass
from typing import Final

from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.ring import TAG_BYTES, Epoch, Ring

FIELD: Final = "vllm_xargs"
"""Field of the request's body that holds the order, under `NAME`."""
NAME: Final = "stillwatch_mark"
_LAYOUT: Final = struct.Struct(">BBI16s16sdd")
_VERSION: Final = 1
_MAC_BYTES: Final = 16
_ACCOUNT, _CAMPAIGN = 1, 2
_NOBODY: Final = bytes(TAG_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkOrder:
    """Mark one answer for this account and campaign.

    Raises:
        StillwatchError: a tag has neither 0 nor 16 bytes, or a number is out of range.
    """

    epoch: int
    """Number of the epoch whose keys mark."""
    account: bytes = b""
    """Tag, 16 bytes; empty: no account's key."""
    campaign: bytes = b""
    """Tag, 16 bytes; empty: no campaign's key."""
    until: float
    """Seconds since 1970 after which the order is void."""
    proxy_share: float = 0.0
    """Weight of a proxy model in the logits, from 0 to 1; 0: none."""

    def __post_init__(self) -> None:
        if not all(len(tag) in (0, TAG_BYTES) and tag != _NOBODY for tag in (self.account, self.campaign)):
            raise StillwatchError(f"mark order: a tag must have {TAG_BYTES} bytes or none; make it with `Epoch.tag`.")
        if not (0.0 <= self.proxy_share <= 1.0 and math.isfinite(self.until) and 0 < self.epoch < 2**32):
            raise StillwatchError(
                "mark order: `epoch` must be from 1 up, `until` finite and `proxy_share` from 0 to 1; "
                "make it from the ring's current epoch and the clock."
            )


def sign(order: MarkOrder, ring: Ring) -> str:
    """Return the order as URL-safe base64 with its HMAC.

    Raises:
        StillwatchError: the ring lacks the order's epoch.
    """
    flags = (_ACCOUNT if order.account else 0) | (_CAMPAIGN if order.campaign else 0)
    account, campaign = order.account or _NOBODY, order.campaign or _NOBODY
    said = _LAYOUT.pack(_VERSION, flags, order.epoch, account, campaign, order.until, order.proxy_share)
    return base64.urlsafe_b64encode(said + _mac(ring.epoch(order.epoch), said)).decode().rstrip("=")


def read_order(text: str, ring: Ring, now: float) -> MarkOrder:
    """Return the order that a gateway with the same ring signed.

    Args:
        text: What stood in the field.
        ring: The engine's ring.
        now: Seconds since 1970.

    Raises:
        StillwatchError: it is no order, its signature is wrong, its epoch is unknown, or it has expired.
    """
    said, mac = _parts(text)
    version, flags, number, account, campaign, until, proxy_share = _LAYOUT.unpack(said)
    if version != _VERSION:
        raise StillwatchError(f"mark order: has version {version}; this engine reads {_VERSION}. Update the older one.")
    if not hmac.compare_digest(mac, _mac(ring.epoch(number), said)):
        raise StillwatchError("mark order: its signature is wrong. Give gateway and engine the same ring file.")
    if not now <= until:
        raise StillwatchError(
            f"mark order: expired {now - until:.0f} s ago. Compare the clocks of gateway and engine, or let "
            "the gateway sign orders for longer."
        )
    return MarkOrder(
        epoch=number,
        account=account if flags & _ACCOUNT else b"",
        campaign=campaign if flags & _CAMPAIGN else b"",
        until=until,
        proxy_share=proxy_share,
    )


def _parts(text: str) -> tuple[bytes, bytes]:
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, AttributeError):
        raw = b""
    if len(raw) != _LAYOUT.size + _MAC_BYTES:
        raise StillwatchError(f"mark order: is none. Only the gateway may write `{FIELD}.{NAME}`.")
    return raw[: _LAYOUT.size], raw[_LAYOUT.size :]


def _mac(epoch: Epoch, said: bytes) -> bytes:
    return hmac.digest(epoch.subkey("order"), said, "sha256")[:_MAC_BYTES]
