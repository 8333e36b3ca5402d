"""What a notary answers: its key, what a member has left today, and batches of blinded elements evaluated.

In: requests of members. Out: proofs and evaluated elements. It sees neither a value nor an output: what it is sent is
uniform whatever was blinded. It logs counts only. Bodies are bounded before they are read, batches are paid for before
they are evaluated, and evaluation runs in threads, at most as many as there are cores. Left to a proxy: TLS, unless
the server is given a certificate; nothing secret depends on it but the member's API key and its counts.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stillwatch.exchange.notary.blind import ELEMENT_BYTES, MOST_ELEMENTS
from stillwatch.exchange.notary.epochs import EpochKey, epoch_at
from stillwatch.exchange.notary.keyroom import KeyRoom
from stillwatch.exchange.notary.members import DAY, Member, MemberBook, Taken
from stillwatch.terms.errors import StillwatchError

MEDIA: Final = "application/octet-stream"
_MOST_BYTES: Final = ELEMENT_BYTES * MOST_ELEMENTS


@dataclass(slots=True)
class Notary:
    """The parts of one notary."""

    name: str
    """What it is called; told to whoever asks."""
    room: KeyRoom
    members: MemberBook
    clock: Callable[[], float] = time.time
    counts: Counter[str] = field(default_factory=Counter)
    """Requests by outcome, and elements evaluated; no member's name."""
    _turning: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _epoch: EpochKey | None = None

    def epoch(self) -> EpochKey:
        """Return the key of the epoch in force; the first call of an epoch draws it and destroys the one before.

        Raises:
            StillwatchError: the folder cannot be read or written.
        """
        number = epoch_at(self.clock())
        with self._turning:
            if self._epoch is None or self._epoch.number != number:
                self.room.turn(self.clock())
                self._epoch = self.room.epoch_key(number)
            return self._epoch

    def evaluate(self, member: Member, blinded: bytes) -> tuple[bytes, Taken]:
        """Pay for a batch and evaluate it; no bytes where the member is over its budget.

        Raises:
            StillwatchError: the batch is malformed, the folder or the members' file cannot be written.
        """
        taken = self.members.take(member, len(blinded) // ELEMENT_BYTES, self.clock())
        if not taken.granted:
            return b"", taken
        return self.room.key(self.epoch().number).evaluate(blinded), taken


def notary_app(notary: Notary) -> Starlette:
    """Return the ASGI application of a notary."""
    routes = _Routes(notary)
    return Starlette(
        routes=[
            Route("/v1/keys", routes.keys, methods=["GET"]),
            Route("/v1/budget", routes.budget, methods=["GET"]),
            Route("/v1/epochs/{number:int}/evaluate", routes.evaluate, methods=["POST"]),
            Route("/healthz", routes.health, methods=["GET"]),
        ],
        exception_handlers={Exception: _broken},
    )


async def _broken(_: Request, __: Exception) -> Response:
    return _said(500, "the notary failed; its operator sees why")


class _Routes:
    def __init__(self, notary: Notary) -> None:
        self._notary = notary

    async def health(self, _: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def keys(self, _: Request) -> Response:
        """Tell the identity and the key of the epoch in force; needs no API key."""
        try:
            key = await run_in_threadpool(self._notary.epoch)
        except StillwatchError:
            return _said(503, "the notary cannot read its keys")
        return JSONResponse({
            "notary": self._notary.name, "identity": self._notary.room.identity.hex(), "epoch": key.number,
            "public_key": key.public.hex(), "signature": key.signature.hex(),
            "begins": key.begins, "ends": key.ends,
        })  # fmt: skip

    async def budget(self, request: Request) -> Response:
        """Tell a member what it has left today."""
        member = await self._member(request)
        if member is None:
            return _unknown()
        left = await run_in_threadpool(self._notary.members.left, member, self._notary.clock())
        return JSONResponse({"budget": member.budget, "left": left})

    async def evaluate(self, request: Request) -> Response:
        """Evaluate a batch."""
        notary, counts = self._notary, self._notary.counts
        member = await self._member(request)
        if member is None:
            counts["unknown"] += 1
            return _unknown()
        if request.path_params["number"] != epoch_at(notary.clock()):
            counts["other epoch"] += 1
            return _said(410, "this epoch is not in force; ask /v1/keys, and begin anew")
        body = await _bounded(request)
        if body is None or not body or len(body) % ELEMENT_BYTES:
            counts["malformed"] += 1
            return _said(400 if body is not None else 413, f"1 to {MOST_ELEMENTS} elements of {ELEMENT_BYTES} bytes")
        try:
            reply, taken = await run_in_threadpool(notary.evaluate, member, body)
        except StillwatchError as problem:
            counts["malformed"] += 1
            return _said(400, str(problem))
        if not taken.granted:
            counts["over budget"] += 1
            return _over(member, taken, notary.clock())
        counts["evaluated"] += 1
        counts["elements"] += len(body) // ELEMENT_BYTES
        return Response(reply, media_type=MEDIA, headers={"x-budget-left": str(taken.left)})

    async def _member(self, request: Request) -> Member | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return None
        return await run_in_threadpool(self._notary.members.find, key.strip())


async def _bounded(request: Request) -> bytes | None:
    """Return the body; None where it is longer than a batch can be."""
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said) > _MOST_BYTES:
        return None
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return None
    except ClientDisconnect:
        return b""
    return bytes(body)


def _said(status: int, why: str, **headers: str) -> Response:
    return JSONResponse({"error": why}, status_code=status, headers=headers or None)


def _unknown() -> Response:
    return _said(401, "no member's key; give `Authorization: Bearer nk_...`", **{"www-authenticate": "Bearer"})


def _over(member: Member, taken: Taken, now: float) -> Response:
    wait: Any = int(DAY - now % DAY) + 1
    why = f"over the budget of {member.budget} elements a day: {taken.left} left, until midnight UTC"
    return _said(429, why, **{"retry-after": str(wait), "x-budget-left": str(taken.left)})
