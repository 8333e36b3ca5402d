"""What the console shows of a judgement, put in order once, when it is published.

In: the report of a judgement, what is held, the events that were judged. Out: one transaction on the page index.
Cost: one rollup and the events of the accused, then a second for 100,000 accounts; no page does any of it again.
Left to `store.pageindex`: keeping it. Left to `consoleviews`: reading it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np

from stillwatch.app.claims import joined
from stillwatch.app.pictures import by_campaign
from stillwatch.app.subjects import Claim, claims_of_held, claims_of_report
from stillwatch.console import standing
from stillwatch.console.records import (
    AccountBody,
    AccountLine,
    CampaignBody,
    CampaignLine,
    Head,
    Judgement,
    MemberLine,
    Skeleton,
)
from stillwatch.console.report import ALL_TRAFFIC, Report
from stillwatch.gateway.published import Published
from stillwatch.store.pageindex import PageIndex, Publication
from stillwatch.terms.ports import EventSource, Window
from stillwatch.terms.verdict import AccountVerdict, Campaign

LEAST_K: Final = 5
"""Accounts that must share a template before the index keeps its skeleton at all."""
SKELETONS: Final = 20
"""Skeletons kept of a campaign, those that the most accounts share."""
WEEK: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judgement with all that its pages are made of."""

    report: Report
    published: Published
    skeletons: Mapping[str, tuple[Skeleton, ...]]
    week: Sequence[tuple[int, int]]
    """(account hash, requests in the last seven days)."""


def judged_of(report: Report, published: Published, source: EventSource) -> Judged:
    """Gather what pages need of the events: skeletons of the accused campaigns, and each account's last week."""
    epoch = report.verdicts.figures.get("epoch")
    if not report.verdicts.figures.get("events") or epoch is None:
        return Judged(report=report, published=published, skeletons={}, week=())
    start = source.span(epoch).last - WEEK
    roll = source.rollup(Window(epoch=epoch, start=start))
    week = list(zip(roll["account"].tolist(), roll["n_requests"].tolist(), strict=True))
    return Judged(report=report, published=published, skeletons=skeletons_of(report, source), week=week)


def skeletons_of(report: Report, source: EventSource) -> dict[str, tuple[Skeleton, ...]]:
    """Return by accused campaign the keyed skeletons that at least `LEAST_K` of its accounts sent."""
    window = Window(epoch=report.verdicts.figures["epoch"])
    asked = [(c, c.accounts) for c in report.verdicts.campaigns if c.accused]
    found = {}
    for campaign, events in by_campaign(source, asked, window):
        keys, accounts = events["sketch"]["skeleton"], events["account"]
        pairs, counts = np.unique(np.stack([keys, accounts], axis=1), axis=0, return_counts=True)
        names, first, sharing = np.unique(pairs[:, 0], return_index=True, return_counts=True)
        requests = np.add.reduceat(counts, first) if len(first) else np.zeros(0, np.int64)
        shared = np.flatnonzero((sharing >= LEAST_K) & (names != 0))
        order = shared[np.lexsort((names[shared], -sharing[shared]))][:SKELETONS]
        found[campaign.id] = tuple(
            Skeleton(key=f"{int(names[i]):016x}"[:6], accounts=int(sharing[i]), requests=int(requests[i]))
            for i in order
        )
    return found


def publish_pages(index: PageIndex, judged: Judged) -> None:
    """Replace what pages show.

    Raises:
        StillwatchError: the disk refuses; the pages stay as they were.
    """
    report, published = judged.report, judged.published
    claims = joined(claims_of_held(tuple(published.held.values())), claims_of_report(report))
    head = head_of(judged)
    index.publish(Publication(
        generation=published.generation, judged_until=published.judged_until, head=msgspec.json.encode(head),
        judgement=msgspec.json.encode(Judgement(
            generation=published.generation, judged_until=published.judged_until, made_at=published.made_at,
            campaigns=head.campaigns, accounts=head.accused, looked_at=head.looked_at, events=head.events,
        )), campaigns=_campaigns(judged), members=_members(report), accounts=_accounts(report), claims=_claims(claims),
        week=judged.week,
    ))  # fmt: skip


def head_of(judged: Judged) -> Head:
    """Return what all pages say of the judgement."""
    report, published = judged.report, judged.published
    verdicts = report.verdicts
    accused = standing.accused_campaigns(verdicts)
    dollars = sum(report.prices.cost(c.tokens_in, c.tokens_out) for c in accused) if report.prices else None
    return Head(
        generation=published.generation, made_at=published.made_at, judged_until=published.judged_until,
        q=verdicts.q, alpha=verdicts.alpha, looked_at=verdicts.looked_at, calibrated=verdicts.calibrated,
        notes=verdicts.notes, events=int(verdicts.figures.get("events") or 0),
        accounts=int(verdicts.figures.get("accounts") or 0), campaigns=len(accused),
        candidates=len(verdicts.campaigns) - len(accused), accused=len(standing.accused_accounts(report)),
        epoch=int(verdicts.figures.get("epoch") or 0), week_requests=sum(n for _, n in judged.week),
        traffic=tuple(report.timeline.get(ALL_TRAFFIC, ())), timeline_start=report.timeline_start,
        timeline_step=report.timeline_step, account_bar=standing.account_bar(verdicts),
        tokens_out=sum(max(c.tokens_out, 0) for c in accused), dollars=dollars, prices=report.prices,
        measured=report.error.measured, coverage=report.coverage,
    )  # fmt: skip


def _campaigns(judged: Judged) -> Iterator[tuple[str, bool, float, float, bytes, bytes]]:
    report = judged.report
    accused = sum(c.accused for c in report.verdicts.campaigns)
    for campaign in report.verdicts.campaigns:
        bar = _bar(report, campaign, accused)
        line = CampaignLine(
            id=campaign.id, accused=campaign.accused, accounts=len(campaign.accounts), requests=campaign.requests,
            harvest=campaign.harvest, tokens_in=campaign.tokens_in, tokens_out=campaign.tokens_out,
            dollars=report.prices.cost(campaign.tokens_in, campaign.tokens_out) if report.prices else None,
            log_e=campaign.log_e, threshold=bar, first_seen=campaign.first_seen, last_seen=campaign.last_seen,
            families=list(campaign.families), receipt=campaign.receipt(),
            why_not="" if campaign.accused else standing.why_not_campaign(report.verdicts, campaign),
        )  # fmt: skip
        body = CampaignBody(
            campaign=campaign, threshold=bar, timeline=tuple(report.timeline.get(campaign.id, ())),
            edges=tuple(report.edges.get(campaign.id, ())), skeletons=judged.skeletons.get(campaign.id, ()),
        )  # fmt: skip
        yield campaign.id, campaign.accused, campaign.log_e, bar, msgspec.json.encode(line), msgspec.json.encode(body)


def _bar(report: Report, campaign: Campaign, accused: int) -> float:
    """Return the nats needed, without a look at every other campaign for each."""
    stated = report.verdicts.figures.get("thresholds") or {}
    if campaign.id in stated:
        return float(stated[campaign.id])
    rank = accused + (not campaign.accused)
    single = math.log(standing.SINGLE_FAMILY_FACTOR) if len(campaign.families) < 2 else 0.0
    return math.log(max(report.verdicts.looked_at, rank, 1) / (report.verdicts.q * rank)) + single


def _members(report: Report) -> Iterator[tuple[str, int, str, bytes]]:
    known = {item.account: item for item in report.verdicts.accounts}
    for campaign in report.verdicts.campaigns:
        pairs = zip(campaign.accounts, campaign.account_log_e, strict=True)
        for position, (account, log_e) in enumerate(pairs):
            verdict, name = known.get(account), report.name(account)
            line = MemberLine(account=name, log_e=log_e, requests=verdict.requests if verdict else None,
                              surface=verdict.surface if verdict else "")  # fmt: skip
            yield campaign.id, position, name, msgspec.json.encode(line)


def _accounts(report: Report) -> Iterator[tuple[str, bool, float, float, bytes, bytes]]:
    """Yield every account that stands in the verdicts: the accused first, then those that came closest."""
    verdicts = report.verdicts
    campaigns = {c.id: c for c in verdicts.campaigns}
    accused = sum(c.accused for c in verdicts.campaigns)
    bars = {c.id: _bar(report, c, accused) for c in verdicts.campaigns}
    alone = {True: standing.account_bar(verdicts, accused=True), False: standing.account_bar(verdicts)}
    seen: set[int] = set()
    for verdict in verdicts.accounts:
        seen.add(verdict.account)
        home = campaigns.get(verdict.campaign or "")
        own = not home or verdict.evidence != home.evidence
        body = AccountBody(verdict=verdict if own else replace(verdict, evidence=()), campaign=home.id if home else "")
        bar = bars[home.id] if home else alone[verdict.accused]
        yield _account(report, verdict, bar, body)
    for campaign in verdicts.campaigns:
        for account in campaign.accounts:
            if account not in seen and campaign.accused:
                seen.add(account)
                verdict = AccountVerdict(account=account, log_e=campaign.log_e, campaign=campaign.id, accused=True,
                                         evidence=(), surface="", requests=0)  # fmt: skip
                body = AccountBody(verdict=None, campaign=campaign.id)
                yield _account(report, verdict, bars[campaign.id], body)


def _account(
    report: Report, verdict: AccountVerdict, bar: float, body: AccountBody
) -> tuple[str, bool, float, float, bytes, bytes]:
    name = report.name(verdict.account)
    line = AccountLine(
        account=name, accused=verdict.accused, campaign=verdict.campaign or "", log_e=verdict.log_e, threshold=bar,
        requests=verdict.requests or None, surface=verdict.surface,
    )  # fmt: skip
    return name, verdict.accused, verdict.log_e, bar, msgspec.json.encode(line), msgspec.json.encode(body)


def _claims(claims: tuple[Claim, ...]) -> Iterator[tuple[str, str, bool, bytes]]:
    """Yield each claim; an account is listed by itself only where no accused campaign lists it."""
    campaigns = {claim.subject for claim in claims if claim.kind == "campaign" and claim.accused}
    for claim in claims:
        alone = claim.kind == "campaign" or claim.campaign not in campaigns
        yield claim.kind, claim.subject, claim.accused and alone, encode_claim(claim)


def encode_claim(claim: Claim) -> bytes:
    """Return a claim as the index keeps it; an end that is not set is left out."""
    told: dict[str, Any] = msgspec.to_builtins(claim)
    if not math.isfinite(claim.expires):
        told.pop("expires")
    return msgspec.json.encode(told)


def decode_claim(body: bytes) -> Claim:
    """Return it again."""
    told = {"expires": math.inf, **msgspec.json.decode(body)}
    return msgspec.convert(told, Claim)
