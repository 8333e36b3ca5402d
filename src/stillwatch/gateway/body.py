"""Request bodies: taken in whole under a bound, and unzipped for our own reading under the same bound.

In: ASGI messages. Out: the bytes as sent, and the bytes as meant. Nothing is read before the caller is known, so
that `Expect: 100-continue` saves a refused upload. Cost: one copy; unzipping a large body happens off the loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from stillwatch.gateway.begun import Begun
from stillwatch.gateway.codings import CODINGS, unzip
from stillwatch.gateway.errors import Fault, TurnedAway

Receive = Callable[[], Awaitable[Any]]

_LARGE: Final = 131_072
_DISCARDED_FOR_FREE: Final = 4
"""A body up to so many times the bound is let run out, so that its sender reads the refusal."""


def too_large(limit: int, *, close: bool) -> TurnedAway:
    """Return the refusal of a body above `limit` bytes."""
    return TurnedAway(
        Fault(
            status=413,
            code="request_too_large",
            message=f"The request body is larger than {limit} bytes. Send a smaller one.",
            close=close,
        )
    )


async def read_body(receive: Receive, length: int, limit: int, patience: float) -> bytes:
    """Return the whole body of a request.

    Args:
        receive: ASGI's receive.
        length: What `content-length` says; -1 when it is missing.
        limit: Most bytes taken.
        patience: Longest silence of the sender, seconds.

    Raises:
        TurnedAway: it is too large (413) or too slow (408).
        ConnectionResetError: the caller went away.
    """
    if length > limit:
        raise too_large(limit, close=length > limit * _DISCARDED_FOR_FREE)
    message = await receive() if length == 0 else await _patient(receive, patience)
    if message["type"] != "http.request":
        raise ConnectionResetError
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise too_large(limit, close=True)
        return body
    return await _rest(receive, body, limit, patience)


async def _rest(receive: Receive, first: bytes, limit: int, patience: float) -> bytes:
    parts = [first]
    size = len(first)
    while True:
        message = await _patient(receive, patience)
        if message["type"] != "http.request":
            raise ConnectionResetError
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit, close=True)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _patient(receive: Receive, patience: float) -> Any:
    begun = Begun(receive())
    if begun.done:  # most bodies come with their headers
        return begun.value
    try:
        async with asyncio.timeout(patience):
            return await begun
    except TimeoutError:
        raise TurnedAway(
            Fault(status=408, code="request_timeout", message="The request body did not arrive.", close=True)
        ) from None


async def unzipped(body: bytes, coding: str, limit: int) -> bytes:
    """Return `body` without its content coding.

    Raises:
        TurnedAway: the coding is unknown (415), the body is damaged (400), or it unzips to too much (413).
    """
    if coding in ("", "identity") or not body:
        return body
    if coding not in CODINGS:
        raise TurnedAway(
            Fault(
                status=415,
                code="unsupported_content_encoding",
                message="The request body's content-encoding must be gzip, deflate, zstd or none.",
            )
        )
    try:
        if len(body) < _LARGE:
            plain = unzip(body, coding, limit + 1)
        else:
            plain = await asyncio.to_thread(unzip, body, coding, limit + 1)
    except ValueError:
        raise TurnedAway(
            Fault(
                status=400,
                code="invalid_content_encoding",
                message=f"The request body could not be read as {coding}, which its content-encoding says it is.",
            )
        ) from None
    if len(plain) > limit:
        raise too_large(limit, close=False)
    return plain
