"""A request that the hub does not answer with what was asked: its status, and what to tell the member.

In: a status and words. Out: the error resource of TAXII. No message repeats what a member sent.
Source: TAXII Version 2.1, OASIS Standard, section 3.6.
"""

import json
from collections.abc import Mapping
from typing import Final

TITLES: Final = {
    400: "Bad request", 401: "Unauthorised", 403: "Forbidden", 404: "Not found", 405: "Method not allowed",
    406: "Not acceptable", 413: "Too large", 415: "Unsupported media type", 422: "Not processable",
    429: "Too many requests", 500: "Server error", 503: "Busy",
}  # fmt: skip


class Refusal(Exception):
    """Ends a request of a member; the hub turns it into an error resource."""

    def __init__(self, status: int, about: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(about)
        self.status, self.about, self.headers = status, about, dict(headers or {})

    def body(self) -> bytes:
        """Return the error resource as JSON."""
        return json.dumps(
            {"title": TITLES.get(self.status, "Error"), "description": self.about, "http_status": str(self.status)}
        ).encode()
