"""The event: a frozen, reduced record of one exchange, without text; version 1.

In memory events travel in batches, one NumPy row each (`EVENT_DTYPE`); `Event` is one row with
names, for JSON, for the gateway and for people. Hashes are 64-bit, keyed and bound to a key epoch;
0 stands for "the source did not say". A sketch is pseudonymous, not anonymous: whoever holds the
key can test a guess against it.
Cost: 536 bytes a row (`EVENT_DTYPE.itemsize`). Left to `sketch`: computing it. Left to `store`: keeping it.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

EVENT_VERSION: Final = 1
N_ANCHORS: Final = 16
N_SYSTEM_ANCHORS: Final = 8
N_PROJECTION: Final = 64
N_CHAIN: Final = 8
N_IMAGES: Final = 2

ADDRESS_KINDS: Final = ("unknown", "consumer", "datacentre", "vpn", "tor", "private")
ENDPOINTS: Final = ("other", "chat", "completions", "responses", "messages", "embeddings")
FINISHES: Final = ("unknown", "stop", "length", "tool", "refusal", "error")
ASKS: Final = ("reasoning", "grading", "rewriting", "tags", "logprobs", "samples")
"""Bits of `asks`, lowest first: what a request asks for beyond an answer."""
SURFACES: Final = ("chat", "batch", "agent", "evaluation")
"""Strata that calibration keeps apart, read from how an account behaves."""

SKETCH_DTYPE: Final = np.dtype(
    [
        ("version", "u1"),
        ("anchors", "<u8", (N_ANCHORS,)),
        ("head", "<u8"),
        ("tail", "<u8"),
        ("skeleton", "<u8"),
        ("content", "<u8"),
        ("projection", "i1", (N_PROJECTION,)),
        ("system", "<u8"),
        ("system_anchors", "<u8", (N_SYSTEM_ANCHORS,)),
        ("tools", "<u8"),
        ("style", "u1", (8,)),
        ("asks", "<u2"),
        ("issued", "<u8"),
        ("chain", "<u8", (N_CHAIN,)),
        ("images", "<u8", (N_IMAGES,)),
        ("words", "<u4"),
    ]
)
"""The edge sketch of one request; see docs/reference/sketch.md for each field."""

EVENT_DTYPE: Final = np.dtype(
    [
        ("event_id", "<u8"),
        ("epoch", "<u2"),
        ("time", "<f8"),
        ("account", "<u8"),
        ("organisation", "<u8"),
        ("plan", "<u8"),
        ("key_id", "<u8"),
        ("asn", "<u4"),
        ("network", "<u8"),
        ("address_kind", "u1"),
        ("sdk", "<u8"),
        ("tls", "<u8"),
        ("payment", "<u8"),
        ("session", "<u8"),
        ("model", "<u8"),
        ("endpoint", "u1"),
        ("parameters", "<u8"),
        ("turns", "<u2"),
        ("tokens_in", "<i4"),
        ("tokens_out", "<i4"),
        ("latency", "<f4"),
        ("finish", "u1"),
        ("status", "<u2"),
        ("sketch", SKETCH_DTYPE),
    ]
)
"""One event. Hashes are keyed; `network` hashes the /24 or /48; `model` and `plan` are hashes too."""

EventArray = npt.NDArray[Any]
"""Structured array of `EVENT_DTYPE`, shape (n_events,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One row of an `EventArray` as plain Python values; the published JSON Schema describes it."""

    version: int
    values: dict[str, Any]
    """Field name -> int, float or list of int, in the order of `EVENT_DTYPE`; sketch nested."""

    @classmethod
    def from_row(cls, row: Any) -> "Event":
        """Return the event that stands in `row`, one element of an `EventArray`."""
        values = {name: row[name].item() for name in EVENT_DTYPE.names or () if name != "sketch"}
        sketch = row["sketch"]
        values["sketch"] = {name: sketch[name].tolist() for name in SKETCH_DTYPE.names or ()}
        return cls(version=EVENT_VERSION, values=values)

    def to_row(self) -> EventArray:
        """Return the event as an `EventArray` of shape (1,)."""
        row = np.zeros(1, EVENT_DTYPE)
        for name, value in self.values.items():
            if name == "sketch":
                for part, content in value.items():
                    row["sketch"][part][0] = content
            else:
                row[name][0] = value
        return row


def empty_events(n: int = 0) -> EventArray:
    """Return `n` events of zeros, shape (n,)."""
    return np.zeros(n, EVENT_DTYPE)
