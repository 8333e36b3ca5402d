"""What is held against whom, gathered for the commands from a state folder and from reports.

In: the state folder, a report folder if one is named. Out: claims, one for each id: what is published, with
the members and the receipt that the last live judgement states, then what only a report says.
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.recognition import claims_of_matches
from stillwatch.app.subjects import Claim, claims_of_held, claims_of_report, merged
from stillwatch.gateway.published import Published, read_published
from stillwatch.terms.errors import StillwatchError


def read_live(state: Path) -> Published:
    """Return the live verdicts; an empty `Published` where none were ever published.

    Raises:
        StillwatchError: the file is damaged.
    """
    return read_published(LiveFolder(state).published)


def claims_of(state: Path, report: Path | None = None) -> tuple[Claim, ...]:
    """Return every claim: the live ones, those of a report where one is named, then other providers' warnings.

    Raises:
        StillwatchError: the published verdicts are damaged, or the named report is not there.
    """
    live = LiveFolder(state)
    claims = claims_of_held(tuple(read_live(state).held.values()))
    if (live.report / "explain.json").is_file():
        with suppress(StillwatchError):  # of another version until the next judgement; what is published is enough
            claims = joined(claims, _of_report(live.report))
    if report:
        claims = joined(claims, _of_report(report))
    held = {claim.subject for claim in claims if claim.kind == "account"}
    with suppress(StillwatchError):  # written again at the next match; no reason to hide what is held here
        return (*claims, *(claim for claim in claims_of_matches(state) if claim.subject not in held))
    return claims


def joined(first: tuple[Claim, ...], then: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """Return the claims of both, a published account with the strength that is published of it.

    A report weighs a member by its own part of the campaign's evidence, which is another figure than the verdict it
    is held under.
    """
    said = {claim.subject: claim.log_e for claim in first if claim.kind == "account" and claim.source == "published"}
    return tuple(
        replace(claim, log_e=said[claim.subject]) if claim.kind == "account" and claim.subject in said else claim
        for claim in merged(first, then)
    )


def _of_report(folder: Path) -> tuple[Claim, ...]:
    from stillwatch.app.report import read_report  # a second of imports that most commands do without

    return claims_of_report(read_report(folder))
