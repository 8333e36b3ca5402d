"""Signing in: name and password, or an identity provider; and the little that works without either.

In: a form, or the way back from the provider. Out: a session in a cookie, or the page again, which never says which of
name and password was wrong. Left to `Door`: both of them, and how often one may try.
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from stillwatch.console.gate import Gate, own_origin, safe_next, too_large
from stillwatch.console.office import TooSoon
from stillwatch.console.oidc import Provider, Trip
from stillwatch.console.paper import Paper
from stillwatch.terms.errors import StillwatchError

LOGIN: Final = "stillwatch_login"
TRIP: Final = "stillwatch_trip"
TRIP_SECONDS: Final = 600


class SignIn:
    """The pages before the gate."""

    def __init__(
        self, gate: Gate, paper: Paper, provider: Provider | None, caller: Callable[[str, list[str]], str]
    ) -> None:
        self._gate, self._paper, self._provider, self._caller = gate, paper, provider, caller

    async def show(self, request: Request) -> Response:
        """Show the form."""
        return await self._page(request, 200, "", request.query_params.get("next", ""))

    async def take(self, request: Request) -> Response:
        """Check name and password."""
        if too_large(request):
            return PlainTextResponse("The form is too large, or does not say how large it is.\n", 413)
        form = await request.form()
        given = {name: str(form.get(name, ""))[:300] for name in ("name", "password", "mark", "next")}
        mark = request.cookies.get(LOGIN, "")
        ours = own_origin(request) and bool(mark) and hmac.compare_digest(mark.encode(), given["mark"].encode())
        if not ours:
            return await self._page(request, 403, "The form was too old. Try again.", given["next"])
        forwarded = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
        address = self._caller(request.client.host if request.client else "unknown", forwarded)
        try:
            name = await run_in_threadpool(self._gate.door.check, given["name"], given["password"], address)
        except TooSoon as wait:
            seconds = max(1, round(float(wait.args[0])))
            page = await self._page(request, 429, f"Too many failures. Wait {seconds} seconds.", given["next"])
            page.headers["retry-after"] = str(seconds)
            return page
        if not name:
            return await self._page(request, 401, "Name and password do not fit.", given["next"])
        return await self._begin(name, "password", RedirectResponse(safe_next(given["next"]), 303))

    async def leave(self, request: Request) -> Response:
        """Send the person to the identity provider."""
        if self._provider is None:
            return PlainTextResponse("There is no single sign-on here.\n", 404)
        trip = Trip.new(safe_next(request.query_params.get("next", "")))
        try:
            where = await run_in_threadpool(self._provider.departure, trip)
        except StillwatchError as problem:
            return await self._page(request, 502, str(problem), "")
        response = RedirectResponse(where, 303)
        response.set_cookie(TRIP, trip.sealed(), max_age=TRIP_SECONDS, httponly=True, samesite="lax", path="/login",
                            secure=self._gate.secure)  # fmt: skip
        return response

    async def arrive(self, request: Request) -> Response:
        """Take the person back from the identity provider."""
        trip = Trip.opened(request.cookies.get(TRIP, ""))
        if self._provider is None or trip is None:
            return await self._page(request, 400, "This sign-in was not begun here, or is too old. Try again.", "")
        try:
            subject = await run_in_threadpool(self._provider.arrival, trip, dict(request.query_params))
        except StillwatchError as problem:
            return await self._page(request, 401, str(problem), "")
        name = await run_in_threadpool(self._gate.door.person_of, subject)
        if not name:
            return await self._page(request, 403, "You are known to the provider, and not to this console.", "")
        # The browser came from another site, so it would not send a strict cookie along a redirect: the page does.
        response = await self._begin(
            name, "single sign-on", self._paper.plain("arrived.html", next=safe_next(trip.next))
        )
        response.delete_cookie(TRIP, path="/login")
        return response

    async def health(self, request: Request) -> Response:
        """Say that the console runs."""
        return PlainTextResponse("ok\n")

    async def _begin(self, name: str, how: str, response: Response) -> Response:
        self._gate.put_cookie(response, await run_in_threadpool(self._gate.door.begin, name, how))
        response.delete_cookie(LOGIN, path="/login")
        return response

    async def _page(self, request: Request, status: int, wrong: str, following: str) -> Response:
        mark = secrets.token_urlsafe(24)
        nobody = not await run_in_threadpool(self._gate.door.anyone)
        response = self._paper.plain("login.html", status, wrong=wrong, mark=mark, next=safe_next(following),
                                     nobody=nobody, sso=self._provider.label if self._provider else "")  # fmt: skip
        response.set_cookie(LOGIN, mark, max_age=3_600, httponly=True, samesite="strict", path="/login",
                            secure=self._gate.secure)  # fmt: skip
        return response


def routes(sign_in: SignIn) -> list[Route]:
    """Return the addresses before the gate."""
    return [
        Route("/login", sign_in.show, methods=["GET"]),
        Route("/login", sign_in.take, methods=["POST"]),
        Route("/login/sso", sign_in.leave, methods=["GET"]),
        Route("/login/back", sign_in.arrive, methods=["GET"]),
        Route("/healthz", sign_in.health, methods=["GET"]),
    ]
