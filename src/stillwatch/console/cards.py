"""What each part of the page shows, gathered: figures, drawings, sentences.

In: a `Report` and one campaign or account. Out: plain values for the templates, which escape every string but the
drawings: those are made here from numbers and fixed shapes alone.
Left to the templates: words around them and their order.
"""

from typing import Any

from stillwatch.console import bars, graph, standing, summary, timeline, wording
from stillwatch.console.report import ALL_TRAFFIC, Report
from stillwatch.terms.verdict import AccountVerdict, Campaign, Evidence

HUBS_LISTED = graph.NUMBERED
EARLIEST, LATEST = 3e8, 2e10
"""Bounds within which a figure about a time is read as seconds since 1970."""


def tiles(report: Report) -> list[tuple[str, str]]:
    """Return the four figures under the headline: value, then what it is."""
    found = standing.accused_campaigns(report.verdicts)
    other = "further groups" if found else "groups of linked accounts"
    held = (wording.count(len(standing.candidates(report.verdicts))), f"{other} looked at and not accused")
    read = (wording.count(summary.traffic(report)), "requests read")
    if not found:
        ran = sum(line.can_run for line in report.coverage)
        looked = (f"{ran} of {len(report.coverage)}", "scenarios that the input could feed")
        return [
            read,
            (wording.count(report.verdicts.figures.get("accounts", len(report.names))), "accounts read"),
            looked,
            held,
        ]
    tokens = (wording.count(sum(max(c.tokens_out, 0) for c in found)), "answer tokens the campaigns received")
    price = (wording.money(summary.harvest_cost(report)), "all their tokens at list price")
    wrong = (wording.share(report.error.q), "of reported campaigns expected to be honest, at most")
    return [tokens, price if report.prices else read, wrong, held]


def weighed(items: list[Evidence], threshold: float) -> list[dict[str, Any]]:
    """Return each piece of evidence with its bar and figures."""
    end = bars.axis_end([item.log_e for item in items], threshold)
    return [
        {
            "evidence": item,
            "bar": bars.bar(item.log_e, threshold=threshold, end=end),
            "passes": item.log_e >= threshold,
            "detail": [(key.replace("_", " "), figure(value)) for key, value in item.detail.items()],
        }
        for item in items
    ]


def campaign(report: Report, campaign: Campaign, number: int) -> dict[str, Any]:
    """Return everything the section of one reported campaign shows; `number` counts from 1."""
    bar = standing.campaign_bar(report.verdicts, campaign)
    known = {item.account: item for item in report.verdicts.accounts}
    rows = [
        (report.name(account), known.get(account), log_e)
        for account, log_e in zip(campaign.accounts, campaign.account_log_e, strict=True)
    ]
    picture = graph.draw(report.edges.get(campaign.id, ()), len(campaign.accounts))
    strips = timeline.draw(
        report.timeline.get(campaign.id, ()),
        report.timeline.get(ALL_TRAFFIC, ()),
        start=report.timeline_start,
        step=report.timeline_step,
    )
    return {
        "number": number,
        "anchor": f"campaign-{number}",
        "campaign": campaign,
        "story": summary.campaign_story(campaign),
        "threshold": bar,
        "single": len(campaign.families) < 2,
        "averaged": standing.averaged(campaign),
        "explanations": weighed(standing.explanations(campaign.evidence), bar),
        "scenarios": weighed(standing.scenarios(campaign.evidence), bar),
        "links": standing.links(campaign),
        "clears": standing.clears(campaign.evidence),
        "cost": report.prices.cost(campaign.tokens_in, campaign.tokens_out) if report.prices else None,
        "rows": rows,
        "parts": any(campaign.account_log_e),
        "picture": picture,
        "picture_svg": picture.svg if picture else "",
        "hubs": [(hub, graph.legend_mark(hub.kind)) for hub in picture.hubs[:HUBS_LISTED]] if picture else [],
        "strips": strips,
        "traffic_svg": strips.traffic_svg if strips else "",
        "campaign_svg": strips.campaign_svg if strips else "",
    }


def account(report: Report, item: AccountVerdict) -> dict[str, Any]:
    """Return what is shown of one account that was not accused, or accused alone."""
    threshold = standing.verdict_bar(report.verdicts, item)
    end = max(1.25 * threshold, 1e-9)
    return {
        "threshold": threshold,
        "name": report.name(item.account),
        "account": item,
        "bar": bars.bar(item.log_e, threshold=threshold, end=end),
        "strongest": standing.strongest(item.evidence),
        "weighed": weighed(sorted(item.evidence, key=lambda e: -e.log_e), threshold),
        "clears": standing.clears(item.evidence),
        "why": standing.why_not_account(report.verdicts, item),
    }


def candidate(report: Report, campaign: Campaign) -> dict[str, Any]:
    """Return the line of one group that was looked at and not accused."""
    threshold = standing.campaign_bar(report.verdicts, campaign)
    end = max(1.25 * threshold, 1e-9)
    return {
        "campaign": campaign,
        "threshold": threshold,
        "bar": bars.bar(campaign.log_e, threshold=threshold, end=end),
        "why": standing.why_not_campaign(report.verdicts, campaign),
        "links": ", ".join(campaign.families),
    }


def figure(value: object) -> str:
    """Return a figure of a receipt: numbers with few digits, words made safe."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return wording.safe(str(value))
    if float(value).is_integer() and abs(value) < 1e15:
        return wording.signed(float(value), 0)
    return f"{value:.3g}".replace("-", wording.MINUS)


def run_figures(report: Report) -> list[tuple[str, str]]:
    """Return the sizes of the run as (what, value), times as dates."""
    rows = []
    for key, value in report.verdicts.figures.items():
        title = wording.FIGURES.get(key, key.replace("_", " "))
        if isinstance(value, dict):
            rows.append((title, ", ".join(f"{name} {figure(part)}" for name, part in value.items())))
        else:
            parts = list(value) if isinstance(value, (list, tuple)) else [value]
            rows.append((title, " to ".join(_sized(key, part) for part in parts)))
    return rows


def _sized(key: str, value: object) -> str:
    if isinstance(value, (int, float)):
        if key.endswith("seconds"):
            return wording.duration(value)
        if EARLIEST < value < LATEST and any(word in key for word in ("span", "first", "last", "start", "end")):
            return wording.moment(value)
    return figure(value)
