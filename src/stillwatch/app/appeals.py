"""Appeals: an account's objection, opened in its name and answered by a person.

In: the control records, the time. Out: the appeal; granting one also releases the account, in one change.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from stillwatch.app.control import Book
from stillwatch.app.controlnames import check_account, check_text
from stillwatch.app.decide import DAY, MOST_DAYS
from stillwatch.policy.decisions import in_force
from stillwatch.policy.standing import appeal_id as told_id
from stillwatch.policy.standing import appeal_key
from stillwatch.terms.account import Appeal, Decision
from stillwatch.terms.action import Held
from stillwatch.terms.errors import StillwatchError

_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{4,80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a person answers an appeal."""

    id: str
    grant: bool
    by: str
    reason: str
    days: float = 30.0
    """How long the release holds when granted, days."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answered appeal, and the release it led to."""

    appeal: Appeal
    release: Decision | None
    also: tuple[str, ...] = ()
    """Other accounts under the same decision; they are not released by this answer."""


def account_told(appeal_id: str, book: Book, held: Mapping[str, Held], secret: bytes) -> str:
    """Return the account that was told this appeal id by `GET /v1/account/standing` or by a refusal.

    Args:
        appeal_id: As the account names it.
        book: The control records.
        held: The published verdicts, by account.
        secret: The key secret, as `app.control.key_secret` gives it.

    Raises:
        StillwatchError: no account under a verdict or a decision was told this id.
    """
    key = appeal_key(secret)
    moments = {account: {0.0, one.effective} for account, one in held.items()}
    for record in book.accounts():
        moments.setdefault(record.account, {0.0})
    for decision in book.decisions():
        for account in decision.accounts:
            moments.setdefault(account, {0.0}).add(decision.at)
    for account, since in moments.items():
        if any(told_id(account, moment, key) == appeal_id for moment in since):
            return account
    raise StillwatchError(
        f"appeal {appeal_id}: no account here was told this id. Verdicts that have lapsed are forgotten: name the "
        "account itself."
    )


def open_appeal(book: Book, account: str, statement: str, now: float, appeal_id: str = "") -> Appeal:
    """Open an appeal for an account.

    Args:
        book: The control records.
        account: Whose it is.
        statement: What the account says, one line of text; may be empty.
        now: Seconds since 1970.
        appeal_id: The id that the account was told; a new one is drawn where it is empty.

    Raises:
        StillwatchError: the id is another appeal's, or the account has an appeal open.
    """
    check_account(account)
    check_text("--statement", statement, at_most=4000)
    if appeal_id and not _ID.fullmatch(appeal_id):
        raise StillwatchError("--id: must be the appeal id that the account was told: letters, digits and _ . : -")
    with book.changing():
        for known in book.appeals():
            if known.id == appeal_id:
                raise StillwatchError(f"appeal {appeal_id}: was {known.state} before; name the account instead.")
            if known.account == account and known.state == "open":
                raise StillwatchError(f"account {account}: appeal {known.id} is open; answer that one first.")
        appeal = Appeal(id=appeal_id or f"ap_{secrets.token_hex(6)}", account=account, opened=now, state="open",
                        statement=statement.strip())  # fmt: skip
        book.put_appeal(appeal)
    return appeal


def answer_appeal(book: Book, answer: Answer, now: float) -> Answered:
    """Answer an appeal; granting it releases the account and nobody else.

    Raises:
        StillwatchError: there is none of this id, or it was answered.
    """
    check_text("--by", answer.by, at_most=250, needed=True)
    check_text("--reason", answer.reason, at_most=1000, needed=True)
    if not 0.0 < answer.days <= MOST_DAYS:
        raise StillwatchError(f"--days {answer.days:g}: must be above 0 and at most {MOST_DAYS:g}.")
    with book.changing():
        found = [appeal for appeal in book.appeals() if appeal.id == answer.id]
        if not found:
            raise StillwatchError(f"appeal {answer.id}: there is none; `stillwatch appeal list` lists them.")
        appeal = found[0]
        if appeal.state != "open":
            raise StillwatchError(f"appeal {answer.id}: was {appeal.state} by {appeal.by}; open a new one.")
        state = "granted" if answer.grant else "refused"
        done = replace(appeal, state=state, answered=now, by=answer.by.strip(), reason=answer.reason.strip())
        book.put_appeal(done)
        before = in_force(book.decisions(), now).get(appeal.account)
        release = _release(book, done, answer, now) if answer.grant else None
    also = tuple(a for a in before.accounts if a != appeal.account) if before and release else ()
    return Answered(done, release, also)


def _release(book: Book, appeal: Appeal, answer: Answer, now: float) -> Decision:
    decision = Decision(
        subject=appeal.account, kind="account", accounts=(appeal.account,), verb="release", by=appeal.by,
        reason=f"appeal {appeal.id} granted: {appeal.reason}", at=now, expires=now + answer.days * DAY,
    )  # fmt: skip
    return replace(decision, id=book.add_decision(decision))
