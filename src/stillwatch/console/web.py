"""The console as one ASGI application: pages, forms, live updates, JSON API, static files.

In: three ports (`office`), filled by `app`, and a few words of settings. Out: a Starlette application.
Left to `pages`, `forms`, `signin`, `api`: what is at each address. Left to `gate`: who may come in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from stillwatch.console import api, forms, pages, signin
from stillwatch.console.files import static_routes
from stillwatch.console.gate import Bearing, Gate, problem
from stillwatch.console.office import Changes, Door, Views
from stillwatch.console.oidc import Provider
from stillwatch.console.paper import Paper

_SAID: Final = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address takes other methods."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What the console is made of."""

    views: Views
    changes: Changes
    door: Door
    secure: bool = False
    """Whether people reach it over TLS."""
    hours: float = 12.0
    """How long a session may last."""
    provider: Provider | None = None
    """Identity provider; None without single sign-on."""
    caller: Callable[[str, list[str]], str] = lambda peer, forwarded: peer
    """(address of the socket, entries of `x-forwarded-for`) -> whose address it is."""


def console_app(console: Console) -> Starlette:
    """Return the application."""
    gate = Gate(console.door, secure=console.secure, hours=console.hours)
    paper = Paper(console.views, gate)
    routes = [
        *static_routes(),
        *signin.routes(signin.SignIn(gate, paper, console.provider, console.caller)),
        *pages.routes(pages.Pages(console.views, paper)),
        *forms.routes(forms.Forms(console.changes, console.views, paper)),
        *api.routes(api.Api(console.views, console.changes, gate)),
    ]

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict((error.headers if isinstance(error, HTTPException) else None) or {})
        if request.url.path.startswith("/api/"):
            said = _SAID.get(status, ("failed", "It failed; the log says where."))
            return problem(status, *said, **headers)
        told = _SAID.get(status, ("failed", "It failed; the log says where."))[1]
        return PlainTextResponse(f"{told}\n", status, headers)

    return Starlette(
        routes=routes, middleware=[Middleware(Bearing, secure=console.secure)],
        exception_handlers={HTTPException: refused, 500: refused},
    )  # fmt: skip
