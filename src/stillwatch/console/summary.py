"""The sentences that a reader meets first: what was found, how sure, what next.

In: a `Report`. Out: plain sentences, shared by the HTML page and the terminal.
"""

from stillwatch.console.report import Report
from stillwatch.console.standing import (
    accused_accounts,
    accused_campaigns,
    candidates,
    explanations,
    links,
    lone_accounts,
)
from stillwatch.console.wording import chance, count, day, listing, money, plural, scenario_title, share
from stillwatch.terms.verdict import Campaign

DECIDES_SCAN = "A person decides. Nothing was blocked, slowed or changed, and no account was told."
DECIDES_LIVE = (
    "A person decides. This page was written when traffic was judged: for what people decided since, and what policy"
    " does, run stillwatch decide list and stillwatch status."
)
NEXT_FOUND = (
    "Read each campaign's best honest explanation first, and ask whether you know of a reason for it:"
    " a class, a partner, a published tool, one customer with many keys.",
    "Check the accounts against what only you hold: contracts, sign-up records, support mail.",
    "Write down what you decide (confirm or dismiss) together with the receipt, so that it can be defended later.",
)
NEXT_NOTHING = (
    "Nothing has to be done.",
    "Look at the coverage: a scenario that could not run has found nothing because it did not look.",
    "Scan a longer span, or more fields, if you expected to see something.",
)
NEXT_UNREAD = (
    "Look at the reasons for the bad rows: nothing was judged, so nothing is known of this traffic.",
    "Check that the file is the log you meant and that its format is the one that was read, then scan again.",
)
QUARANTINES_NAMED = 3
LIMITS = (
    "Evidence links accounts by what they sent and how. It does not say who is behind them or why.",
    "A campaign whose accounts share nothing that stays (wording, subjects, payment, network, client) is not seen.",
    "Answers that were bought or copied from honest accounts leave no trace in this traffic.",
    "Sketches are pseudonymous, not anonymous: whoever holds the key can test a guess against them.",
    "No scenario uses country or language.",
)


def headline(report: Report) -> str:
    """Return the finding in one line, such as `2 campaigns, 143 accounts`."""
    found, lone = accused_campaigns(report.verdicts), lone_accounts(report)
    if found:
        members = len({account for campaign in found for account in campaign.accounts})
        extra = f", and {plural(len(lone), 'account')} alone" if lone else ""
        return f"{plural(len(found), 'campaign')}, {plural(members, 'account')}{extra}"
    if lone:
        return f"No campaign, {plural(len(lone), 'account')} accused alone"
    if unread(report):
        return f"Nothing could be read: no row is good, {count(sum(item.bad for item in report.inputs))} are bad"
    return "Nothing found"


def unread(report: Report) -> bool:
    """Return whether there were rows and none of them was good, so that nothing was judged."""
    return traffic(report) == 0 and any(item.bad for item in report.inputs)


def steps(report: Report) -> tuple[str, ...]:
    """Return what a reader does next, in order."""
    if accused_accounts(report):
        return (DECIDES_LIVE if report.live else DECIDES_SCAN, *NEXT_FOUND)
    return NEXT_UNREAD if unread(report) else NEXT_NOTHING


def lead(report: Report) -> str:
    """Return the sentence that stands under the headline."""
    verdicts, found = report.verdicts, accused_campaigns(report.verdicts)
    events = traffic(report)
    if unread(report) and not found:
        names = [item.quarantine for item in report.inputs if item.quarantine]
        more = len(names) - QUARANTINES_NAMED
        rest = f" and {plural(more, 'further file')}" if more > 0 else ""
        shown = listing(names[:QUARANTINES_NAMED])
        where = f" Each bad row is listed with its reason in {shown}{rest}" if names else ""
        return f"No request was judged.{where}"
    if not found:
        looked = plural(len(verdicts.campaigns), "group of linked accounts", "groups of linked accounts")
        return (
            f"{count(events)} requests were read and {looked} looked at."
            " What was looked for, and what could not be, stands below."
        )
    requests = sum(campaign.requests for campaign in found)
    first, last = min(c.first_seen for c in found), max(c.last_seen for c in found)
    part = f" ({share(requests / events)} of all traffic)" if 0 < requests <= events else ""
    verb = "It" if len(found) == 1 else "Together they"
    cost = harvest_cost(report)
    worth = f", worth {money(cost)} at list price" if cost else ""
    return f"{verb} sent {plural(requests, 'request')}{part} between {day(first)} and {day(last)}{worth}."


def traffic(report: Report) -> int:
    """Return the requests that were read: the run's figure, else the good rows of the inputs."""
    return int(report.verdicts.figures.get("events") or sum(item.good for item in report.inputs))


def harvest_cost(report: Report) -> float:
    """Return what the reported campaigns' tokens cost at the stated prices, dollars; 0 without prices."""
    found = accused_campaigns(report.verdicts)
    return sum(report.prices.cost(c.tokens_in, c.tokens_out) for c in found) if report.prices else 0.0


def campaign_story(campaign: Campaign) -> list[str]:
    """Return one campaign in plain sentences: what it did, what links it, how sure that is."""
    when = f"between {day(campaign.first_seen)} and {day(campaign.last_seen)}"
    if day(campaign.first_seen) == day(campaign.last_seen):
        when = f"on {day(campaign.first_seen)}"
    story = [f"{plural(len(campaign.accounts), 'account')} sent {plural(campaign.requests, 'request')} {when}."]
    if campaign.requests and campaign.harvest:
        part = share(campaign.harvest / campaign.requests)
        story.append(f"{count(campaign.harvest)} of those ({part}) carried the text that the accounts share.")
    story.append(f"The accounts share {links(campaign)}.")
    weighed = explanations(campaign.evidence)
    if weighed:
        best = weighed[0]
        several = f"Of {len(weighed)} honest explanations, the one that fits best"
        tried = "The honest explanation weighed" if len(weighed) == 1 else several
        story.append(
            f"{tried} is “{scenario_title(best.scenario).lower()}”. If that were the truth, evidence this strong"
            f" would come up at most {chance(campaign.log_e)}."
        )
    return story


def promise(report: Report) -> list[str]:
    """Return what the run promises about its errors, in sentences."""
    verdicts, error = report.verdicts, report.error
    found = len(accused_campaigns(verdicts))
    lines = [
        f"Of the campaigns reported, at most {share(error.q)} are expected to be honest groups"
        f" (e-BH at q = {error.q:g}; {plural(verdicts.looked_at, 'hypothesis', 'hypotheses')} counted,"
        f" {found} reported).",
        f"One honest account is accused on its own evidence with chance at most {share(error.alpha)}"
        f" (alpha = {error.alpha:g}).",
    ]
    if verdicts.calibrated:
        lines.append("Both are calibrated on earlier traffic that was given as honest.")
    elif not any(note.startswith("No calibration") for note in verdicts.notes):
        lines.append(
            "No calibration was given: the first half of this input, trimmed of suspects, served as history and the"
            " second half was judged. Accounts are therefore accused only by evidence across accounts."
        )
    if not error.measured:
        lines.append("No measured error rate was given for this version: the promise above stands on theory alone.")
    return lines


def tally(report: Report) -> dict[str, int]:
    """Return how many campaigns, accounts and candidates there are."""
    return {
        "campaigns": len(accused_campaigns(report.verdicts)),
        "accounts": len(accused_accounts(report)),
        "candidates": len(candidates(report.verdicts)),
    }
