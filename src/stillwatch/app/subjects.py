"""What is held against accounts and campaigns, from the live verdicts and from the last report.

In: the published verdicts, a scan's report. Out: one `Claim` each that a person can decide on.
A decision pins the claim it was made on by its receipt. Left to `decide`: deciding.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from stillwatch.console.report import Report
from stillwatch.terms.action import Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is held against one account or campaign."""

    subject: str
    kind: str
    """`account` or `campaign`."""
    accounts: tuple[str, ...]
    """Accounts that it speaks of, by id, strongest first."""
    nameless: int = 0
    """Accounts of the campaign that no name is known of; nothing can be decided of them."""
    campaign: str = ""
    """For an account: the campaign it is held to be part of."""
    log_e: float
    """Nats."""
    accused: bool
    since: float
    """Seconds since 1970."""
    expires: float
    """When the verdict lapses unless it is published again; infinite for a report."""
    receipt: str
    source: str
    """`published`, `report`, or `coalition` where nothing but other providers' warnings speaks of it."""


def claims_of_held(held: Sequence[Held]) -> tuple[Claim, ...]:
    """Return one claim for each account that is held, then one for each campaign."""
    out = [
        Claim(subject=h.account, kind="account", accounts=(h.account,), campaign=h.campaign or "", log_e=h.log_e,
              accused=h.accused, since=h.since, expires=h.expires, receipt=_receipt([h]), source="published")
        for h in held
    ]  # fmt: skip
    campaigns: dict[str, list[Held]] = {}
    for item in sorted(held, key=lambda h: (-h.log_e, h.account)):
        if item.campaign and item.accused:
            campaigns.setdefault(item.campaign, []).append(item)
    for name, members in campaigns.items():
        out.append(
            Claim(subject=name, kind="campaign", accounts=tuple(h.account for h in members), campaign=name,
                  log_e=max(h.log_e for h in members), accused=True, since=min(h.since for h in members),
                  expires=max(h.expires for h in members), receipt=_receipt(members), source="published")
        )  # fmt: skip
    return tuple(out)


def claims_of_report(report: Report) -> tuple[Claim, ...]:
    """Return one claim for each accused campaign of a report, each of its members, and each account accused alone."""
    names, made = report.names, report.made_at
    out: list[Claim] = []
    for campaign in report.verdicts.campaigns:
        if not campaign.accused:
            continue
        pairs = zip(campaign.accounts, campaign.account_log_e, strict=True)
        known = [(names[account], log_e) for account, log_e in pairs if account in names]
        receipt = campaign.receipt()
        out.append(
            Claim(subject=campaign.id, kind="campaign", accounts=tuple(name for name, _ in known),
                  nameless=len(campaign.accounts) - len(known), campaign=campaign.id, log_e=campaign.log_e,
                  accused=True, since=made, expires=float("inf"), receipt=receipt, source="report")
        )  # fmt: skip
        out += [
            Claim(subject=name, kind="account", accounts=(name,), campaign=campaign.id, log_e=log_e, accused=True,
                  since=made, expires=float("inf"), receipt=receipt, source="report")
            for name, log_e in known
        ]  # fmt: skip
    members = {claim.subject for claim in out}
    for verdict in report.verdicts.accounts:
        name = names.get(verdict.account)
        if name and name not in members:
            digest = hashlib.blake2b(msgspec.json.encode(verdict), digest_size=16).hexdigest()
            out.append(
                Claim(subject=name, kind="account", accounts=(name,), campaign=verdict.campaign or "",
                      log_e=verdict.log_e, accused=verdict.accused, since=made, expires=float("inf"), receipt=digest,
                      source="report")
            )  # fmt: skip
    return tuple(out)


def merged(first: Sequence[Claim], then: Sequence[Claim]) -> tuple[Claim, ...]:
    """Return the claims of both; of two on one thing the first, with the other's members and receipt as well.

    What is published is what workers act on; what a report adds is who joined since, and the receipt that a
    person has read.
    """
    later = {(claim.kind, claim.subject): claim for claim in then}
    out = []
    for claim in first:
        other = later.pop((claim.kind, claim.subject), None)
        if other is not None and other.accused == claim.accused:
            claim = replace(claim, accounts=tuple(dict.fromkeys((*claim.accounts, *other.accounts))),
                            nameless=other.nameless, log_e=other.log_e, receipt=other.receipt)  # fmt: skip
        out.append(claim)
    return (*out, *later.values())


def matching(claims: Iterable[Claim], subject: str) -> tuple[Claim, ...]:
    """Return the claims about this id, at most one a kind; what comes first wins."""
    found: dict[str, Claim] = {}
    for claim in claims:
        if claim.subject == subject:
            found.setdefault(claim.kind, claim)
    return tuple(found.values())


def _receipt(members: Sequence[Held]) -> str:
    """Return a digest of what was published: 32 hex digits."""
    return hashlib.blake2b(msgspec.json.encode(list(members)), digest_size=16).hexdigest()
