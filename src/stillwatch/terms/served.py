"""One exchange as the gateway served it: what travels, sealed, from a worker to the watcher.

The bytes are those of the wire. Nothing but `gateway.spool` writes it to disk, and it does so only
sealed under a key in memory; the watcher reduces it to an `Event` and it is gone.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One exchange with its wire bytes; times in seconds since 1970 of the event clock."""

    time: float
    request_id: str
    endpoint: str
    """One of `terms.event.ENDPOINTS`."""
    account: str
    organisation: str = ""
    plan: str = ""
    key_id: str = ""
    payment: str = ""
    address: str = field(default="", repr=False)
    agent: str = field(default="", repr=False)
    tls: str = ""
    status: int
    """Status the caller got; 499 when it left first."""
    latency: float = -1.0
    """Seconds from the request's arrival to its last byte."""
    streamed: bool = False
    """The answer is an event stream."""
    disconnected: bool = False
    attempt: int = 0
    """`x-stainless-retry-count` as the caller sent it."""
    action: str = ""
    """Kind of the action in force; with `shadow:` in front when only recorded."""
    kind: str = "wire"
    """`wire`: `request` and `answer` are bodies of a model API. `litellm`: `request` is one payload that LiteLLM
    logged, which says all the rest; `account`, `endpoint` and `status` here say nothing. `twin`: no exchange but the
    pair of answers to one, `answer` as served and `twin` as withheld; no event comes of it."""
    request: bytes = field(default=b"", repr=False)
    """JSON body as the caller sent it, unzipped."""
    answer: bytes = field(default=b"", repr=False)
    """Body as the upstream sent it, unzipped; the start of it when it was too large."""
    treatments: str = ""
    """Names of the treatments that the action ordered, joined by `+`; empty when it was only recorded."""
    twin: bytes = field(default=b"", repr=False)
    """Body of a second answer to the same request, as the upstream sent it, that nobody got; for kind `twin` alone,
    whose `answer` is empty where the served one did not come whole."""
