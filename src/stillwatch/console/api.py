"""The JSON API below `/api/v1`: the same as the pages, for programs, by bearer token.

In: a request. Out: a record as JSON, or a `Problem`: 401 without a good token, 403 where the role is not enough, 404
for what is not there, 409 for what cannot be done, 413, 415 and 422 for a body or parameter that cannot be read.
Left to `apitable`: what there is. Left to `openapi`: the document.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stillwatch.console.apitable import OPERATIONS, Asked, Operation, Parameter
from stillwatch.console.gate import Gate, problem
from stillwatch.console.office import Changes, Forbidden, Views
from stillwatch.console.openapi import document
from stillwatch.console.rights import MEANING, may
from stillwatch.terms.errors import StillwatchError

PREFIX: Final = "/api/v1"
LARGEST_BODY: Final = 500_000
"""Bytes; text of rules may be escaped six times over."""


class Api:
    """Answers the operations of the table."""

    def __init__(self, views: Views, changes: Changes, gate: Gate) -> None:
        self._views, self._changes, self._gate = views, changes, gate

    def endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of one operation."""

        async def serve(request: Request) -> Response:
            me = await self._gate.bearer(request)
            if me is None:
                return problem(
                    401, "no_token", "Give a good token: Authorization: Bearer TOKEN.", www_authenticate="Bearer"
                )
            if not may(me.role, operation.right):
                return problem(403, "not_allowed", f"The role {me.role} may not {MEANING[operation.right]}.")
            try:
                _check_names(operation, request)
                given = {one.name: _value(one, request) for one in operation.takes}
                body = await _body(operation, request) if operation.body is not None else None
            except Unreadable as wrong:
                return problem(wrong.status, wrong.code, str(wrong))
            asked = Asked(me, self._views, self._changes, given, body)
            try:
                found = await run_in_threadpool(operation.answer, asked)
            except Forbidden as wrong:
                return problem(403, "not_allowed", str(wrong))
            except StillwatchError as wrong:
                return problem(409, "not_done", str(wrong))
            if found is None:
                return problem(404, "not_found", "There is nothing of this name.")
            return Response(_encoded(found), media_type="application/json")

        return serve

    async def openapi(self, request: Request) -> Response:
        """Return the document that describes all of this."""
        return Response(document(), media_type="application/json")


class Unreadable(Exception):
    """A parameter or body that cannot be read."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def routes(api: Api) -> list[Route]:
    """Return the addresses of the API."""
    paths: dict[str, dict[str, Callable[[Request], Awaitable[Response]]]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = api.endpoint(operation)
    found = [Route(f"{PREFIX}/openapi.json", api.openapi, methods=["GET"])]
    for path, methods in sorted(paths.items(), key=lambda pair: -len(pair[0])):
        found.append(Route(PREFIX + path, _by_method(methods), methods=list(methods)))
    return found


def _by_method(methods: dict[str, Callable[[Request], Awaitable[Response]]]) -> Callable[..., Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return await methods["GET" if request.method == "HEAD" else request.method](request)

    return serve


def _check_names(operation: Operation, request: Request) -> None:
    """Refuse a parameter that there is not, so that a typing mistake never passes as a default."""
    known = {one.name for one in operation.takes if one.where == "query"}
    for name in request.query_params:
        if name not in known:
            told = f"must be one of {', '.join(sorted(known))}" if known else "this address takes none"
            raise Unreadable(422, "bad_parameter", f"parameter {name[:40]!r}: unknown; {told}.")


def _value(one: Parameter, request: Request) -> Any:
    if one.where == "path":
        text = str(request.path_params[one.name])
    elif one.name in request.query_params:
        text = request.query_params[one.name]
    else:
        return one.default
    if one.kind == "integer":
        if not (text.isascii() and text.isdecimal() and len(text) < 12 and one.low <= int(text) <= one.high):
            raise Unreadable(422, "bad_parameter", f"{one.name}: must be a whole number from {one.low} to {one.high}.")
        return int(text)
    if one.kind == "boolean":
        if text not in ("true", "false"):
            raise Unreadable(422, "bad_parameter", f"{one.name}: must be true or false.")
        return text == "true"
    if len(text) > min(one.high, 400):
        raise Unreadable(422, "bad_parameter", f"{one.name}: must have at most {min(one.high, 400)} characters.")
    return text


async def _body(operation: Operation, request: Request) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Unreadable(415, "not_json", "The body must be application/json.")
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY:
            raise Unreadable(413, "too_large", f"The body must have at most {LARGEST_BODY} bytes.")
    try:
        return msgspec.json.decode(content, type=operation.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
        # The decoder names fields and kinds, and never repeats a value.
        raise Unreadable(422, "bad_body", str(wrong)) from None


def _encoded(found: Any) -> bytes:
    """Return a record as JSON, infinite figures as null."""
    return msgspec.json.encode(_finite(msgspec.to_builtins(found)))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
