"""The client's certificate, as far as uvicorn does not hand it on: its SHA-256 in the scope of every request.

In: a connection that was proven by TLS. Out: the fingerprint under `identify.CERTIFICATE`. It is set by this process
on the connection itself, never read from a header, so nobody can claim it. Left to `ssl`: checking the certificate's
issuer.
"""

import asyncio
import hashlib
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from stillwatch.exchange.taxii.identify import CERTIFICATE


class CertifiedProtocol(H11Protocol):
    """HTTP/1.1 with the client's certificate in the scope."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the certificate before the first request."""
        super().connection_made(transport)
        shown = transport.get_extra_info("ssl_object")
        raw = shown.getpeercert(binary_form=True) if shown is not None else None
        fingerprint = hashlib.sha256(raw).hexdigest() if raw else None
        inner = self.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope[CERTIFICATE] = fingerprint
            await inner(scope, receive, send)

        self.app = app
