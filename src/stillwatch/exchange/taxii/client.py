"""A member's side of TAXII 2.1: discover, read by page, add, and fetch token sets.

In: an address, a key, the clock's patience. Out: plain objects. A request that failed on the way, or that the server
was too busy for, is tried again, later each time and as the server asks; an addition may be tried again because the
same version twice is once. Credentials go to the address they were given for alone: no redirect is followed, no
other host asked.
Left to `received`: keeping what was read. Left to `ssl`: certificates. Source: TAXII Version 2.1, OASIS Standard.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from stillwatch.exchange.taxii.media import BLOB, TAXII
from stillwatch.terms.errors import StillwatchError

_AGAIN: Final = frozenset([429, 502, 503, 504])
_LONGEST_WAIT: Final = 60.0
_MOST_BYTES: Final = 256 << 20
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How a hub is reached."""

    url: str
    """Address of its discovery, such as https://hub.example/taxii2/."""
    key: str = field(repr=False, default="")
    user: str = ""
    """Name for HTTP Basic; empty sends the key as a bearer token."""
    tls: ssl.SSLContext | None = field(repr=False, default=None)
    seconds: float = 30.0
    attempts: int = 4


@dataclass(frozen=True, slots=True)
class ReadPage:
    """One page of a collection."""

    objects: tuple[dict[str, Any], ...]
    last: str
    """`date_added` of its last object, empty where the server did not say."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class TaxiiClient:
    """One member at one hub; use with `async with`."""

    def __init__(self, reach: Reach, *, sleep: Sleep = asyncio.sleep) -> None:
        self._reach, self._sleep = reach, sleep
        self._origin = URL(reach.url).origin()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Accept": TAXII}
        if self._reach.user:
            pair = f"{self._reach.user}:{self._reach.key}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        elif self._reach.key:
            headers["Authorization"] = f"Bearer {self._reach.key}"
        connector = aiohttp.TCPConnector(ssl=self._reach.tls if self._reach.tls is not None else True)
        timeout = aiohttp.ClientTimeout(total=self._reach.seconds)
        self._session = aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def discovery(self) -> dict[str, Any]:
        """Return the server's resource."""
        return await self._json("GET", URL(self._reach.url))

    async def root_url(self) -> URL:
        """Return the address of the default API root, or of the first, with a slash at its end.

        Raises:
            StillwatchError: the server names none, or one at another address.
        """
        found = await self.discovery()
        roots = found.get("api_roots")
        first = found.get("default") or (roots[0] if isinstance(roots, list) and roots else None)
        if not isinstance(first, str):
            raise StillwatchError(f"hub {self._reach.url}: names no API root; ask its operator.")
        url = URL(self._reach.url).join(URL(first))
        return URL(str(url).rstrip("/") + "/")

    async def collections(self, root: URL) -> list[dict[str, Any]]:
        """Return the collections that are open to this member."""
        found = (await self._json("GET", root / "collections/")).get("collections", [])
        return [item for item in found if isinstance(item, dict)]

    async def pages(
        self, root: URL, collection: str, *, added_after: str = "", limit: int = 500, **match: str
    ) -> AsyncIterator[ReadPage]:
        """Yield the pages of a collection, oldest first.

        Args:
            root: Address of the API root.
            collection: Id or alias.
            added_after: Where to go on: `last` of the last page that was kept.
            limit: Objects in a page, as a wish.
            match: Filters by name, such as `type="indicator"`.

        Raises:
            StillwatchError: the hub leads round and round.
        """
        url = root / "collections" / collection / "objects/"
        base = {"limit": str(limit), **{f"match[{name}]": value for name, value in match.items()}}
        query = {**base, **({"added_after": added_after} if added_after else {})}
        while True:
            answer = await self._asked("GET", url.with_query(query))
            envelope = self._parsed(answer)
            objects = tuple(item for item in envelope.get("objects", []) if isinstance(item, dict))
            last = answer.headers.get("X-TAXII-Date-Added-Last", "")
            if objects:
                yield ReadPage(objects, last)
            following = envelope.get("next")
            if not envelope.get("more") or not (following or last):
                return
            if not objects or (not following and query.get("added_after") == last):
                raise StillwatchError(
                    f"hub {self._reach.url}: says that there is more and gives nothing new; tell its operator."
                )
            # A server that gives no `next` is read on by time, as the specification allows.
            query = {**base, "next": str(following)} if following else {**base, "added_after": last}

    async def add(self, root: URL, collection: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
        """Add objects and return the status, once it is final."""
        url = root / "collections" / collection / "objects/"
        body = json.dumps({"objects": objects}).encode()
        status = await self._json("POST", url, body=body, kind=TAXII, good=(202,))
        for turn in range(self._reach.attempts * 5):
            if status.get("status") == "complete":
                return status
            await self._sleep(min(0.5 * 2.0**turn, _LONGEST_WAIT))
            status = await self._json("GET", root / "status" / f"{status.get('id')}/")
        raise StillwatchError(f"hub {self._reach.url}: did not finish taking the objects; look again later.")

    async def delete(self, root: URL, collection: str, object_id: str) -> None:
        """Delete an object's newest version."""
        await self._asked("DELETE", root / "collections" / collection / "objects" / f"{object_id}/")

    async def put_blob(self, root: URL, digest: str, body: bytes) -> None:
        """Send a token set."""
        await self._asked("PUT", root / "blobs" / f"{digest}/", body=body, kind=BLOB, good=(200, 201))

    async def get_blob(self, root: URL, digest: str) -> bytes | None:
        """Return a token set; None where the hub has it no more."""
        answer = await self._asked("GET", root / "blobs" / f"{digest}/", good=(200, 404))
        return answer.body if answer.status == 200 else None

    async def _json(
        self, method: str, url: URL, *, body: bytes | None = None, kind: str = "", good: tuple[int, ...] = (200,)
    ) -> dict[str, Any]:
        return self._parsed(await self._asked(method, url, body=body, kind=kind, good=good))

    def _parsed(self, answer: _Answer) -> dict[str, Any]:
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise StillwatchError(
                f"hub {self._reach.url}: answered with something that is no TAXII; is this its address?"
            )
        return found

    async def _asked(
        self, method: str, url: URL, *, body: bytes | None = None, kind: str = "", good: tuple[int, ...] = (200,)
    ) -> _Answer:
        if url.origin() != self._origin:
            raise StillwatchError(f"hub {self._reach.url}: points to another host; its key is not sent there.")
        why, wait = "", 0.0
        for attempt in range(self._reach.attempts):
            if attempt:
                await self._sleep(max(min(0.5 * 2.0**attempt, _LONGEST_WAIT), wait))
            try:
                answer = await self._once(method, url, body, kind)
            except (aiohttp.ClientError, TimeoutError) as problem:
                why, wait = type(problem).__name__, 0.0
                continue
            if answer.status in good:
                return answer
            if answer.status not in _AGAIN:
                raise StillwatchError(f"hub {self._reach.url}: {answer.status}: {_said(answer.body)}")
            why, wait = f"{answer.status}: {_said(answer.body)}", _wait(answer.headers)
            if wait > _LONGEST_WAIT:
                break
        raise StillwatchError(f"hub {self._reach.url}: could not be reached ({why}); try again later.")

    async def _once(self, method: str, url: URL, body: bytes | None, kind: str) -> _Answer:
        assert self._session is not None
        headers = {"Content-Type": kind} if kind else {}
        async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            parts, size = [], 0
            async for part in response.content.iter_chunked(1 << 16):
                size += len(part)
                if size > _MOST_BYTES:
                    raise StillwatchError(f"hub {self._reach.url}: its answer is larger than {_MOST_BYTES} bytes.")
                parts.append(part)
            return _Answer(response.status, response.headers, b"".join(parts))


def _wait(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def _said(body: bytes) -> str:
    """Return what a server says of a refusal, in one printable line."""
    try:
        found = json.loads(body)
        text = found.get("description") or found.get("title")
    except (ValueError, AttributeError, RecursionError):
        text = None
    return "".join(c for c in str(text or "no reason given") if c.isprintable())[:200]
