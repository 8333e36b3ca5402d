"""Ask a notary over HTTP, whatever it does: answers late, answers for ever, answers something else.

In: an address, an API key, bytes. Out: the bytes of the answer, no more than expected; or `StillwatchError`. One
deadline holds for connecting, headers and body together; no redirect is followed, nothing is unpacked, no proxy of
the environment is used. Cost: a connection a call. Not to be called from a running event loop.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from stillwatch.terms.errors import StillwatchError

_LONGEST_HEAD: Final = 4096
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotaryAddress:
    """Where a notary is, and what a member knows of it."""

    url: str
    """Such as `https://notary.example`; plain `http` only to this machine."""
    identity: bytes
    """Ed25519 public key, pinned, 32 bytes."""
    key: str = field(repr=False)
    """This member's API key there."""
    ca_file: str = ""
    """PEM file of the authority to trust instead of the system's."""

    def __post_init__(self) -> None:
        """Raise where the address is none, or would send the key in the clear to another machine."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StillwatchError(f"notary {self.url!r}: must be an address such as https://notary.example.")
        if parts.scheme == "http" and parts.hostname not in _LOCAL:
            raise StillwatchError(f"notary {self.url}: must be https; plain http would show the API key on the way.")
        if len(self.identity) != 32:
            raise StillwatchError(
                f"notary {self.url}: its identity has {len(self.identity)} bytes; must be 32. `stillwatch notary keys` "
                "prints it; have it told by its operator by another way than this address."
            )


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes = field(repr=False)


def ask(address: NotaryAddress, path: str, body: bytes | None, *, most: int, seconds: float) -> Answer:
    """Send one request and return the answer.

    Args:
        address: The notary.
        path: Path below its address.
        body: To be posted; None asks with GET.
        most: Bytes of an answer that are read at most; a longer one is an error.
        seconds: Deadline for all of it.

    Raises:
        StillwatchError: it cannot be reached, is too slow, or answers more than `most` bytes.
    """
    try:
        return asyncio.run(_ask(address, path, body, most, seconds))
    except TimeoutError:
        raise StillwatchError(f"notary {address.url}: no answer within {seconds:g} s; nothing was used.") from None
    except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as problem:
        raise StillwatchError(
            f"notary {address.url}: cannot be asked ({type(problem).__name__}); look at its address and at the network."
        ) from None


async def _ask(address: NotaryAddress, path: str, body: bytes | None, most: int, seconds: float) -> Answer:
    headers = {"authorization": f"Bearer {address.key}", "accept-encoding": "identity"} if address.key else {}
    async with (
        asyncio.timeout(seconds),
        aiohttp.ClientSession(
            auto_decompress=False, max_line_size=_LONGEST_HEAD, max_field_size=_LONGEST_HEAD,
            timeout=aiohttp.ClientTimeout(total=seconds), trust_env=False, cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(ssl=_trust(address), force_close=True),
        ) as session,
        session.request(
            "GET" if body is None else "POST", address.url.rstrip("/") + path, data=body, headers=headers,
            allow_redirects=False,
        ) as response,
    ):  # fmt: skip
        found = bytearray()
        async for part in response.content.iter_chunked(16_384):
            found += part
            if len(found) > most:
                raise StillwatchError(f"notary {address.url}: answers more than {most} bytes; nothing was used.")
        return Answer(response.status, bytes(found))


def _trust(address: NotaryAddress) -> ssl.SSLContext | bool:
    if not address.ca_file:
        return True
    if not Path(address.ca_file).is_file():
        raise StillwatchError(f"notary {address.url}: its ca_file {address.ca_file} is not there.")
    return ssl.create_default_context(cafile=address.ca_file)
