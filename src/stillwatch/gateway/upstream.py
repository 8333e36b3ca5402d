"""The model server behind the gateway: one client session a worker, bytes in and bytes out.

In: method, path as it came, headers, body. Out: the response, its body not yet read, never decompressed,
never redirected, without cookies. Cost: about 0.2 ms a request.
Left to `answer`: reading it; left to `app`: saying why it failed.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from stillwatch.gateway.config import GatewayConfig
from stillwatch.gateway.identity import Heads, Pairs
from stillwatch.gateway.routes import ROUTES
from stillwatch.terms.errors import StillwatchError

_AUTOMATIC: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
_LARGE: Final = 262_144
_PIECE: Final = 65_536
_HEADER_BYTES: Final = 65_536


class Upstream:
    """Connections to one model server, on the loop that opened it."""

    def __init__(self, config: GatewayConfig, key: str) -> None:
        """Take the settings and the key that the upstream wants; empty for none."""
        if not config.upstream:
            raise StillwatchError("gateway.upstream is empty: must name the model server, as http://host:port.")
        self._base = config.upstream.rstrip("/").removesuffix("/v1")
        self._config = config
        self._key = key
        self._session: aiohttp.ClientSession | None = None
        self._urls = {path.encode(): self._parsed(path.encode()) for path in ROUTES}

    async def open(self) -> None:
        """Make the session; call on the loop that will use it."""
        config = self._config
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=config.keepalive_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_AUTOMATIC,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=config.connect_seconds, sock_read=config.read_seconds
            ),
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )

    async def close(self) -> None:
        """Close every connection; twice does no harm."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def credentials(self, heads: Heads) -> Pairs:
        """Return the headers that name this gateway, or its caller, to the upstream."""
        passed = self._config.credentials == "pass" and heads.auth != "dpop"  # a grant is between its holder and us
        secret = heads.secret if passed else self._key
        if not secret:
            return []
        how = self._config.upstream_key_header
        if (heads.auth if how == "auto" else how) == "x-api-key":
            return [("x-api-key", secret)]
        return [("authorization", f"Bearer {secret}")]

    async def request(self, method: str, target: bytes, pairs: Pairs, body: bytes) -> aiohttp.ClientResponse:
        """Send one request and return its response once the headers are there.

        Args:
            method: HTTP method.
            target: Path and query as they came, still quoted.
            pairs: Headers, credentials included.
            body: Bytes to send; empty for none.

        Raises:
            aiohttp.ClientError: the upstream was not reached, or left.
            TimeoutError: it stayed silent for too long.
        """
        session = self._session
        if session is None:
            raise aiohttp.ClientConnectionError("the upstream is closed")
        data: bytes | AsyncIterator[bytes] | None = body or None
        if len(body) > _LARGE:
            pairs = [*pairs, ("content-length", str(len(body)))]
            data = _pieces(body)
        elif not body and method == "POST":
            pairs = [*pairs, ("content-length", "0")]
        url = self._urls.get(target) or self._parsed(target)
        return await session.request(method, url, headers=pairs, data=data, allow_redirects=False)

    def _parsed(self, target: bytes) -> URL:
        return URL(self._base + target.decode("latin-1"), encoded=True)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """A large body goes out piece by piece, so that a slow upstream is waited for and other callers are served."""
    view = memoryview(body)
    for start in range(0, len(body), _PIECE):
        yield bytes(view[start : start + _PIECE])


def upstream_key(config: GatewayConfig) -> str:
    """Return the upstream's key from where the settings say; empty when they name nothing.

    Raises:
        StillwatchError: what they name is not there or holds nothing.
    """
    if config.upstream_key_env:
        key = os.environ.get(config.upstream_key_env, "").strip()
        if not key:
            raise StillwatchError(f"gateway.upstream_key_env = {config.upstream_key_env!r}: the variable must be set.")
        return key
    if config.upstream_key_file:
        try:
            key = Path(config.upstream_key_file).read_text().partition("\n")[0].strip()
        except OSError as error:
            raise StillwatchError(
                f"gateway.upstream_key_file = {config.upstream_key_file!r}: must be readable; {error.strerror}."
            ) from None
        if not key:
            raise StillwatchError(f"gateway.upstream_key_file = {config.upstream_key_file!r}: first line is empty.")
        return key
    return ""
