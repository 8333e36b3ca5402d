"""Single lines of the console's pages: control records and orders turned into what a page shows.

In: one record. Out: one record of `console.records`. Left to `consoleviews`: which of them stand on a page.
"""

from stillwatch.app.consolestate import Facts
from stillwatch.console import records as r
from stillwatch.console.report import ALL_TRAFFIC, ErrorRates, Report
from stillwatch.policy.standing import effect_of
from stillwatch.terms.account import AccountRecord, Decision
from stillwatch.terms.action import Action, Held, Subject
from stillwatch.terms.person import Proposal
from stillwatch.terms.verdict import Verdicts


def report_of(head: r.Head, body: r.CampaignBody | None) -> Report:
    """Return a report that holds one campaign alone, for the cards and sentences that pages share with it."""
    verdicts = Verdicts(
        campaigns=(body.campaign,) if body else (), accounts=(), q=head.q, alpha=head.alpha, looked_at=head.looked_at,
        calibrated=head.calibrated, notes=head.notes,
        figures={"events": head.events, "accounts": head.accounts,
                 "thresholds": {body.campaign.id: body.threshold} if body else {}},
    )  # fmt: skip
    own = {body.campaign.id: body.timeline} if body and len(body.timeline) == len(head.traffic) else {}
    return Report(
        verdicts=verdicts, names={}, title="", made_at=head.made_at, version="", command="", inputs=(), coverage=(),
        timeline={ALL_TRAFFIC: head.traffic, **own}, timeline_start=head.timeline_start,
        timeline_step=head.timeline_step, edges={body.campaign.id: body.edges} if body else {}, prices=head.prices,
        error=ErrorRates(q=head.q, alpha=head.alpha), live=True,
    )  # fmt: skip


def subject_of(record: AccountRecord, held: Held | None, decision: Decision | None) -> Subject:
    """Return the account as a worker sees it."""
    return Subject(
        account=record.account, organisation=record.organisation, plan=record.plan, country=record.country,
        unmodified=record.unmodified, workload=record.workload, verified=record.verified, held=held,
        decided=decision.verb if decision else "", decided_at=decision.at if decision else 0.0,
        decision_expires=decision.expires if decision else 0.0,
    )  # fmt: skip


def action_line(action: Action) -> r.ActionLine:
    """Return an action as a page shows it."""
    return r.ActionLine(
        kind=action.kind, rule=action.rule, shadow=action.shadow, bites=action.bites, since=action.since or None,
        expires=action.expires if 0.0 < action.expires < float("inf") else None, ask=action.ask,
        treatments=list(action.treatments), effect=effect_of(action),
    )  # fmt: skip


def line_of(decision: Decision, now: float, facts: Facts) -> r.DecisionLine:
    """Return a decision as a page shows it."""
    force = any((found := facts.in_force(a, now)) is not None and found.id == decision.id for a in decision.accounts)
    return r.DecisionLine(
        id=decision.id, subject=decision.subject, kind=decision.kind, accounts=len(decision.accounts),
        verb=decision.verb, by=decision.by, reason=decision.reason, at=decision.at, expires=decision.expires,
        receipt=decision.receipt, in_force=force,
    )  # fmt: skip


def proposal_line(one: Proposal | None) -> r.ProposalLine | None:
    """Return a proposal as a page shows it."""
    if one is None:
        return None
    return r.ProposalLine(
        id=one.id, kind=one.kind, subject=one.subject, verb=one.verb, by=one.by, reason=one.reason, days=one.days,
        why=one.why, at=one.at, state=one.state, second=one.second, closed=one.closed,
    )  # fmt: skip


def unjudged(name: str) -> r.AccountLine:
    """Return the line of an account that no judgement names."""
    return r.AccountLine(account=name, accused=False, campaign="", log_e=None, threshold=None, requests=None,
                         surface="")  # fmt: skip


def record_line(record: AccountRecord | None) -> r.RecordLine:
    """Return what was agreed with an account."""
    one = record or AccountRecord(account="")
    return r.RecordLine(
        organisation=one.organisation, plan=one.plan, country=one.country, unmodified=one.unmodified,
        workload=one.workload, workload_tokens=one.workload_tokens, verified=list(one.verified),
    )  # fmt: skip
