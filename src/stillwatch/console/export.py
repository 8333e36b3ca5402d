"""The scan for other programs: a table of accounts, and a record with everything that may leave.

In: a `Report`. Out: CSV text and plain values for JSON (schema in docs/reference/report.md).
Only reported campaigns name their accounts; groups that were looked at and not accused give counts.
"""

import csv
import io
import math
from dataclasses import asdict
from typing import Any

from stillwatch.console import standing, summary
from stillwatch.console.report import Report
from stillwatch.console.wording import iso, safe, scenario_title, signed
from stillwatch.terms.verdict import Campaign, Evidence

SCHEMA_VERSION = 1
COLUMNS = ("account", "campaign", "accused", "log_e", "part_log_e", "requests", "surface", "first_reason")
_FORMULA = "=+-@＝＋－＠|"


def write_csv(report: Report) -> str:
    """Return the accounts as CSV: every accused one, then the honest ones that came closest.

    A text cell that a spreadsheet would run as a formula gets a leading apostrophe; JSON has the exact names.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    known = {item.account: item for item in report.verdicts.accounts}
    parts = {c.id: dict(zip(c.accounts, c.account_log_e, strict=True)) for c in report.verdicts.campaigns}
    for account, log_e, campaign in standing.accused_accounts(report):
        own = known.get(account)
        part = parts.get(campaign or "", {}).get(account)
        writer.writerow(
            [
                *(guarded(report.name(account)), guarded(campaign or ""), "true", f"{log_e:.4f}"),
                *(
                    "" if part is None else f"{part:.4f}",
                    own.requests if own else "",
                    guarded(own.surface if own else ""),
                ),
                _accusation(own.evidence if own else (), campaign),
            ]
        )
    for item in standing.closest_honest(report):
        part = parts.get(item.campaign or "", {}).get(item.account)
        writer.writerow(
            [
                *(guarded(report.name(item.account)), guarded(item.campaign or ""), "false", f"{item.log_e:.4f}"),
                *("" if part is None else f"{part:.4f}", item.requests, guarded(item.surface)),
                guarded(standing.why_not_account(report.verdicts, item)),
            ]
        )
    return out.getvalue()


def _accusation(evidence: tuple[Evidence, ...], campaign: str | None) -> str:
    if campaign:
        return guarded(f"Member of campaign {campaign}")
    item = standing.strongest(evidence)
    return guarded(f"{scenario_title(item.scenario)}: {signed(item.log_e)} nats against: {item.null}") if item else ""


def guarded(text: str) -> str:
    """Return a text cell that no spreadsheet takes for a formula; control characters are spelt out.

    >>> guarded("=1+1"), guarded(" @x"), guarded("user-7")
    ("'=1+1", "' @x", 'user-7')
    """
    text = safe(text)
    bare = text.lstrip()
    return f"'{text}" if bare[:1] and bare[0] in _FORMULA else text


def to_json(report: Report) -> dict[str, Any]:
    """Return the scan as plain values, ready for any JSON encoder.

    A figure that is not finite is None; half a character (from a file name that is not UTF-8) is spelt out.
    """
    verdicts = report.verdicts
    record = {
        "schema": SCHEMA_VERSION,
        "stillwatch": report.version,
        "title": report.title,
        "made_at": iso(report.made_at),
        "command": report.command,
        "headline": summary.headline(report),
        "campaigns": [_campaign(report, campaign) for campaign in standing.accused_campaigns(verdicts)],
        "candidates": [_candidate(report, campaign) for campaign in standing.candidates(verdicts)],
        "accused": [
            {"account": report.name(account), "log_e": finite(log_e), "campaign": campaign}
            for account, log_e, campaign in standing.accused_accounts(report)
        ],
        "closest": [
            {
                "account": report.name(item.account),
                "log_e": finite(item.log_e),
                "threshold": standing.verdict_bar(verdicts, item),
                "group": item.campaign,
                "requests": item.requests,
                "surface": item.surface,
                "flag": any(bool(e.detail.get("flag")) for e in item.evidence),
                "why": standing.why_not_account(verdicts, item),
            }
            for item in standing.closest_honest(report)
        ],
        "run": _run(report),
    }
    return {key: plain(value) for key, value in record.items()}


def finite(value: float) -> float | None:
    """Return the number, or None where JSON has no word for it."""
    return float(value) if math.isfinite(value) else None


def _campaign(report: Report, campaign: Campaign) -> dict[str, Any]:
    prices = report.prices
    return {
        "id": campaign.id,
        "accounts": [report.name(account) for account in campaign.accounts],
        "account_log_e": [finite(value) for value in campaign.account_log_e],
        "requests": campaign.requests,
        "harvest": campaign.harvest,
        "tokens_in": campaign.tokens_in,
        "tokens_out": campaign.tokens_out,
        "cost_dollars": round(prices.cost(campaign.tokens_in, campaign.tokens_out), 6) if prices else None,
        "first_seen": iso(campaign.first_seen),
        "last_seen": iso(campaign.last_seen),
        "log_e": finite(campaign.log_e),
        "threshold": standing.campaign_bar(report.verdicts, campaign),
        "receipt": campaign.receipt(),
        "families": list(campaign.families),
        "evidence": [asdict(item) for item in campaign.evidence],
        "clears": standing.clears(campaign.evidence),
    }


def _candidate(report: Report, campaign: Campaign) -> dict[str, Any]:
    weighed = standing.explanations(campaign.evidence)
    return {
        "id": campaign.id,
        "accounts": len(campaign.accounts),
        "requests": campaign.requests,
        "log_e": finite(campaign.log_e),
        "threshold": standing.campaign_bar(report.verdicts, campaign),
        "families": list(campaign.families),
        "held": weighed[0].scenario if weighed else None,
        "why": standing.why_not_campaign(report.verdicts, campaign),
    }


def _run(report: Report) -> dict[str, Any]:
    verdicts = report.verdicts
    return {
        "q": verdicts.q,
        "alpha": verdicts.alpha,
        "looked_at": verdicts.looked_at,
        "calibrated": verdicts.calibrated,
        "notes": list(verdicts.notes),
        "figures": plain(verdicts.figures),
        "measured_error": [asdict(item) for item in report.error.measured],
        "inputs": [asdict(item) for item in report.inputs],
        "coverage": [asdict(item) for item in report.coverage],
    }


def plain(value: Any) -> Any:
    """Return `value` in types that JSON knows: numbers from arrays unpacked, what is not finite as None."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return finite(value)
    return value if isinstance(value, int) or value is None else str(value)
