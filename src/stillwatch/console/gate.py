"""The gate of the console: who is asking, whether a form is really theirs, and what every answer bears.

In: a request. Out: `Asker`, or an answer that turns it away. Pages go by a session cookie (HttpOnly, SameSite=Strict),
the JSON API by a bearer token and never by a cookie, so that no other site can make a browser use it. A change needs
the session's own token in the form, and an origin that is this one. Every answer forbids scripts, styles, frames and
requests of others. Left to `app`: sessions, passwords, rights.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stillwatch.console.office import Door, Me

COOKIE: Final = "stillwatch_console"
SAID: Final = "stillwatch_said"
LARGEST_FORM: Final = 100_000
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer browsers hide the origin of our own forms too
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, with what a form of theirs must bear."""

    me: Me
    csrf: str
    secret: str
    renewed: str
    """A new secret for the cookie; empty where the old one stays."""


class Bearing:
    """Middleware that gives every answer its headers; over TLS the browser is told to stay there."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app, self.secure = app, secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def bearing(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self.secure:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        await self._app(scope, receive, bearing if scope["type"] == "http" else send)


class Gate:
    """Tells who asks."""

    def __init__(self, door: Door, *, secure: bool, hours: float) -> None:
        self.door, self.secure, self._seconds = door, secure, int(hours * 3_600)

    async def asker(self, request: Request) -> Asker | None:
        """Return who asks by a session; None where nobody is signed in."""
        secret = request.cookies.get(COOKIE, "")
        if not 20 <= len(secret) <= 200:
            return None
        quiet = request.headers.get("hx-trigger") == "content" or request.url.path == "/live"
        found = await run_in_threadpool(self.door.session, secret, quiet=quiet)
        if found is None:
            return None
        session, renewed = found
        return Asker(Me(session.person, session.role, "console"), session.csrf, secret, renewed)

    async def bearer(self, request: Request) -> Me | None:
        """Return who asks by a token."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret:
            return None
        return await run_in_threadpool(self.door.bearer, secret.strip())

    def turned_away(self, request: Request) -> Response:
        """Send who is not signed in to the page where that is done."""
        if request.headers.get("hx-request"):
            return Response(status_code=401, headers={"hx-redirect": "/login"})
        if request.method != "GET":
            return PlainTextResponse("Signed out. Sign in, then try again.\n", 401)
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(path, safe='')}", 303)

    def put_cookie(self, response: Response, secret: str) -> None:
        """Give the browser its session."""
        response.set_cookie(COOKIE, secret, max_age=self._seconds, httponly=True, samesite="strict", path="/",
                            secure=self.secure)  # fmt: skip

    def drop_cookie(self, response: Response) -> None:
        """Take it back."""
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=self.secure)

    def say(self, response: Response, message: str) -> Response:
        """Let the next page say something once."""
        response.set_cookie(SAID, quote(message[:600]), max_age=60, httponly=True, samesite="strict", path="/",
                            secure=self.secure)  # fmt: skip
        return response


def own_origin(request: Request) -> bool:
    """Return whether a change comes from a page of this address, as far as the browser says."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def own_form(asker: Asker, form: FormData, request: Request) -> bool:
    """Return whether a form bears its session's token."""
    given = form.get("csrf") or request.headers.get("x-csrf-token") or ""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), asker.csrf.encode())


def too_large(request: Request) -> bool:
    """Return whether a form is larger than any of ours, or does not say how large it is."""
    length = request.headers.get("content-length", "")
    return not (length.isascii() and length.isdigit() and len(length) < 16) or int(length) > LARGEST_FORM


def safe_next(path: str) -> str:
    """Return where to go after signing in: a path of this address, never another's.

    >>> safe_next("/queue?x=1"), safe_next("//evil.example"), safe_next("https://evil.example"), safe_next("")
    ('/queue?x=1', '/', '/', '/')
    """
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path and path.isprintable()
    return path if fine and not path.startswith("/login") else "/"


def problem(status: int, code: str, message: str, **headers: str) -> Response:
    """Return an error of the JSON API."""
    return JSONResponse(
        {"code": code, "message": message}, status, {k.replace("_", "-"): v for k, v in headers.items()}
    )
