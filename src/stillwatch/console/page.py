"""The scan as one HTML file that needs nothing else.

In: a `Report`. Out: HTML with inline style, inline pictures and a few lines of script that only filter and sort; the
page reads the same without them. A content policy in the page forbids every request and every other script.
Cost: linear in the accounts reported, about 150 bytes each. Left to the templates: the words and their order.
"""

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from stillwatch.console import cards, standing, summary, wording
from stillwatch.console.report import Report

CANDIDATES_LISTED = 50
"""Groups that were not accused and are shown with their reason; the strongest come first."""


def render_html(report: Report) -> str:
    """Return the whole report as one self-contained HTML document.

    Every name and word from the report is escaped; control and direction characters are spelt out.
    """
    style, script = _static("report.css"), _static("report.js")
    page = environment().get_template("report.html")
    return page.render(
        report=report,
        verdicts=report.verdicts,
        style=style,
        script=script,
        style_hash=_digest(style),
        script_hash=_digest(script),
        headline=summary.headline(report),
        lead=summary.lead(report),
        promise=summary.promise(report),
        steps=summary.steps(report),
        limits=summary.LIMITS,
        tiles=cards.tiles(report),
        campaigns=[cards.campaign(report, c, i + 1) for i, c in enumerate(standing.accused_campaigns(report.verdicts))],
        lone=[cards.account(report, item) for item in standing.lone_accounts(report)],
        closest=[cards.account(report, item) for item in standing.closest_honest(report)],
        candidates=[cards.candidate(report, c) for c in standing.candidates(report.verdicts)],
        candidates_listed=CANDIDATES_LISTED,
        account_bar=standing.account_bar(report.verdicts),
        lone_bar=standing.account_bar(report.verdicts, accused=True),
        figures=cards.run_figures(report),
        odds=[(n, wording.chance(n)) for n in (3.0, 7.0, 14.0, 21.0)],
    )


def environment() -> Environment:
    """Return the templates of this room, with its words as filters; everything is escaped."""
    env = Environment(
        loader=PackageLoader("stillwatch.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = (
        wording.count,
        wording.plural,
        wording.signed,
        wording.chance,
        wording.share,
        wording.money,
        wording.moment,
        wording.day,
        wording.duration,
        wording.scenario_title,
        wording.listing,
    )
    env.filters.update({word.__name__: word for word in words})
    env.finalize = lambda value: wording.safe(value) if type(value) is str else value
    return env


def _static(name: str) -> str:
    return files("stillwatch.console").joinpath("static", name).read_text("utf-8").strip()


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
