"""Which paths the gateway serves, in which protocol, and what each one is.

In: the path of a request. Out: its `Route`. Cost: one dict look-up for the paths that carry traffic.
Left to `app`: doing it.
"""

from dataclasses import dataclass, replace
from typing import Final

OPENAI: Final = "openai"
ANTHROPIC: Final = "anthropic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a path is."""

    kind: str
    """`model` goes upstream and is an exchange; `stored` reads or removes a stored answer; `plain` goes upstream
    and is none; `own` is answered here; `refused` is known and not offered; `unknown` is neither."""
    wire: str = OPENAI
    """Protocol whose errors the caller understands."""
    endpoint: str = "other"
    """One of `terms.event.ENDPOINTS`."""
    methods: frozenset[str] = frozenset({"POST"})
    name: str = ""
    """Path under which it is counted: never longer than the routes that are known."""

    def on_wire(self, wire: str) -> "Route":
        """Return this route as the clients of `wire` know it."""
        return replace(self, wire=wire)


_READ: Final = frozenset({"GET", "HEAD"})

ROUTES: Final[dict[str, Route]] = {
    "/v1/chat/completions": Route(kind="model", endpoint="chat", name="chat"),
    "/v1/completions": Route(kind="model", endpoint="completions", name="completions"),
    "/v1/responses": Route(kind="model", endpoint="responses", name="responses"),
    "/v1/embeddings": Route(kind="model", endpoint="embeddings", name="embeddings"),
    "/v1/messages": Route(kind="model", wire=ANTHROPIC, endpoint="messages", name="messages"),
    "/v1/messages/count_tokens": Route(kind="plain", wire=ANTHROPIC, name="count_tokens"),
    "/v1/models": Route(kind="plain", methods=_READ, name="models"),
    "/v1/account/standing": Route(kind="own", methods=_READ, name="standing"),
    "/healthz": Route(kind="own", methods=_READ, name="healthz"),
    "/readyz": Route(kind="own", methods=_READ, name="readyz"),
}
"""Paths that are served as they stand."""

_BELOW: Final = (
    ("/v1/models/", Route(kind="plain", methods=_READ, name="models")),
    ("/v1/responses/", Route(kind="stored", endpoint="other", methods=_READ | {"DELETE", "POST"}, name="stored")),
)
_REFUSED: Final = (
    ("/v1/files", Route(kind="refused", methods=frozenset(), name="refused")),
    ("/v1/uploads", Route(kind="refused", methods=frozenset(), name="refused")),
    ("/v1/batches", Route(kind="refused", methods=frozenset(), name="refused")),
    ("/v1/messages/batches", Route(kind="refused", wire=ANTHROPIC, methods=frozenset(), name="refused")),
)
_UNKNOWN: Final = Route(kind="unknown", methods=frozenset(), name="unknown")
_UNKNOWN_ANTHROPIC: Final = Route(kind="unknown", wire=ANTHROPIC, methods=frozenset(), name="unknown")


def find_route(path: str) -> Route:
    """Return what `path` is; a path that climbs (`..`) or has empty parts is unknown.

    >>> find_route("/v1/messages").wire, find_route("/v1/models/org/name").kind, find_route("/v1/models/../x").kind
    ('anthropic', 'plain', 'unknown')
    """
    found = ROUTES.get(path)
    return found if found is not None else _below(path)


def _below(path: str) -> Route:
    unknown = _UNKNOWN_ANTHROPIC if path.startswith("/v1/messages") else _UNKNOWN
    parts = path.split("/")[1:]
    if any(part in ("", ".", "..") for part in parts):
        return unknown
    for stem, route in _REFUSED:
        if path == stem or path.startswith(stem + "/"):
            return route
    return next((route for stem, route in _BELOW if path.startswith(stem)), unknown)
