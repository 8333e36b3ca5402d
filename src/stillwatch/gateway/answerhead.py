"""Status line and headers of an answer, without those of one hop.

In: a response of the upstream. Out: what is passed on, and the three headers that say how to read the body.
Cost: one pass over the headers.
"""

from typing import Final

import aiohttp

from stillwatch.gateway.errors import Headers

_ONE_HOP: Final = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate te trailer trailers transfer-encoding upgrade".split()
)
_BOUND_TO_BYTES: Final = frozenset((b"content-length", b"content-encoding", b"content-md5", b"etag", b"digest"))


class AnswerHead:
    """Status line and headers of a response, as they are passed on."""

    __slots__ = ("coding", "headers", "json", "length", "sse", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers: Headers = []
        self.sse = self.json = self.length = False
        self.coding = ""
        named: frozenset[bytes] = frozenset()
        for name, value in response.raw_headers:
            low = name.lower()
            if low in _ONE_HOP:
                if low == b"connection":
                    named = frozenset(part.strip() for part in value.lower().split(b","))
                continue
            if low == b"content-type":
                kind = value.lstrip().lower()
                self.sse = kind.startswith(b"text/event-stream")
                self.json = kind.startswith(b"application/json")
            elif low == b"content-encoding":
                self.coding = value.decode("latin-1").strip().lower().replace("identity", "")
            elif low == b"content-length":
                self.length = True
            self.headers.append((name, value))
        if named - {b"close", b"keep-alive"}:
            self.headers = [pair for pair in self.headers if pair[0].lower() not in named]

    def unbind(self) -> None:
        """Leave out what holds only for the bytes as the upstream sent them."""
        self.headers = [pair for pair in self.headers if pair[0].lower() not in _BOUND_TO_BYTES]
