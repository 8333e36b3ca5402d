"""Decide: what a person says of a verdict, and for whom it holds.

In: the control records, what is held against whom, what the person asks, the time. Out: one decision, kept
for ever, and what to tell the person. Every decision expires. The latest one about an account is in force
until it expires or another is made; after that none is, not even an earlier one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stillwatch.app.control import Book
from stillwatch.app.controlnames import check_account, check_text
from stillwatch.app.subjects import Claim, matching
from stillwatch.policy.decisions import in_force
from stillwatch.terms.account import Decision
from stillwatch.terms.action import CLEARING, VERBS
from stillwatch.terms.errors import StillwatchError

MOST_DAYS: Final = 366.0
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a person asks to be decided."""

    subject: str
    """Account id or campaign id."""
    verb: str
    """One of `terms.action.VERBS`."""
    by: str
    reason: str
    days: float = 30.0
    """How long it holds, days; above 0 and at most 366."""
    kind: str = ""
    """`account` or `campaign` where the id could be either; empty to tell by what is held."""
    without_verdict: bool = False
    """Decide although nothing that is in force is held against the subject."""
    include_cleared: bool = False
    """Confirm a campaign also for accounts that a person dismissed or released on their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision, and what to tell whoever made it."""

    decision: Decision
    """Its id is 0 when nothing was kept."""
    claim: Claim | None
    """What it was made on; None without a verdict."""
    cleared: tuple[str, ...] = ()
    """Accounts left out because a person had dismissed or released them."""
    replaced: tuple[Decision, ...] = ()
    """Decisions in force that this one takes the place of."""
    unmodified: tuple[str, ...] = ()
    """Accounts with a promise of unchanged answers: no rule will touch them."""
    notes: tuple[str, ...] = ()


def decide(book: Book, ask: Ask, claims: Sequence[Claim], now: float, *, dry_run: bool = False) -> Decided:
    """Keep a decision and return it.

    Args:
        book: The control records.
        ask: What is asked.
        claims: What is held against whom, live claims first.
        now: Seconds since 1970.
        dry_run: Return what would be kept, and keep nothing.

    Raises:
        StillwatchError: the ask is incomplete, the id means nothing or two things, there is no verdict to
            decide on, or nobody is left that it could hold for.
    """
    _check(ask)
    if not matching(claims, ask.subject):  # what is held may be of any name, what a person types may not
        check_account(ask.subject, "decide: the account or campaign")
    with book.changing():
        force = in_force(book.decisions(), now)
        claim = _claim(ask, claims, force, now)
        accounts = _accounts(ask, claim, force)
        cleared = _cleared(ask, claim, accounts, force)
        held = tuple(account for account in accounts if account not in cleared)
        if not held:
            raise StillwatchError(
                f"decide {ask.verb} {ask.subject}: a person has cleared every account of it. To decide on them all the "
                "same, add --include-cleared."
            )
        decision = Decision(
            subject=ask.subject, kind=_kind(ask, claim), accounts=held, verb=ask.verb, by=ask.by.strip(),
            reason=ask.reason.strip(), at=now, expires=now + ask.days * DAY, receipt=claim.receipt if claim else "",
        )  # fmt: skip
        if not dry_run:
            decision = replace(decision, id=book.add_decision(decision))
        promised = {record.account for record in book.accounts() if record.unmodified}
    return Decided(
        decision=decision, claim=claim, cleared=cleared, notes=_notes(claim),
        replaced=tuple({force[a].id: force[a] for a in held if a in force}.values()),
        unmodified=tuple(a for a in held if a in promised),
    )  # fmt: skip


def _check(ask: Ask) -> None:
    if ask.verb not in VERBS:
        raise StillwatchError(f"decide {ask.verb}: must be one of {', '.join(VERBS)}.")
    if ask.kind not in ("", "account", "campaign"):
        raise StillwatchError(f"decide: kind {ask.kind!r}; must be account or campaign.")
    check_text("--by", ask.by, at_most=250, needed=True)
    check_text("--reason", ask.reason, at_most=1000, needed=True)
    if not 0.0 < ask.days <= MOST_DAYS:
        raise StillwatchError(f"--days {ask.days:g}: must be above 0 and at most {MOST_DAYS:g}; every decision ends.")


def _claim(ask: Ask, claims: Sequence[Claim], force: dict[str, Decision], now: float) -> Claim | None:
    """Return the claim that the person means; None where there is none and none is needed."""
    found = [claim for claim in matching(claims, ask.subject) if ask.kind in ("", claim.kind)]
    if len(found) > 1:
        raise StillwatchError(f"{ask.subject}: is both an account and a campaign; say which with --kind.")
    claim = found[0] if found else None
    if ask.without_verdict:
        return claim
    where = f"decide {ask.verb} {ask.subject}"
    if claim is None:
        if ask.verb in CLEARING and (ask.subject in force or _decided_on(ask.subject, force)):
            return None
        raise StillwatchError(
            f"{where}: nothing is held against an account or campaign of this id, neither in the published verdicts "
            "nor in the report. See `stillwatch decide list --waiting`; to decide all the same, add --without-verdict."
        )
    if ask.verb not in CLEARING and not claim.accused:
        raise StillwatchError(
            f"{where}: the account came close ({claim.log_e:+.1f} nats) but is not accused, so there is no verdict to "
            f"{ask.verb}. To {ask.verb} all the same, add --without-verdict."
        )
    if ask.verb not in CLEARING and claim.expires <= now:
        raise StillwatchError(
            f"{where}: the verdict lapsed and was not published again. Look whether the watcher runs (`stillwatch "
            "status`); to decide all the same, add --without-verdict."
        )
    return claim


def _decided_on(subject: str, force: dict[str, Decision]) -> bool:
    return any(decision.subject == subject for decision in force.values())


def _kind(ask: Ask, claim: Claim | None) -> str:
    return claim.kind if claim else ask.kind or "account"


def _accounts(ask: Ask, claim: Claim | None, force: dict[str, Decision]) -> tuple[str, ...]:
    """Return for whom the decision is: of a campaign, also those that an earlier decision on it still holds for."""
    earlier = tuple(a for a, d in force.items() if d.subject == ask.subject and d.kind == "campaign")
    if claim is None:
        return earlier if earlier and ask.subject not in force else (ask.subject,)
    if claim.kind == "campaign" and ask.verb in CLEARING:
        return tuple(dict.fromkeys((*claim.accounts, *earlier)))
    return claim.accounts


def _cleared(ask: Ask, claim: Claim | None, accounts: tuple[str, ...], force: dict[str, Decision]) -> tuple[str, ...]:
    """Return the accounts that a person cleared on their own, which confirming their campaign must not undo."""
    if ask.verb in CLEARING or ask.include_cleared or claim is None or claim.kind != "campaign":
        return ()
    return tuple(a for a in accounts if a in force and force[a].verb in CLEARING and force[a].kind == "account")


def _notes(claim: Claim | None) -> tuple[str, ...]:
    if claim is None:
        return ("Decided without a verdict: nothing was held against it.",)
    if claim.nameless:
        return (f"{claim.nameless} accounts of the campaign have no known name and are not decided on.",)
    return ()


def waiting(claims: Iterable[Claim], decisions: Iterable[Decision], now: float) -> tuple[Claim, ...]:
    """Return accused claims that some account of has no decision in force, strongest first; members stand with theirs.

    What other providers warn of is among them, after the accused: it is for a person to look at.

    An account is left out where its campaign is listed.
    """
    return waiting_under(claims, in_force(decisions, now), now)


def waiting_under(claims: Iterable[Claim], force: Mapping[str, Decision], now: float) -> tuple[Claim, ...]:
    """Return the same, given the decision in force for each account."""
    found: dict[tuple[str, str], Claim] = {}
    for claim in claims:
        wanted = claim.accused or claim.source == "coalition"
        if wanted and now < claim.expires and any(account not in force for account in claim.accounts):
            found.setdefault((claim.kind, claim.subject), claim)
    listed = {name for kind, name in found if kind == "campaign"}
    kept = [claim for claim in found.values() if claim.kind == "campaign" or claim.campaign not in listed]
    return tuple(sorted(kept, key=lambda claim: (-claim.log_e, claim.subject)))
