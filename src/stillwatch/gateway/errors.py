"""What the gateway says when it does not pass an answer on, as the official clients of both protocols expect it.

In: a `Fault`, or a `Refusal` of the desk. Out: status, headers and body; for a stream that broke, a typed event.
Official clients retry 408, 409, 429 and 5xx by themselves unless `x-should-retry: false` is said, and read
`code` and `type` out of `error`. A stream's error comes after status 200, so that its type is all it can say.
Left to `answer`: sending it.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from stillwatch.gateway.ports import Refusal
from stillwatch.gateway.routes import ANTHROPIC

Headers = list[tuple[bytes, bytes]]

_OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


_GRANT_CODES = frozenset(("invalid_dpop_proof", "invalid_token", "insufficient_scope"))
"""Of RFC 9449 and RFC 6750; said in `www-authenticate` as well, where clients of grants look for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One error in terms that both protocols can say."""

    status: int
    code: str
    message: str
    param: str | None = None
    """Field of the request that it is about."""
    retry_after: float | None = None
    """Seconds; None says that trying again does not help."""
    appeal: str = ""
    close: bool = False
    """The connection cannot be used again."""
    allow: str = ""
    """Methods that the path does take; for 405."""


class TurnedAway(Exception):
    """The request ends here; its caller is told `fault`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def fault_of(refusal: Refusal) -> Fault:
    """Return a desk's refusal as a fault."""
    return Fault(
        status=refusal.status,
        code=refusal.code,
        message=refusal.message,
        retry_after=refusal.retry_after,
        appeal=refusal.appeal,
    )


def _error(fault: Fault, wire: str) -> dict[str, Any]:
    types = _ANTHROPIC_TYPES if wire == ANTHROPIC else _OPENAI_TYPES
    default = "api_error" if wire == ANTHROPIC else "server_error"
    error: dict[str, Any] = {
        "message": fault.message,
        "type": types.get(fault.status, default if fault.status >= 500 else "invalid_request_error"),
    }
    if wire != ANTHROPIC:
        error["param"] = fault.param
    error["code"] = fault.code
    if fault.appeal:
        error["appeal"] = fault.appeal
    return error


def error_body(fault: Fault, wire: str, request_id: str) -> bytes:
    """Return the JSON body that says `fault` in the words of `wire`."""
    error = _error(fault, wire)
    if wire == ANTHROPIC:
        return orjson.dumps({"type": "error", "error": error, "request_id": request_id})
    return orjson.dumps({"error": error})


def error_headers(fault: Fault, wire: str, request_id: str, now: float) -> Headers:
    """Return the headers that go with `fault`: ids, and whether and when trying again helps.

    Args:
        fault: What is said.
        wire: Protocol of the caller.
        request_id: Id that the caller can name.
        now: Seconds since 1970; only for limits, which Anthropic dates.
    """
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"request-id" if wire == ANTHROPIC else b"x-request-id", request_id.encode()),
        (b"x-should-retry", b"false" if fault.retry_after is None else b"true"),
    ]
    if fault.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(fault.retry_after))))
    if fault.status == 429 and fault.retry_after is not None:
        headers += _limits(fault, wire, now)
    if fault.code in _GRANT_CODES:
        headers.append((b"www-authenticate", b'DPoP error="%s", algs="ES256 EdDSA"' % fault.code.encode()))
    if fault.allow:
        headers.append((b"allow", fault.allow.encode()))
    if fault.close:
        headers.append((b"connection", b"close"))
    return headers


def _limits(fault: Fault, wire: str, now: float) -> Headers:
    """An empty bucket, said in each protocol's own headers and to the same second as `retry-after`."""
    seconds = max(1, math.ceil(fault.retry_after or 0.0))
    what = "tokens" if "token" in fault.code else "requests"
    if wire == ANTHROPIC:
        reset = datetime.fromtimestamp(math.ceil(now) + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        pairs = ((f"anthropic-ratelimit-{what}-remaining", "0"), (f"anthropic-ratelimit-{what}-reset", reset))
    else:
        pairs = ((f"x-ratelimit-remaining-{what}", "0"), (f"x-ratelimit-reset-{what}", f"{seconds}s"))
    return [(name.encode(), value.encode()) for name, value in pairs]


def error_event(fault: Fault, wire: str, endpoint: str, request_id: str) -> bytes:
    """Return the event that ends a broken stream, as the clients of `wire` raise it as a typed error."""
    error = _error(fault, wire)
    if wire == ANTHROPIC:
        body = orjson.dumps({"type": "error", "error": error, "request_id": request_id})
        return b"event: error\ndata: " + body + b"\n\n"
    if endpoint == "responses":
        flat = {"type": "error", "code": fault.code, "message": fault.message, "param": None}
        return b"event: error\ndata: " + orjson.dumps({**flat, "error": error}) + b"\n\n"
    return b"data: " + orjson.dumps({"error": error}) + b"\n\n"


def upstream_fault(*, late: bool, midway: bool = False, reached: bool = True) -> Fault:
    """Return how an upstream that failed is said: 504 when it was silent for too long, else 502."""
    if late:
        return Fault(
            status=504,
            code="upstream_timeout",
            message="The model server did not answer in time. Try again.",
            retry_after=None if midway else 1.0,
        )
    if not reached:
        message = "The model server cannot be reached. Try again shortly."
        return Fault(status=502, code="upstream_unreachable", message=message, retry_after=2.0)
    return Fault(
        status=502,
        code="upstream_disconnected",
        message="The model server broke off its answer. Try again.",
        retry_after=None if midway else 1.0,
    )
