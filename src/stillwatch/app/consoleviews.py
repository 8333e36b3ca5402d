"""What the console shows, gathered: the page index, the control file, the settings, and what processes say.

In: names and numbers from a request. Out: records of `console.records`. No page reads an event, or every account.
Left to `consolepolicy`, `consolekeys`, `consoledossiers`, `consolescorecards`: their pages.
Left to `consolechanges`: changing anything.
"""

import time
from dataclasses import replace
from typing import Any, Final

import msgspec

from stillwatch.app import consoledossiers, consolekeys, consolepolicy, consolescorecards
from stillwatch.app.compliancereport import compliance_page
from stillwatch.app.consolelines import (
    action_line,
    line_of,
    proposal_line,
    record_line,
    report_of,
    subject_of,
    unjudged,
)
from stillwatch.app.consolestate import ConsoleState, Facts
from stillwatch.app.proposals import confirmers
from stillwatch.app.subjects import Claim
from stillwatch.app.watchstatus import STATUS_NAME, WatchStatus
from stillwatch.console import cards, standing
from stillwatch.console import records as r
from stillwatch.policy.decide import severest
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.terms.account import AccountRecord, Appeal
from stillwatch.terms.action import CLEARING
from stillwatch.terms.person import Proposal

SILENT_SECONDS: Final = 60.0
SOON: Final = 14 * 86_400.0
QUEUED: Final = 50
"""Verdicts that the queue shows at a time, strongest first."""
DAY: Final = 86_400.0


class ConsoleViews:
    """`console.office.Views` over a state folder."""

    def __init__(self, open_state: ConsoleState) -> None:
        self._s = open_state
        self._policy = consolepolicy.Simulator(open_state)

    def stamp(self) -> str:
        """Return what changes whenever a page may have changed."""
        return "-".join(str(part) for part in self._s.stamp())

    def waiting(self) -> int:
        """Return how much waits for a person: verdicts, proposals, appeals."""
        facts = self._s.facts()
        return len(facts.waiting) + sum(a.state == "open" for a in facts.appeals) + len(self._s.people.proposals())

    # ---- overview ----

    def overview(self) -> r.Overview:
        """Return the first page."""
        now, s = time.time(), self._s
        facts, head = s.facts(now), self._s.head()
        force = [d for d in facts.latest.values() if now < d.expires]
        top = self.campaigns(0, 5, True).items
        return r.Overview(
            running=self._running(now), judged=head is not None, made_at=head.made_at if head else None,
            judged_until=head.judged_until if head else None, campaigns=head.campaigns if head else 0,
            candidates=head.candidates if head else 0, accused=head.accused if head else 0,
            requests=head.events if head else 0, accounts=head.accounts if head else 0,
            accounts_known=s.people.count_accounts(), tokens_out=head.tokens_out if head else 0,
            dollars=head.dollars if head else None, waiting=len(facts.waiting), proposals=len(s.people.proposals()),
            appeals=sum(a.state == "open" for a in facts.appeals), confirmed=sum(d.verb == "confirm" for d in force),
            cleared=sum(d.verb in CLEARING for d in force), shadow=s.settings.policy.shadow,
            q=head.q if head else None, alpha=head.alpha if head else None,
            realised=self._realised(facts, head) if head else [], measured=list(head.measured) if head else [],
            notes=list(head.notes) if head else [],
            judgements=[msgspec.json.decode(body, type=r.Judgement) for body in s.index.judgements(8)],
            top=top, traffic=list(head.traffic) if head else [],
            timeline_start=head.timeline_start if head else 0.0, timeline_step=head.timeline_step if head else 1.0,
        )  # fmt: skip

    def _running(self, now: float) -> r.Running:
        try:
            status = msgspec.json.decode((self._s.folder.run / STATUS_NAME).read_bytes(), type=WatchStatus)
        except (OSError, msgspec.MsgspecError):
            status = WatchStatus()
        return r.Running(
            watcher=now - status.at < SILENT_SECONDS, exchanges=status.exchanges, events=status.events,
            lost=status.lost + status.dropped, backlog=status.backlog_segments,
            verdict_age_seconds=status.verdict_age_seconds, judging=status.judging,
        )  # fmt: skip

    def _realised(self, facts: Facts, head: r.Head) -> list[r.Realised]:
        """Return how verdicts fared with people, by their last word on each campaign, and on each account."""
        last = {d.subject: d.verb for d in facts.decisions if d.kind == "campaign" and d.verb in ("confirm", "dismiss")}
        cleared = sum(d.verb == "dismiss" for d in facts.latest.values())
        return [
            _rate("Reported campaigns that people dismissed as honest", head.q,
                  sum(verb == "dismiss" for verb in last.values()), len(last)),
            _rate("Accounts that people dismissed as honest, of all judged", None, min(cleared, head.accounts),
                  head.accounts),
        ]  # fmt: skip

    # ---- campaigns ----

    def campaigns(self, start: int, limit: int, accused: bool | None) -> r.CampaignList:
        """Return a part of the campaigns by rank, accused ones first."""
        lines = self._s.index.campaign_lines(start=start, limit=limit + 1, accused=accused)
        whole, found = self._s.index.count("campaigns"), self._s.index.count("campaigns", "accused")
        total = whole if accused is None else found if accused else whole - found
        items = [msgspec.json.decode(line, type=r.CampaignLine) for line in lines[:limit]]
        return r.CampaignList(items=items, total=total, next=start + limit if len(lines) > limit else None)

    def campaign(self, name: str) -> r.CampaignPage | None:
        """Return one campaign."""
        now, found, head = time.time(), self._s.index.campaign(name), self._s.head()
        if found is None or head is None:
            return None
        line = msgspec.json.decode(found[0], type=r.CampaignLine)
        body = msgspec.json.decode(found[1], type=r.CampaignBody, strict=False)
        facts, claims = self._s.facts(now), self._s.claims_on(name)
        claim = next((c for c in claims if c.kind == "campaign"), None)
        accounts = claim.accounts if claim else ()
        proposals = {p.subject: p for p in self._s.people.proposals() if p.kind == "decision"}
        k = self._s.settings.console.least_sharers
        return r.CampaignPage(
            line=line, evidence=list(body.campaign.evidence), clears=standing.clears(body.campaign.evidence),
            skeletons=[one for one in body.skeletons if one.accounts >= k], k=k, timeline=list(body.timeline),
            timeline_start=head.timeline_start, timeline_step=head.timeline_step,
            history=self._history("campaign", name),
            decisions=[line_of(d, now, facts) for d in reversed(facts.decisions) if d.subject == name][:50],
            organisations=sorted(set(self._s.people.organisations(accounts).values())),
            undecided=sum(facts.in_force(a, now) is None for a in accounts),
            waits=any(c.subject == name and c.kind == "campaign" for c in facts.waiting),
            proposal=proposal_line(proposals.get(name)),
        )  # fmt: skip

    def campaign_card(self, name: str) -> dict[str, Any] | None:
        """Return what `cards.campaign` draws of it; its accounts come in parts."""
        found, head = self._s.index.campaign(name), self._s.head()
        if found is None or head is None:
            return None
        body = msgspec.json.decode(found[1], type=r.CampaignBody, strict=False)
        return cards.campaign(report_of(head, body), body.campaign, 1)

    def members(self, name: str, start: int, limit: int) -> r.MemberList | None:
        """Return a part of a campaign's accounts, strongest first."""
        found = self._s.index.campaign(name)
        if found is None:
            return None
        lines = self._s.index.members(name, start=start, limit=limit + 1)
        return r.MemberList(
            items=[msgspec.json.decode(line, type=r.MemberLine) for _, line in lines[:limit]],
            total=msgspec.json.decode(found[0], type=r.CampaignLine).accounts,
            next=start + limit if len(lines) > limit else None,
        )  # fmt: skip

    # ---- accounts ----

    def accounts(self, starts: str, after: str, limit: int) -> r.AccountList:
        """Return a part of the accounts: judged ones by rank, or those whose name starts so, judged or only known."""
        if not starts:
            rank = int(after) if after.isdecimal() and len(after) <= 12 else 0
            lines = self._s.index.account_lines(start=rank, limit=limit + 1)
            items = [msgspec.json.decode(line, type=r.AccountLine) for line in lines[:limit]]
            following = str(rank + limit) if len(lines) > limit else None
            return r.AccountList(items=items, total=self._s.index.count("accounts"), next=following)
        judged = [msgspec.json.decode(b, type=r.AccountLine) for b in self._s.index.accounts_named(starts, limit)]
        known = self._s.people.account_names(starts=starts, limit=limit)
        there = {line.account: line for line in judged}
        names = sorted({*there, *known})[:limit]
        items = [there.get(name) or unjudged(name) for name in names]
        return r.AccountList(items=items, total=len(items), next=None)

    def account(self, name: str) -> r.AccountPage | None:
        """Return one account; None where nothing is known of it."""
        now, s = time.time(), self._s
        facts, found, head = s.facts(now), s.index.account(name), self._s.head()
        record = s.book.find_account(name)
        decisions, held = facts.by_account.get(name, ()), facts.held.get(name)
        appeals = [a for a in facts.appeals if a.account == name]
        if found is None and record is None and not decisions and not appeals and held is None:
            return None
        line = msgspec.json.decode(found[0], type=r.AccountLine) if found else unjudged(name)
        evidence, clears, why_not = self._weighed(found[1], head) if found and head else ([], [], "")
        subject = subject_of(record or AccountRecord(account=name), held, facts.in_force(name, now))
        confirmed = replace(subject, decided="confirm", decided_at=now, decision_expires=now + 30 * DAY)
        policy = s.settings.policy
        waits = any(name in c.accounts for c in facts.waiting) and facts.in_force(name, now) is None
        proposals = {p.subject: p for p in s.people.proposals() if p.kind == "decision"}
        of = line.campaign or name
        return r.AccountPage(
            account=name, accused=line.accused, campaign=line.campaign, log_e=line.log_e, threshold=line.threshold,
            needed_alone=head.account_bar if head else 0.0, requests=line.requests, surface=line.surface,
            evidence=evidence, clears=clears, why_not=why_not,
            history=self._history("campaign" if line.campaign else "account", of), history_of=of,
            action=action_line(severest(subject, policy, now)[1]),
            action_if_confirmed=action_line(severest(confirmed, policy, now)[1]), record=record_line(record),
            keys=[r.KeyLine(key_id=k.key_id, label=k.label, created=k.created, expires=k.expires, revoked=k.revoked)
                  for k in s.people.keys_of(name)],
            decisions=[line_of(d, now, facts) for d in reversed(decisions)][:50],
            appeals=[self._appeal_line(a, facts) for a in reversed(appeals)], waits=waits,
            proposal=proposal_line(proposals.get(name)), known=record is not None,
        )  # fmt: skip

    def _weighed(self, body: bytes, head: r.Head) -> tuple[list[Any], list[str], str]:
        """Return an account's evidence, what would clear it, and why it is not accused."""
        own = msgspec.json.decode(body, type=r.AccountBody, strict=False)
        home = self._s.index.campaign(own.campaign) if own.campaign else None
        group = msgspec.json.decode(home[1], type=r.CampaignBody, strict=False) if home else None
        evidence = own.verdict.evidence if own.verdict else ()
        evidence = evidence or (group.campaign.evidence if group else ())
        why = ""
        if own.verdict is not None and not own.verdict.accused:
            about = report_of(head, group) if group else report_of(head, None)
            why = standing.why_not_account(about.verdicts, own.verdict)
        return list(evidence), standing.clears(evidence), why

    def _history(self, kind: str, name: str) -> list[r.HistoryPoint]:
        return [
            r.HistoryPoint(at=at, log_e=log_e, threshold=threshold, accused=accused)
            for at, log_e, threshold, accused in self._s.index.history(kind, name)
        ]

    # ---- queue, decisions, appeals ----

    def queue(self) -> r.Queue:
        """Return what waits for a person."""
        now = time.time()
        facts, proposals = self._s.facts(now), self._s.people.proposals()
        asked = {p.subject: p for p in proposals if p.kind == "decision"}
        ending = {d.id: d for d in facts.latest.values() if now < d.expires < now + SOON}
        return r.Queue(
            items=[self._item(claim, facts, asked.get(claim.subject), now) for claim in facts.waiting[:QUEUED]],
            waiting=len(facts.waiting),
            proposals=[line for p in proposals if (line := proposal_line(p)) is not None],
            ending=[line_of(d, now, facts) for d in sorted(ending.values(), key=lambda d: d.expires)[:50]],
        )  # fmt: skip

    def _item(self, claim: Claim, facts: Facts, asked: Proposal | None, now: float) -> r.QueueItem:
        return r.QueueItem(
            subject=claim.subject, kind=claim.kind, accounts=len(claim.accounts) + claim.nameless,
            undecided=sum(facts.in_force(a, now) is None for a in claim.accounts), log_e=claim.log_e,
            since=claim.since, lapses=claim.expires if claim.expires < float("inf") else None, receipt=claim.receipt,
            organisations=sorted(set(self._s.people.organisations(claim.accounts).values()))[:5],
            proposed=proposal_line(asked),
        )  # fmt: skip

    def proposals(self) -> r.ProposalList:
        """Return the open proposals."""
        return r.ProposalList(
            items=[line for p in self._s.people.proposals() if (line := proposal_line(p)) is not None]
        )

    def decisions(self, before: int | None, limit: int) -> r.DecisionList:
        """Return decisions, newest first."""
        now = time.time()
        facts = self._s.facts(now)
        older = [d for d in reversed(facts.decisions) if before is None or d.id < before]
        items = [line_of(d, now, facts) for d in older[:limit]]
        return r.DecisionList(items=items, next=items[-1].id if len(older) > limit else None)

    def appeals(self) -> r.AppealList:
        """Return appeals: open ones oldest first, then the last that were answered."""
        facts = self._s.facts()
        still = [a for a in facts.appeals if a.state == "open"]
        done = sorted((a for a in facts.appeals if a.state != "open"), key=lambda a: -(a.answered or 0.0))[:50]
        return r.AppealList(items=[self._appeal_line(a, facts) for a in (*still, *done)])

    def appeal(self, name: str) -> r.AppealLine | None:
        """Return one appeal."""
        facts = self._s.facts()
        return next((self._appeal_line(a, facts) for a in facts.appeals if a.id == name), None)

    def _appeal_line(self, appeal: Appeal, facts: Facts) -> r.AppealLine:
        return r.AppealLine(
            id=appeal.id, account=appeal.account, opened=appeal.opened, state=appeal.state, statement=appeal.statement,
            answered=appeal.answered, by=appeal.by, reason=appeal.reason,
            confirmed_by=confirmers(facts.by_account.get(appeal.account, ())),
        )  # fmt: skip

    # ---- the rest ----

    def policy(self) -> r.PolicyPage:
        """Return the rules, and whom they would have touched in the last week."""
        return self._policy.page()

    def simulate(self, toml: str) -> r.Simulation:
        """Return whom other rules would touch."""
        return self._policy.of_text(toml)

    def keys(self) -> r.KeysPage:
        """Return epochs, doses and canaries."""
        return consolekeys.keys_page(self._s)

    # ---- exhibits ----

    def dossiers(self) -> r.DossierList:
        """Return the dossiers."""
        return consoledossiers.dossiers(self._s)

    def dossier(self, name: str) -> r.DossierPage | None:
        """Return one dossier."""
        return consoledossiers.dossier(self._s, name)

    def dossier_file(self, name: str, file: str) -> tuple[bytes, str] | None:
        """Return content and name of a file of a dossier that may be handed out."""
        return consoledossiers.dossier_file(self._s, name, file)

    def scorecards(self) -> r.ScorecardList:
        """Return the lab's scorecards."""
        return consolescorecards.scorecards(self._s)

    def scorecard(self, name: str) -> r.ScorecardPage | None:
        """Return one scorecard."""
        return consolescorecards.scorecard(self._s, name)

    def scorecard_file(self, name: str, file: str) -> tuple[bytes, str] | None:
        """Return content and name of a file of a scorecard."""
        return consolescorecards.scorecard_file(self._s, name, file)

    def compliance(self) -> r.CompliancePage:
        """Return this installation held against controls."""
        return compliance_page(self._s, time.time())

    # ---- the trail, and people ----

    def trail(self, before: int | None, limit: int) -> r.TrailList:
        """Return changes, newest first."""
        entries = self._s.people.trail(before=before, limit=limit + 1)
        items = [
            r.TrailLine(number=e.number, at=e.at, by=e.by, how=e.how, what=e.what, subject=e.subject,
                        detail=msgspec.json.decode(e.detail), digest=e.digest)
            for e in entries[:limit]
        ]  # fmt: skip
        following = items[-1].number if len(entries) > limit else None
        return r.TrailList(items=items, next=following, head=self._s.people.trail_head()[0],
                           ledger=self._s.people.mark("ledger"))  # fmt: skip

    def people(self) -> r.PeopleList:
        """Return people and tokens."""
        return r.PeopleList(
            people=[r.PersonLine(name=p.name, role=p.role, has_password=p.has_password, sso=bool(p.subject),
                                 created=p.created, disabled=p.disabled) for p in self._s.people.everyone()],
            tokens=[r.TokenLine(id=t.id, person=t.person, role=t.role, label=t.label, made=t.made, expires=t.expires,
                                revoked=t.revoked) for t in self._s.people.tokens()],
        )  # fmt: skip


def _rate(what: str, promised: float | None, wrong: int, decided: int) -> r.Realised:
    low, high = clopper_pearson(wrong, decided)
    return r.Realised(what=what, promised=promised, wrong=wrong, decided=decided, low=float(low), high=float(high),
                      rate=wrong / decided if decided else None)  # fmt: skip
