"""TAXII 2.1 over HTTP: who is there, what they accept and send, and one answer for everything that goes wrong.

In: requests. Out: answers of `hub` and `intake`; an error resource for every refusal. Work on the file runs in
threads, so that a slow write keeps nobody waiting who reads. A path may end in a slash or not. No answer may be
cached.
Left to `identify`: keys and certificates. Left to `app.coalitionhub`: addresses and TLS.
Source: TAXII Version 2.1, OASIS Standard, 2021-06-10, sections 3 to 5.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from stillwatch.exchange.taxii import media
from stillwatch.exchange.taxii.hub import Hub, Reply
from stillwatch.exchange.taxii.identify import Doorkeeper
from stillwatch.exchange.taxii.intake import Intake
from stillwatch.exchange.taxii.members import Collection, Member, Rights
from stillwatch.exchange.taxii.refusal import Refusal
from stillwatch.terms.errors import StillwatchError

_ALWAYS: Final = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_BUSY: Final = {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request of one member."""

    member: Member
    now: float
    base: str
    """The hub's own address, without a slash at the end."""
    params: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    content: str
    """Header Content-Type."""
    body: bytes = field(default=b"", repr=False)


Work = Callable[[Call], Reply]


class Server:
    """One hub as a web application."""

    def __init__(
        self,
        hub: Hub,
        door: Doorkeeper,
        *,
        base: str = "",
        clock: Callable[[], float] = time.time,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            hub: What answers.
            door: What lets members in.
            base: The hub's own address; empty for what each request names.
            clock: Seconds since 1970.
            tell: Is told what went wrong at the hub itself, for its operator.
        """
        self._hub, self._intake, self._door, self._tell = hub, Intake(hub), door, tell
        self._base, self._clock = base.rstrip("/"), clock

    def application(self) -> Starlette:
        """Return the ASGI application."""
        hub, one = self._hub, "/{root}/collections/{collection}"
        ways: dict[str, dict[str, Work]] = {
            "/taxii2": {"GET": lambda c: hub.discovery(c.base)},
            "/{root}": {"GET": lambda c: hub.root(c.params["root"])},
            "/{root}/status/{id}": {"GET": lambda c: hub.status(c.member, c.params["root"], c.params["id"])},
            "/{root}/collections": {"GET": lambda c: hub.collections(c.member, c.params["root"])},
            one: {"GET": lambda c: hub.collection(c.member, c.params["root"], c.params["collection"])},
            f"{one}/manifest": {"GET": lambda c: hub.manifest(self._open(c), c.query)},
            f"{one}/objects": {"GET": lambda c: hub.objects(self._open(c), c.query), "POST": self._add},
            f"{one}/objects/{{id}}": {
                "GET": lambda c: hub.objects(self._open(c), c.query, c.params["id"]), "DELETE": self._delete,
            },
            f"{one}/objects/{{id}}/versions": {"GET": lambda c: hub.versions(self._open(c), c.query, c.params["id"])},
            "/{root}/blobs/{digest}": {"GET": self._blob, "PUT": self._put_blob},
        }  # fmt: skip
        routes = [
            Route(path + end, self._endpoint(works), methods=list(works))
            for path, works in ways.items()
            for end in ("", "/")
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _http, Exception: _fault})
        app.router.redirect_slashes = False
        return app

    def _endpoint(self, works: Mapping[str, Work]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            work = works["GET" if request.method == "HEAD" else request.method]
            try:
                call = await run_in_threadpool(self._admitted, request)
                if request.method in ("POST", "PUT"):
                    await run_in_threadpool(self._may_send, call, request.method)
                    call = replace(call, body=await self._body(request))
                reply = await run_in_threadpool(work, call)
            except Refusal as refusal:
                return _told(refusal)
            except StillwatchError as problem:
                self._tell(str(problem))
                return _told(Refusal(503, "The hub's file is busy or cannot be written; try again.", _BUSY))
            except ClientDisconnect:
                return Response(status_code=400)
            return _response(Reply(reply.body, reply.status, {**_ALWAYS, **reply.headers}))

        return answer

    def _admitted(self, request: Request) -> Call:
        now = self._clock()
        member = self._door.admit(request.headers, request.scope, now)
        if "digest" not in request.path_params:
            media.check_accept(",".join(request.headers.getlist("accept")))
        base = self._base or f"{request.url.scheme}://{request.url.netloc}"
        return Call(member, now, base, request.path_params, tuple(request.query_params.multi_items()),
                    request.headers.get("content-type", ""))  # fmt: skip

    def _may_send(self, call: Call, method: str) -> None:
        """Raise what would be refused anyhow, before the body is read."""
        if method == "PUT":
            self._hub.open_root(call.member, call.params["root"], write=True)
            if call.content.strip().lower() != media.BLOB:
                raise Refusal(415, f"The header Content-Type must be {media.BLOB}.")
        else:
            _, rights = self._found(call)
            media.check_content(call.content)
            if not rights.write:
                raise Refusal(403, "This member may not write to this collection.")

    async def _body(self, request: Request) -> bytes:
        most = self._hub.limits.max_content_length
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "A body must not be compressed.")
        stated = request.headers.get("content-length", "0")
        if stated.isascii() and stated.isdigit() and (len(stated) > 18 or int(stated) > most):
            raise Refusal(413, f"A body may have {most} bytes at most.")
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise Refusal(413, f"A body may have {most} bytes at most.")
            parts.append(part)
        return b"".join(parts)

    def _found(self, call: Call) -> tuple[Collection, Rights]:
        return self._hub.open(call.member, call.params["root"], call.params["collection"])

    def _open(self, call: Call) -> Collection:
        where, rights = self._found(call)
        if not rights.read:
            raise Refusal(403, "This member may not read this collection.")
        return where

    def _add(self, call: Call) -> Reply:
        where, _ = self._found(call)
        return self._intake.add(call.member, where, call.body, call.now)

    def _delete(self, call: Call) -> Reply:
        where, rights = self._found(call)
        if not (rights.read and rights.write):
            raise Refusal(403, "This member may not delete from this collection.")
        return self._hub.delete(where, call.query, call.params["id"])

    def _blob(self, call: Call) -> Reply:
        return self._hub.get_blob(call.member, call.params["root"], call.params["digest"], call.now)

    def _put_blob(self, call: Call) -> Reply:
        return self._intake.put_blob(call.member, call.params["root"], call.params["digest"], call.body, call.now)


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, {"Content-Type": media.TAXII, **reply.headers})


def _told(refusal: Refusal) -> Response:
    return _response(Reply(refusal.body(), refusal.status, {**_ALWAYS, **refusal.headers}))


async def _http(request: Request, problem: Exception) -> Response:
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    headers = dict(problem.headers or {}) if isinstance(problem, HTTPException) else {}
    about = {404: "There is no such resource.", 405: "This resource does not take this method."}
    return _told(Refusal(status, about.get(status, "The request cannot be answered."), headers))


async def _fault(request: Request, problem: Exception) -> Response:
    return _told(Refusal(500, "The hub failed; its operator finds why in the hub's output."))
