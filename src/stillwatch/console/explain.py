"""Why one account or one campaign stands where it stands, for `stillwatch explain`.

In: a `Report` and a name. Out: every line of evidence against its threshold, and what would clear it.
"""

import difflib
from itertools import islice

from stillwatch.console import standing, summary
from stillwatch.console.report import Report
from stillwatch.console.terminal import Paper
from stillwatch.console.wording import chance, count, iso, plural, safe, scenario_title, signed
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.verdict import AccountVerdict, Campaign, Evidence

NEAR = 5
NOTHING_CLEARS = "Nothing it does from here on; only what you know and this input does not say."
SEARCHED = 5000
"""Names compared letter by letter when nothing matches; keeps the answer quick on a million accounts."""


def render_explain(report: Report, entity: str, width: int = 80) -> str:
    """Return what is known of `entity`: an account's name in the input, or a campaign's id.

    Raises:
        StillwatchError: neither is called that; the message lists the nearest names.
    """
    paper = Paper(width, False)
    for campaign in report.verdicts.campaigns:
        if campaign.id == entity:
            _campaign(paper, report, campaign)
            return paper.text()
    hashes = {account for account, name in report.names.items() if name == entity}
    hashes |= {item.account for item in report.verdicts.accounts if report.name(item.account) == entity}
    if not hashes:
        raise StillwatchError(_unknown(report, entity))
    for account in sorted(hashes):
        _account(paper, report, account)
    return paper.text()


def render_unheld(name: str, requests: int, span: tuple[float, float], *, judged: bool, width: int = 80) -> str:
    """Return what there is to say of an account that was read and stands in no verdict.

    Args:
        name: As the input has it.
        requests: Events of it under one key epoch.
        span: Its first and last request, seconds since 1970.
        judged: Whether that is the key epoch that was judged.
        width: Columns.
    """
    paper = Paper(width, False)
    paper.say(f"Account {name}: not accused")
    paper.say(f"{plural(requests, 'request')}, from {iso(span[0])} to {iso(span[1])}.")
    if judged:
        paper.say("It was read and looked at; nothing is held against it, and it is not among the closest.")
    else:
        paper.say("It was read, but not in the key epoch (90 days) that was judged; nothing is held against it.")
    return paper.text()


def _unknown(report: Report, entity: str) -> str:
    near = near_names(report, entity)
    hint = f"Near it: {', '.join(safe(name) for name in near)}." if near else "No name is near it."
    return (
        f"entity {safe(entity[:200])!r}: unknown; must be an account of the input or a campaign id.\n{hint}"
        " The accounts CSV and the JSON of the scan list the names."
    )


def near_names(report: Report, entity: str) -> list[str]:
    """Return up to `NEAR` known names that look like `entity`, campaigns and judged accounts first."""
    judged = [c.id for c in report.verdicts.campaigns] + [report.name(a.account) for a in report.verdicts.accounts]
    low = entity.lower()
    partly = [name for name in report.names.values() if low and (low in name.lower() or name.lower() in low)]
    pool = list(dict.fromkeys([*judged, *partly[:SEARCHED], *islice(report.names.values(), SEARCHED)]))
    alike = difflib.get_close_matches(entity, pool, n=NEAR, cutoff=0.55)
    return list(dict.fromkeys([*alike, *sorted(partly, key=len)]))[:NEAR]


def _campaign(paper: Paper, report: Report, campaign: Campaign) -> None:
    bar = standing.campaign_bar(report.verdicts, campaign)
    paper.say(f"Campaign {campaign.id}: {'reported' if campaign.accused else 'looked at, not accused'}")
    paper.say()
    paper.say(" ".join(summary.campaign_story(campaign)))
    paper.say(f"It stands at {signed(campaign.log_e)} nats; {signed(bar)} are needed.")
    if not campaign.accused:
        paper.say(standing.why_not_campaign(report.verdicts, campaign))
    _evidence(paper, "Honest explanations, best fitting first", standing.explanations(campaign.evidence), bar)
    _evidence(paper, "Recognised by", standing.scenarios(campaign.evidence), bar)
    _clears(paper, campaign.evidence)
    if campaign.accused:
        names = [report.name(account) for account in campaign.accounts]
        paper.head(f"Accounts ({count(len(names))})")
        paper.say(", ".join(names), indent=2)
        paper.head("Receipt")
        paper.say(campaign.receipt(), indent=2)


def _account(paper: Paper, report: Report, account: int) -> None:
    verdicts = report.verdicts
    own = next((item for item in verdicts.accounts if item.account == account), None)
    homes = [c for c in verdicts.campaigns if account in c.accounts]
    accused = any(c.accused for c in homes) or bool(own and own.accused)
    paper.say(f"Account {report.name(account)}: {'accused' if accused else 'not accused'}")
    for campaign in homes:
        part = campaign.account_log_e[campaign.accounts.index(account)]
        state = "reported" if campaign.accused else "looked at, not accused"
        paper.say(f"Member of {campaign.id} ({state}); {signed(part)} nats that it took part.")
    if own is None:
        if not homes:
            paper.say("It was read and weighed, and it is not among the accounts that came closest.")
        return
    _own(paper, report, own)


def _own(paper: Paper, report: Report, own: AccountVerdict) -> None:
    bar, group = standing.verdict_bar(report.verdicts, own), standing.home(report.verdicts, own)
    paper.say(f"{plural(own.requests, 'request')}, {own.surface} use.")
    rests = f"Its verdict rests on {group.id}" if group else "On its own evidence"
    paper.say(f"{rests}: {signed(own.log_e)} nats; {signed(bar)} are needed.")
    if not own.accused:
        paper.say(standing.why_not_account(report.verdicts, own))
    _evidence(paper, f"Evidence against {group.id}" if group else "Evidence", standing.explanations(own.evidence), bar)
    _clears(paper, own.evidence)


def _evidence(paper: Paper, title: str, items: list[Evidence], bar: float) -> None:
    if not items:
        return
    paper.head(title)
    for item in items:
        state = "ruled out" if item.log_e >= bar else "not ruled out"
        weight = f"{signed(item.log_e)} of {signed(bar)} nats"
        paper.say(f"{scenario_title(item.scenario)}: {weight}, {state}", indent=2, bullet="- ")
        paper.say(f"Honest claim: {item.null}", indent=4)
        paper.say(f"If so, this comes up at most {chance(item.log_e)}; {plural(item.n, item.unit)} weighed.", indent=4)
        if item.detail:
            figures = ", ".join(f"{key} {value}" for key, value in item.detail.items())
            paper.say(figures, indent=4)


def _clears(paper: Paper, evidence: tuple[Evidence, ...]) -> None:
    paper.head("What would clear it")
    for way in standing.clears(evidence) or [NOTHING_CLEARS]:
        paper.say(way, indent=2, bullet="- ")
