"""What a run shows of the verdicts: the live report held against the truth, and what policy makes of it.

In: the state folder that gateway and watcher write, and the cast. Out: a `Seen` for each new judgement.
Nothing is judged here, and nothing of the truth goes back.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from stillwatch.app.cast import CAMPAIGN, Cast
from stillwatch.app.claims import claims_of
from stillwatch.app.control import Book
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.report import read_report
from stillwatch.app.subjects import Claim
from stillwatch.console.live import Truth
from stillwatch.console.report import Report
from stillwatch.console.standing import accused_accounts, accused_campaigns
from stillwatch.gateway.published import Published, read_published
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import decide
from stillwatch.policy.decisions import in_force
from stillwatch.terms.account import Decision
from stillwatch.terms.action import ALLOW, CLEARING, Action, Subject
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.verdict import Campaign

REPORT: Final = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One judgement in which a campaign was accused."""

    report: Report = field(repr=False)
    campaign: Campaign = field(repr=False)
    """The largest of those accused."""
    truth: Truth
    receipt: str
    """Of what was published of the campaign; a decision pins it."""
    judged_until: float
    """Event time."""


class Viewer:
    """Looks at what the watcher writes."""

    def __init__(self, folder: LiveFolder, cast: Cast) -> None:
        self._folder = folder
        self._cast = cast
        self._generation = -1

    def look(self) -> Seen | None:
        """Return what is new; None when nothing is, or when nobody is accused."""
        try:
            published = read_published(self._folder.published)
            if published.generation <= self._generation or not published.held:
                return None
            report = read_report(self._folder.report)
            if report.made_at != published.made_at:
                return None  # the report of this judgement is still being written
            claims = claims_of(self._folder.state)
        except StillwatchError:
            return None  # being written, or not there yet
        found = self._seen(published, report, claims)
        if found is not None:
            self._generation = published.generation
        return found

    def _seen(self, published: Published, report: Report, claims: tuple[Claim, ...]) -> Seen | None:
        accused = accused_campaigns(report.verdicts)
        if not accused:
            return None
        campaign = max(accused, key=lambda c: len(c.accounts))
        receipt = next((c.receipt for c in claims if c.subject == campaign.id), "")
        names = {report.name(account) for account, _, _ in accused_accounts(report)}
        hostile = set(self._cast.members())
        truth = Truth(
            label=self._cast.label, members=len(hostile), found=len(hostile & names),
            honest=len(self._cast.honest()), accused=sum(self._cast.groups.get(n) != CAMPAIGN for n in names),
        )  # fmt: skip
        return Seen(report=report, campaign=campaign, truth=truth, receipt=receipt, judged_until=published.judged_until)

    def member(self, seen: Seen) -> str:
        """Return an account of the campaign to try: its strongest."""
        return seen.report.name(seen.campaign.accounts[0])

    def action(self, book: Book, policy: PolicyConfig, account: str, now: float) -> Action:
        """Return what policy orders for the account's next chat request.

        Where a person dismissed or released it, the `allow` bears when that was said and until when it holds.
        """
        try:
            published = read_published(self._folder.published)
        except StillwatchError:
            return ALLOW
        decision = in_force(book.decisions(), now).get(account)
        if decision is not None and decision.verb in CLEARING:
            return replace(ALLOW, since=decision.at, expires=decision.expires)
        plan = next((record.plan for record in book.accounts() if record.account == account), "")
        return decide(
            Subject(
                account=account, plan=plan, model="atlas-large", endpoint="chat", held=published.held.get(account),
                decided=decision.verb if decision else "", decided_at=decision.at if decision else 0.0,
                decision_expires=decision.expires if decision else 0.0,
            ), policy, now,
        )  # fmt: skip

    def decided(self, book: Book, now: float) -> Decision | None:
        """Return the decision in force, whatever it says, on an account of the campaign; None where there is none."""
        hostile = set(self._cast.members())
        return next((d for account, d in in_force(book.decisions(), now).items() if account in hostile), None)

    def confirmed(self, book: Book, now: float) -> Decision | None:
        """Return the decision that confirms an account of the campaign; None where there is none in force."""
        hostile = set(self._cast.members())
        decided = in_force(book.decisions(), now)
        return next((d for account, d in decided.items() if d.verb == "confirm" and account in hostile), None)
