"""The scan in a terminal: what was found, how sure, what next.

In: a `Report`. Out: text of at most `width` columns where words allow, colour only when asked for.
"""

import textwrap

from stillwatch.console import standing, summary
from stillwatch.console.report import Report
from stillwatch.console.wording import count, money, plural, safe, scenario_title, share, signed

CAMPAIGNS_SHOWN = 20
_BOLD, _WARN, _DIM, _OFF = "\x1b[1m", "\x1b[33m", "\x1b[2m", "\x1b[0m"


class Paper:
    """Lines of text, wrapped at a width, coloured or plain."""

    def __init__(self, width: int, colour: bool) -> None:
        self.width = max(width, 40)
        self.colour = colour
        self.lines: list[str] = []

    def say(self, text: str = "", *, indent: int = 0, style: str = "", bullet: str = "") -> None:
        """Add one paragraph; `bullet` stands before its first line and the rest hangs under its text."""
        lead = " " * indent + bullet
        wrapped = textwrap.wrap(
            safe(text), self.width, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False,
            break_long_words=False,  # a path is copied from here
        ) or [""]  # fmt: skip
        self.lines += [f"{style}{line}{_OFF}" if self.colour and style else line for line in wrapped]

    def head(self, text: str) -> None:
        """Add a heading with an empty line before it."""
        self.lines.append("")
        self.say(text, style=_BOLD)

    def text(self) -> str:
        """Return everything, ended by a line feed."""
        return "\n".join(self.lines) + "\n"


def render_text(report: Report, width: int = 80, colour: bool = False) -> str:
    """Return the summary for a terminal `width` columns wide (40 at least)."""
    paper = Paper(width, colour)
    paper.say(f"Stillwatch {report.version}: {report.title}", style=_DIM)
    paper.head(summary.headline(report))
    paper.say(summary.lead(report))
    _campaigns(paper, report)
    _alone(paper, report)
    paper.head("How far to trust this")
    for line in summary.promise(report):
        paper.say(line, indent=2, bullet="- ")
    for rate in report.error.measured:
        bound = f"at most {share(rate.upper)} (95 % bound, n = {count(rate.n)})"
        text = (
            f"Measured: {rate.what}: {share(rate.measured)}, {bound}; promised {share(rate.promised)} [{rate.source}]"
        )
        paper.say(text, indent=2, bullet="- ")
    _input(paper, report)
    paper.head("What to do next")
    for i, step in enumerate(summary.steps(report), 1):
        paper.say(step, indent=2, bullet=f"{i}. ")
    return paper.text()


def _campaigns(paper: Paper, report: Report) -> None:
    verdicts = report.verdicts
    found = standing.accused_campaigns(verdicts)
    for i, campaign in enumerate(found[:CAMPAIGNS_SHOWN], 1):
        paper.head(f"{i}. Campaign {campaign.id}")
        paper.say(" ".join(summary.campaign_story(campaign)), indent=3)
        bar = standing.campaign_bar(verdicts, campaign)
        weight = f"{signed(campaign.log_e)} nats, {signed(bar)} needed"
        cost = report.prices.cost(campaign.tokens_in, campaign.tokens_out) if report.prices else 0.0
        price = f", {money(cost)} in all at list price" if cost else ""
        paper.say(f"{weight}; {count(campaign.tokens_out)} answer tokens{price}.", indent=3)
        names = ", ".join(report.name(account) for account in campaign.accounts[:3])
        more = len(campaign.accounts) - 3
        paper.say(f"Accounts: {names}" + (f" and {count(more)} more" if more > 0 else ""), indent=3, style=_DIM)
        paper.say(f"Details: stillwatch explain {campaign.id}", indent=3, style=_DIM)
    if len(found) > CAMPAIGNS_SHOWN:
        paper.say(f"and {plural(len(found) - CAMPAIGNS_SHOWN, 'further campaign')}: see the HTML report.")
    rest = len(standing.candidates(verdicts))
    if rest:
        paper.say()
        groups = plural(rest, "further group" if found else "group")
        paper.say(f"{groups} looked at and not accused: an honest explanation held.")


def _alone(paper: Paper, report: Report) -> None:
    lone = standing.lone_accounts(report)
    if lone:
        paper.head("Accused alone")
    for item in lone[:CAMPAIGNS_SHOWN]:
        best = standing.strongest(item.evidence)
        reason = f": {scenario_title(best.scenario)}" if best else ""
        weight = f"{signed(item.log_e)} nats, {signed(standing.account_bar(report.verdicts, accused=True))} needed"
        paper.say(f"{report.name(item.account)}: {weight}{reason}", indent=2, bullet="- ")


def _input(paper: Paper, report: Report) -> None:
    bad = [item for item in report.inputs if item.bad]
    blind = [line for line in report.coverage if not line.can_run]
    seen = [scenario_title(line.scenario) for line in report.coverage if line.can_run]
    if not bad and not report.coverage:
        return
    paper.head("What was looked for")
    if seen:
        paper.say(", ".join(seen), indent=2, bullet="- ")
    for item in bad:
        where = f"; kept in {item.quarantine}" if item.quarantine else ""
        part = share(item.bad / max(item.rows, 1))
        text = f"{item.path}: {count(item.bad)} of {count(item.rows)} rows bad ({part}){where}"
        paper.say(text, indent=2, bullet="- ", style=_WARN)
    for line in blind:
        missing = ", ".join(line.missing) or "its fields"
        paper.say(f"{scenario_title(line.scenario)} could not run: no {missing}", indent=2, bullet="- ", style=_WARN)
