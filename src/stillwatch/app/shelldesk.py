"""Decisions and answers at the shell, by the rule that the settings give it: `console.shell`.

In: what somebody asks, the control file, claims. Out: a decision, or a proposal for an approver at the console. Nobody
signs in at a shell: the trail has the system's user, and beside it the name that was stated. `decide` lets one person
decide; `propose` lets one person clear an account, and makes a proposal of what makes rules bite. The rule stands in
the control file, put there by whatever reads the settings, so that a command without a settings file keeps it too.
It holds for whoever uses the commands. Whoever owns the files could change it, and the trail would say so.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stillwatch.app.appeals import Answer, Answered, answer_appeal
from stillwatch.app.consoleconfig import ConsoleConfig
from stillwatch.app.control import open_control
from stillwatch.app.controlnames import check_text
from stillwatch.app.decide import Ask, Decided, decide
from stillwatch.app.proposals import at_shell, confirmers, propose
from stillwatch.app.subjects import Claim, matching
from stillwatch.app.systemuser import system_user
from stillwatch.store.control import FILE_NAME, SqliteControl
from stillwatch.store.people import People
from stillwatch.terms.action import CLEARING
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.person import Proposal

MARK: Final = "rule for the shell"
FREE: Final = "decide"
WHY: Final = "it was asked for at the shell, where nobody signs in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What became a proposal."""

    number: int
    """0 where it was only tried."""
    why: str
    """Why an approver has to agree."""


def keep_rule(book: SqliteControl, config: ConsoleConfig, now: float) -> None:
    """Put the settings' rule for the shell into the control file, where it is another than there; the trail says so.

    Raises:
        StillwatchError: the control file cannot be written.
    """
    people = People(book)
    before = people.mark(MARK) or FREE
    if config.shell != before:
        with book.changing():
            people.put_mark(MARK, config.shell)
            people.note(MARK, "decisions", json.dumps({"rule": config.shell, "before": before}), now)


def keep_rule_of(state: Path, config: ConsoleConfig, now: float) -> None:
    """Do the same for a state folder; one without a control file that needs no rule gets none."""
    if config.shell != FREE or (state / FILE_NAME).is_file():
        with open_control(state) as book:
            keep_rule(book, config, now)


def decide_at_shell(
    book: SqliteControl, ask: Ask, claims: Sequence[Claim], now: float, *, dry_run: bool = False
) -> tuple[Decided, Proposed | None]:
    """Decide, or propose where the rule wants an approver for what makes rules bite.

    Args:
        book: The control records.
        ask: What is asked.
        claims: What is held against whom, live claims first.
        now: Seconds since 1970.
        dry_run: Return what would be kept, and keep nothing.

    Returns:
        The decision, or what it would be; and the proposal that was made instead.

    Raises:
        StillwatchError: as `decide`; or an approver would have to agree to more than a verdict that is in force.
    """
    if ask.verb in CLEARING or _rule(book) == FREE:
        return decide(book, ask, claims, now, dry_run=dry_run), None
    if ask.without_verdict or ask.include_cleared or not any(c.source == "published" for c in _about(claims, ask)):
        raise StillwatchError(
            f'decide {ask.verb} {ask.subject}: console.shell = "propose", and a proposal is agreed to on a published '
            "verdict alone. Leave --report, --without-verdict and --include-cleared away, or decide at the console."
        )
    with book.changing():
        tried = decide(book, ask, claims, now, dry_run=True)
        one = Proposal(kind="decision", subject=ask.subject, verb=ask.verb, by=_said(ask.by), reason=ask.reason.strip(),
                       days=ask.days, why=WHY, receipt=tried.decision.receipt, at=now)  # fmt: skip
        return tried, Proposed(number=0 if dry_run else propose(People(book), one), why=WHY)


def answer_at_shell(book: SqliteControl, answer: Answer, now: float) -> Answered | Proposed:
    """Answer an appeal, or propose the answer where the rule wants an approver.

    It does for a refusal, which leaves the measure in force, and for any answer of who confirmed the verdict.

    Raises:
        StillwatchError: there is no such open appeal.
    """
    if _rule(book) == FREE:
        return answer_appeal(book, answer, now)
    with book.changing():
        appeal = next((a for a in book.appeals() if a.id == answer.id and a.state == "open"), None)
        about = [d for d in book.decisions() if appeal is not None and appeal.account in d.accounts]
        own = answer.by.strip() in confirmers(about)
        if appeal is None or (answer.grant and not own):
            return answer_appeal(book, answer, now)
        why = f"{answer.by.strip()} confirmed the verdict and cannot hear its appeal alone" if own else WHY
        verb = "grant" if answer.grant else "refuse"
        one = Proposal(kind="appeal", subject=appeal.id, verb=verb, by=_said(answer.by), reason=answer.reason.strip(),
                       days=answer.days, why=why, at=now)  # fmt: skip
        return Proposed(number=propose(People(book), one), why=why)


def _rule(book: SqliteControl) -> str:
    return People(book).mark(MARK) or FREE


def _said(by: str) -> str:
    check_text("--by", by, at_most=100, needed=True)
    return at_shell(by, system_user())


def _about(claims: Sequence[Claim], ask: Ask) -> list[Claim]:
    return [claim for claim in matching(claims, ask.subject) if ask.kind in ("", claim.kind)]
