"""The forms: what people change by a page. Each checks that the form is the session's own, then asks `Changes`.

In: a form. Out: a redirect to the page that shows what came of it, or a page that says why not.
Left to `Changes`: rights, two people, the trail.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from stillwatch.console import records as r
from stillwatch.console.gate import Asker, own_form, own_origin, safe_next, too_large
from stillwatch.console.office import Changes, Forbidden, Views, Wish
from stillwatch.console.paper import Handler, Paper
from stillwatch.console.rights import MEANING, may
from stillwatch.terms.errors import StillwatchError

Handled = Callable[[Request, Asker, FormData], Awaitable[Response]]
LONGEST: Final = 4_000


class Forms:
    """Every form."""

    def __init__(self, changes: Changes, views: Views, paper: Paper) -> None:
        self._changes, self._views, self.paper = changes, views, paper

    async def decide(self, request: Request, asker: Asker, form: FormData) -> Response:
        """Confirm, step up, dismiss or release."""
        wish = Wish(subject=_text(form, "subject"), verb=_text(form, "verb"), reason=_text(form, "reason"),
                    days=_days(form), kind=_text(form, "kind"), seen=_whole(form, "seen"))  # fmt: skip
        return self._done(form, await run_in_threadpool(self._changes.decide, asker.me, wish))

    async def proposal(self, request: Request, asker: Asker, form: FormData) -> Response:
        """Agree to a proposal, or turn it down."""
        done = await run_in_threadpool(self._changes.close, asker.me, _whole(form, "number"),
                                       _text(form, "verb") == "agree")  # fmt: skip
        return self._done(form, done)

    async def open_appeal(self, request: Request, asker: Asker, form: FormData) -> Response:
        """Write down an appeal."""
        done = await run_in_threadpool(self._changes.open_appeal, asker.me, _text(form, "account"),
                                       _text(form, "statement"))  # fmt: skip
        return self._done(form, done)

    async def answer_appeal(self, request: Request, asker: Asker, form: FormData) -> Response:
        """Grant or refuse one."""
        wish = Wish(subject=_text(form, "appeal"), verb=_text(form, "verb"), reason=_text(form, "reason"),
                    days=_days(form))  # fmt: skip
        return self._done(form, await run_in_threadpool(self._changes.answer_appeal, asker.me, wish))

    async def try_policy(self, request: Request, asker: Asker, form: FormData) -> Response:
        """Try other rules on the last week; nothing is changed."""
        if not may(asker.me.role, "try_policy"):
            raise Forbidden(f"The role {asker.me.role} may not {MEANING['try_policy']}.")
        given = form.get("rules")
        text = given.replace("\r\n", "\n")[:60_001] if isinstance(given, str) else ""
        tried, wrong = None, ""
        try:
            tried = await run_in_threadpool(self._views.simulate, text)
        except StillwatchError as problem:
            wrong = str(problem)
        shown = await run_in_threadpool(self._views.policy)
        return await self.paper.page(request, asker, "policy.html", 200 if tried else 422, p=shown, tried=tried,
                                     text=text, wrong=wrong)  # fmt: skip

    async def add_person(self, request: Request, asker: Asker, form: FormData) -> Response:
        """Add a person."""
        done = await run_in_threadpool(self._changes.add_person, asker.me, _text(form, "name"), _text(form, "role"),
                                       _text(form, "subject"))  # fmt: skip
        return self._done(form, done)

    async def change_person(self, request: Request, asker: Asker, form: FormData) -> Response:
        """Change a role, disable or enable."""
        disabled = {"disable": True, "enable": False}.get(_text(form, "verb"))
        role = _text(form, "role") if disabled is None else ""
        done = await run_in_threadpool(self._changes.change_person, asker.me, _text(form, "name"), role, disabled)
        return self._done(form, done)

    async def revoke_token(self, request: Request, asker: Asker, form: FormData) -> Response:
        """End a token."""
        return self._done(form, await run_in_threadpool(self._changes.revoke_token, asker.me, _text(form, "token")))

    async def sign_out(self, request: Request, asker: Asker, form: FormData) -> Response:
        """End the session."""
        await run_in_threadpool(self.paper.gate.door.end, asker.secret)
        response = RedirectResponse("/login", 303)
        self.paper.gate.drop_cookie(response)
        return response

    def _done(self, form: FormData, done: r.Done) -> Response:
        return self.paper.gate.say(RedirectResponse(safe_next(_text(form, "next")), 303), done.message)


def routes(forms: Forms) -> list[Route]:
    """Return the addresses of the forms."""
    found: dict[str, Handled] = {
        "/decide": forms.decide, "/proposal": forms.proposal, "/appeal/open": forms.open_appeal,
        "/appeal/answer": forms.answer_appeal, "/policy/try": forms.try_policy, "/person/add": forms.add_person,
        "/person/change": forms.change_person, "/token/revoke": forms.revoke_token, "/logout": forms.sign_out,
    }  # fmt: skip
    return [Route(path, forms.paper.guarded(_checked(handler)), methods=["POST"]) for path, handler in found.items()]


def _checked(handler: Handled) -> Handler:
    async def checked(request: Request, asker: Asker) -> Response:
        if too_large(request):
            return Response("The form is too large, or does not say how large it is.\n", 413)
        form = await request.form()
        if not own_origin(request) or not own_form(asker, form, request):
            raise Forbidden("This form is not from a page of yours, or from an old one: load the page again.")
        return await handler(request, asker, form)

    return checked


def _text(form: FormData, name: str) -> str:
    given = form.get(name, "")
    if not isinstance(given, str) or len(given) > LONGEST:
        raise StillwatchError(f"{name}: must be text of at most {LONGEST} characters.")
    return given.strip()


def _days(form: FormData) -> float:
    given = _text(form, "days") or "30"
    try:
        return float(given)
    except ValueError:
        raise StillwatchError(f"days {given[:40]!r}: must be a number.") from None


def _whole(form: FormData, name: str) -> int:
    given = _text(form, name) or "0"
    if not given.isdecimal() or len(given) > 12:
        raise StillwatchError(f"{name} {given[:40]!r}: must be a whole number.")
    return int(given)
