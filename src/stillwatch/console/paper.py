"""Turns records into pages: one environment of templates, one frame, for who is asking.

In: a template's name and values. Out: an HTML answer. Every word is escaped; drawings are made of numbers alone.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from stillwatch.console import files, wording
from stillwatch.console.gate import SAID, Asker, Gate
from stillwatch.console.office import Forbidden, Views
from stillwatch.console.page import environment
from stillwatch.console.records import Interval
from stillwatch.console.rights import may
from stillwatch.terms.errors import StillwatchError

NAVIGATION: Final = (
    ("/", "Overview", "o"), ("/campaigns", "Campaigns", "c"), ("/accounts", "Accounts", "a"), ("/queue", "Queue", "q"),
    ("/appeals", "Appeals", "e"), ("/policy", "Policy", "p"), ("/keys", "Keys and canaries", "k"),
    ("/dossiers", "Dossiers", "d"), ("/scorecards", "Lab scorecards", "l"), ("/compliance", "Compliance", "m"),
    ("/trail", "Audit trail", "t"),
    ("/people", "People", "u"),
)  # fmt: skip
"""Address, name, access key."""
Handler = Callable[[Request, Asker], Awaitable[Response]]


class Paper:
    """Writes pages."""

    def __init__(self, views: Views, gate: Gate) -> None:
        self._views, self.gate = views, gate
        self._env = environment()
        self._env.filters.update(
            query=lambda text: quote(str(text), safe=""), ago=ago, until=until, short=short, interval=interval,
            points=points,
            titled=lambda text: text.replace("_", " "),
        )  # fmt: skip
        self._env.globals.update(
            static={name: files.address(name) for name in files.PARTS}, navigation=NAVIGATION,
            verbs=VERBS,
        )  # fmt: skip

    async def page(
        self, request: Request, asker: Asker, template: str, status: int = 200, /, **values: Any
    ) -> Response:
        """Return a page in its frame."""
        stamp, waiting = await run_in_threadpool(self._frame)
        said = unquote(request.cookies.get(SAID, ""))
        where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        frame = {
            "me": asker.me, "csrf": asker.csrf, "may": {right: may(asker.me.role, right) for right in RIGHTS},
            "path": where, "here": "/" + request.url.path.split("/")[1], "stamp": stamp, "waiting": waiting,
            "said": said,
        }  # fmt: skip
        response = HTMLResponse(self._render(template, **frame, **values), status)
        if said:
            response.delete_cookie(SAID, path="/")
        return response

    def part(self, template: str, /, **values: Any) -> Response:
        """Return a part of a page, for htmx."""
        return HTMLResponse(self._render(template, **values))

    def plain(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """Return a page for who is not signed in."""
        return HTMLResponse(self._render(template, **values), status)

    def guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that is for people who are signed in; what cannot be done is said on a page."""

        async def endpoint(request: Request) -> Response:
            asker = await self.gate.asker(request)
            if asker is None:
                return self.gate.turned_away(request)
            try:
                response = await handler(request, asker)
            except Forbidden as problem:
                response = await self.page(request, asker, "problem.html", 403, title="You may not do that",
                                           message=str(problem))  # fmt: skip
            except StillwatchError as problem:
                response = await self.page(request, asker, "problem.html", 409, title="Not done", message=str(problem))
            if asker.renewed and request.url.path != "/logout":
                self.gate.put_cookie(response, asker.renewed)
            return response

        return endpoint

    def _frame(self) -> tuple[str, int]:
        queue = self._views.waiting()
        return self._views.stamp(), queue

    def _render(self, template: str, /, **values: Any) -> str:
        return self._env.get_template(f"console/{template}").render(**values)


RIGHTS: Final = ("look", "try_policy", "decide", "open_appeal", "second", "answer_appeal", "people")
VERBS: Final = {
    "confirm": "Confirm", "step_up": "Step up", "dismiss": "Dismiss", "release": "Release", "grant": "Grant",
    "refuse": "Refuse",
}  # fmt: skip


def ago(seconds: float) -> str:
    """Return an age in its natural unit, such as `3 minutes`."""
    return wording.duration(float(f"{max(seconds, 0.0):.2g}"))


def until(at: float | None) -> str:
    """Return a time, or that there is none."""
    return "no end" if at is None or math.isinf(at) else wording.moment(at)


def short(text: str, length: int = 12) -> str:
    """Return the beginning of a digest."""
    return text[:length]


def interval(found: Interval | None) -> str:
    """Return a share with its interval.

    >>> interval(Interval(value=0.853, low=0.8, high=0.9)), interval(None)
    ('85 % (80 to 90)', '-')
    """
    if found is None:
        return "-"
    return f"{100 * found.value:.0f} % ({_whole(100 * found.low)} to {_whole(100 * found.high)})"


def points(found: Interval | None) -> str:
    """Return percentage points with their interval.

    >>> points(Interval(value=0.5, low=0.1, high=1.0)), points(None)
    ('+0.5 (0.1 to 1.0)', '-')
    """
    if found is None:
        return "-"
    sign = "+" if found.value > 0 else ""
    return f"{sign}{wording.signed(found.value)} ({wording.signed(found.low)} to {wording.signed(found.high)})"


def _whole(value: float) -> str:
    return wording.signed(value, 0)
