"""The pages: each address looks something up and shows it; nothing here changes anything.

In: a request of who is signed in. Out: HTML. Lists come in parts of `PART` lines, which htmx or a plain link asks for.
Left to `forms`: changes. Left to the templates: words and their order.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from stillwatch.console import bars, cards, course, standing, timeline
from stillwatch.console import records as r
from stillwatch.console.gate import Asker
from stillwatch.console.office import Views
from stillwatch.console.paper import Handler, Paper
from stillwatch.terms.errors import StillwatchError

PART: Final = 50
LIVE_SECONDS: Final = 1.0
BEAT_SECONDS: Final = 20.0


class Pages:
    """Every page."""

    def __init__(self, views: Views, paper: Paper) -> None:
        self._views, self._paper = views, paper

    async def overview(self, request: Request, asker: Asker) -> Response:
        """Show traffic, verdicts, and promised against realised errors."""
        shown = await run_in_threadpool(self._views.overview)
        counts, _ = timeline.merged(shown.traffic)
        strip = timeline.strip([("t", counts)]) if any(counts) else ""
        return await self._paper.page(
            request, asker, "overview.html", o=shown, strip=strip, peak=max(counts, default=0)
        )

    async def campaigns(self, request: Request, asker: Asker) -> Response:
        """List campaigns by rank."""
        show = request.query_params.get("show", "accused")
        accused = {"accused": True, "others": False}.get(show)
        start = _number(request, "start")
        shown = await run_in_threadpool(self._views.campaigns, start, PART, accused)
        name = "campaign_rows.html" if _is_part(request) else "campaigns.html"
        values: dict[str, Any] = {"list": shown, "show": show, "start": start, "bar": _bar}
        if _is_part(request):
            return self._paper.part(name, **values)
        return await self._paper.page(request, asker, name, **values)

    async def campaign(self, request: Request, asker: Asker) -> Response:
        """Show one campaign: receipt, time line, graph, harvest and cost, keyed skeletons."""
        name = request.query_params.get("id", "")
        shown = await run_in_threadpool(self._views.campaign, name)
        card = await run_in_threadpool(self._views.campaign_card, name)
        members = await run_in_threadpool(self._views.members, name, 0, PART)
        if shown is None or card is None or members is None:
            return await self._missing(request, asker, "campaign", name)
        return await self._paper.page(request, asker, "campaign.html", p=shown, c=card, members=members,
                                      course=_course(shown.history), wish=name, kind="campaign",
                                      seen=shown.line.accounts)  # fmt: skip

    async def find(self, request: Request, asker: Asker) -> Response:
        """Send to the campaign, account or appeal of an id."""
        name, kind = request.query_params.get("subject", ""), request.query_params.get("kind", "")
        campaign = kind != "account" and await run_in_threadpool(self._views.campaign, name) is not None
        if name.startswith("ap_") and not campaign:
            return RedirectResponse(f"/appeals#{quote(name, safe='')}", 303)
        where = f"/campaign?id={quote(name, safe='')}" if campaign else f"/account?name={quote(name, safe='')}"
        return RedirectResponse(where, 303)

    async def members(self, request: Request, asker: Asker) -> Response:
        """Show a further part of a campaign's accounts."""
        name = request.query_params.get("id", "")
        shown = await run_in_threadpool(self._views.members, name, _number(request, "start"), PART)
        if shown is None:
            return await self._missing(request, asker, "campaign", name)
        return self._paper.part("member_rows.html", members=shown, name=name)

    async def accounts(self, request: Request, asker: Asker) -> Response:
        """List accounts by rank, or find them by name."""
        starts, after = request.query_params.get("starts", "").strip()[:200], request.query_params.get("after", "")
        shown = await run_in_threadpool(self._views.accounts, starts, after, PART)
        values: dict[str, Any] = {"list": shown, "starts": starts, "after": after, "bar": _bar}
        if _is_part(request):
            return self._paper.part("account_rows.html", **values)
        return await self._paper.page(request, asker, "accounts.html", **values)

    async def account(self, request: Request, asker: Asker) -> Response:
        """Show one account: evidence against what was needed, what would clear it, the action in force."""
        name = request.query_params.get("name", "")
        shown = await run_in_threadpool(self._views.account, name)
        if shown is None:
            return await self._missing(request, asker, "account", name)
        weighed = _weighed(shown)
        return await self._paper.page(request, asker, "account.html", p=shown, course=_course(shown.history),
                                      weighed=weighed, wish=name, kind="account", seen=0)  # fmt: skip

    async def queue(self, request: Request, asker: Asker) -> Response:
        """Show what waits for a person."""
        shown = await run_in_threadpool(self._views.queue)
        return await self._paper.page(request, asker, "queue.html", q=shown)

    async def decisions(self, request: Request, asker: Asker) -> Response:
        """List decisions, newest first."""
        before = _number(request, "before") or None
        shown = await run_in_threadpool(self._views.decisions, before, PART)
        return await self._paper.page(request, asker, "decisions.html", list=shown)

    async def appeals(self, request: Request, asker: Asker) -> Response:
        """Show appeals."""
        shown = await run_in_threadpool(self._views.appeals)
        asked = await run_in_threadpool(self._views.proposals)
        return await self._paper.page(request, asker, "appeals.html", list=shown,
                                      proposed={p.subject: p for p in asked.items if p.kind == "appeal"},
                                      account=request.query_params.get("account", ""))  # fmt: skip

    async def policy(self, request: Request, asker: Asker) -> Response:
        """Show the rules, and who would have been affected in the last week."""
        shown = await run_in_threadpool(self._views.policy)
        return await self._paper.page(request, asker, "policy.html", p=shown, tried=None, text="", wrong="")

    async def keys(self, request: Request, asker: Asker) -> Response:
        """Show epochs, doses and canaries."""
        return await self._paper.page(request, asker, "keys.html", k=await run_in_threadpool(self._views.keys))

    async def dossiers(self, request: Request, asker: Asker) -> Response:
        """List dossiers."""
        shown = await run_in_threadpool(self._views.dossiers)
        return await self._paper.page(request, asker, "dossiers.html", list=shown)

    async def dossier(self, request: Request, asker: Asker) -> Response:
        """Show one dossier: conclusion, findings, seal; or hand out one of its files."""
        return await self._exhibit(request, asker, "dossier", self._views.dossier, self._views.dossier_file)

    async def scorecards(self, request: Request, asker: Asker) -> Response:
        """List the lab's scorecards."""
        shown = await run_in_threadpool(self._views.scorecards)
        return await self._paper.page(request, asker, "scorecards.html", list=shown)

    async def scorecard(self, request: Request, asker: Asker) -> Response:
        """Show one scorecard: what was kept, what it cost whom; or hand out one of its files."""
        return await self._exhibit(request, asker, "scorecard", self._views.scorecard, self._views.scorecard_file)

    async def _exhibit(
        self, request: Request, asker: Asker, kind: str, look: Callable[[str], Any],
        fetch: Callable[[str, str], tuple[bytes, str] | None],
    ) -> Response:  # fmt: skip
        name, file = request.query_params.get("name", ""), request.query_params.get("file", "")
        if file:
            found = await run_in_threadpool(fetch, name, file)
            # As a file, never as a page: what stands in it is not to run at this address.
            return await self._missing(request, asker, kind, name) if found is None else _attached(*found)
        shown = await run_in_threadpool(look, name)
        if shown is None:
            return await self._missing(request, asker, kind, name)
        return await self._paper.page(request, asker, f"{kind}.html", p=shown, name=name)

    async def compliance(self, request: Request, asker: Asker) -> Response:
        """Show this installation held against controls."""
        return await self._paper.page(request, asker, "compliance.html",
                                      p=await run_in_threadpool(self._views.compliance))  # fmt: skip

    async def trail(self, request: Request, asker: Asker) -> Response:
        """Show the audit trail, newest first."""
        before = _number(request, "before") or None
        shown = await run_in_threadpool(self._views.trail, before, PART)
        if _is_part(request):
            return self._paper.part("trail_rows.html", list=shown)
        return await self._paper.page(request, asker, "trail.html", list=shown)

    async def people(self, request: Request, asker: Asker) -> Response:
        """Show people, roles and tokens."""
        return await self._paper.page(request, asker, "people.html", list=await run_in_threadpool(self._views.people))

    async def live(self, request: Request, asker: Asker) -> Response:
        """Say each time that something changed, for as long as the session holds."""
        return StreamingResponse(self._beats(request), media_type="text/event-stream",
                                 headers={"x-accel-buffering": "no"})  # fmt: skip

    async def _beats(self, request: Request) -> AsyncIterator[str]:
        before, quiet = "", 0.0
        while not await request.is_disconnected():
            stamp = await run_in_threadpool(self._views.stamp)
            if stamp != before:
                before, quiet = stamp, 0.0
                yield f"event: stamp\ndata: {stamp}\n\n"
            elif quiet >= BEAT_SECONDS:
                if await self._paper.gate.asker(request) is None:
                    yield "event: ended\ndata: ended\n\n"
                    return
                quiet = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(LIVE_SECONDS)
            quiet += LIVE_SECONDS

    async def _missing(self, request: Request, asker: Asker, kind: str, name: str) -> Response:
        return await self._paper.page(request, asker, "problem.html", 404, title=f"No such {kind}",
                                      message=f"{kind} {name[:200]!r}: nothing is known of it.")  # fmt: skip


def routes(pages: Pages) -> list[Route]:
    """Return the addresses of the pages."""
    found: dict[str, Handler] = {
        "/": pages.overview, "/campaigns": pages.campaigns, "/campaign": pages.campaign,
        "/find": pages.find, "/members": pages.members,
        "/accounts": pages.accounts, "/account": pages.account, "/queue": pages.queue, "/decisions": pages.decisions,
        "/appeals": pages.appeals, "/policy": pages.policy, "/keys": pages.keys, "/dossiers": pages.dossiers,
        "/dossier": pages.dossier, "/scorecards": pages.scorecards, "/scorecard": pages.scorecard,
        "/compliance": pages.compliance, "/trail": pages.trail, "/people": pages.people, "/live": pages.live,
    }  # fmt: skip
    return [Route(path, pages._paper.guarded(handler), methods=["GET"]) for path, handler in found.items()]


def _attached(content: bytes, name: str) -> Response:
    return Response(content, media_type="application/octet-stream", headers={
        "content-disposition": f'attachment; filename="{name}"', "content-security-policy": "sandbox",
    })  # fmt: skip


def _is_part(request: Request) -> bool:
    """Return whether htmx asks for further lines only."""
    return request.headers.get("hx-request") == "true" and request.query_params.get("part") == "1"


def _number(request: Request, name: str) -> int:
    given = request.query_params.get(name, "0") or "0"
    if not given.isdecimal() or len(given) > 12:
        raise StillwatchError(f"{name} = {given[:40]!r}: must be a whole number.")
    return int(given)


def _bar(log_e: float, threshold: float) -> str:
    """Return a bar of nats against what is needed."""
    return bars.bar(log_e, threshold=threshold, end=bars.axis_end([log_e], threshold))


def _course(history: list[r.HistoryPoint]) -> str:
    return course.draw([course.Point(p.at, p.log_e, p.threshold) for p in history])


def _weighed(page: r.AccountPage) -> list[dict[str, Any]]:
    """Return an account's evidence as the shared part of the templates draws it."""
    threshold = page.threshold or page.needed_alone
    evidence = tuple(page.evidence)
    honest = standing.explanations(evidence)
    return cards.weighed([*honest, *standing.scenarios(evidence)], threshold)
