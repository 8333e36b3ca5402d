"""Canaries: planned under a confirmed verdict, listed, retired, asked about and read on a suspect.

In: the control records, the canary secret, what a person asks. Out: records kept before anything can be served, the
questions for a suspect, and what its answers prove. The order is the point: whom it is for, the template and the
alternatives are fixed first, then the nonce is drawn, then the commitment is durable, and only then a worker sees it.
Left to `treatments.canaries`: drawing. Left to `forensics.canaries`: the tests. Left to `policy`: when to plant.
"""

import math
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stillwatch.app.control import Book
from stillwatch.app.controlnames import check_text
from stillwatch.app.decide import DAY, MOST_DAYS
from stillwatch.forensics.canaries import Answered, CanaryReading, holm_logs, read_subject
from stillwatch.policy.decisions import in_force
from stillwatch.terms.account import Decision
from stillwatch.terms.canary import CanaryRecord
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.treated import facts_of
from stillwatch.treatments.canaries import TEMPLATES, Canary, drawn, opening_of
from stillwatch.treatments.canaries.draw import commitment_of

ALPHA: Final = 1e-6
"""Family-wise error rate at which copying counts as shown, unless another is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryAsk:
    """What a person asks to be planned."""

    subject: str
    """Account or campaign with a confirmation in force."""
    by: str
    reason: str
    count: int = 32
    """Canaries, at least 1; one a template at most."""
    alternatives: int = 16
    """Values that each is drawn from: 2 to 24."""
    days: float = 30.0
    """How long they are planted; never longer than the confirmation holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Canaries as registered, and what to tell whoever planned them."""

    canaries: tuple[CanaryRecord, ...]
    accounts: tuple[str, ...]
    unmodified: tuple[str, ...]
    """Accounts left out: they are promised unchanged answers."""
    expires: float
    disclosure: str
    """What the provider owes its customers in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a suspect's answers prove of every subject that ever had canaries."""

    readings: tuple[CanaryReading, ...]
    """Strongest first."""
    adjusted_log_p: tuple[float, ...]
    """Holm over all subjects, natural logs, in the order of `readings`."""
    alpha: float
    shown: tuple[str, ...]
    """Subjects whose canaries the suspect shows at family-wise error rate `alpha`."""
    enough: bool
    """Whether the answers could have shown any subject at all."""
    unsound: tuple[str, ...]
    """Ids of records whose commitment does not hold; not tested."""


def plan(book: Book, ask: CanaryAsk, secret: bytes, now: float, *, dry_run: bool = False) -> Planned:
    """Register canaries for an account or a campaign, all or none, and return them.

    Args:
        book: The control records.
        ask: What is asked.
        secret: The canary secret.
        now: Seconds since 1970.
        dry_run: Return what would be registered, with other draws, and keep nothing.

    Raises:
        StillwatchError: the ask is out of range, nobody confirmed a verdict, everybody is promised unchanged answers,
            or too few templates are left.
    """
    _check(ask)
    with book.changing():
        decision, kind, named = _confirmed(book, ask.subject, now)
        promised = {record.account for record in book.accounts() if record.unmodified}
        accounts = tuple(sorted(account for account in named if account not in promised))
        if not accounts:
            raise StillwatchError(
                f"canary plan {ask.subject}: every account of it is promised unchanged answers, which beats every rule."
            )
        expires = min(now + ask.days * DAY, decision.expires)
        blank = CanaryRecord(
            id="", subject=ask.subject, kind=kind, accounts=accounts, template="", alternatives=ask.alternatives,
            nonce="", commitment="", made=now, expires=expires, by=ask.by.strip(), reason=ask.reason.strip(),
            decision=decision.id,
        )  # fmt: skip
        chosen = _templates(book.canaries(), ask, accounts, now)
        made = tuple(_registered(replace(blank, template=name), secret) for name in chosen)
        if not dry_run:
            book.add_canaries(made)
    left_out = tuple(account for account in named if account in promised)
    return Planned(canaries=made, accounts=accounts, unmodified=left_out, expires=expires,
                   disclosure=facts_of("canary").disclosure)  # fmt: skip


def retire(book: Book, subject: str, by: str, now: float) -> tuple[str, ...]:
    """Plant a canary, or all of an account or campaign, no more; return the ids.

    Raises:
        StillwatchError: there is none of that id or subject that is not retired already.
    """
    check_text("--by", by, at_most=100, needed=True)
    with book.changing():
        ids = tuple(c.id for c in book.canaries() if subject in (c.id, c.subject) and c.retired is None)
        for one in ids:
            book.retire_canary(one, now, by.strip())
    if not ids:
        raise StillwatchError(f"canary retire {subject}: there is none to retire; see `stillwatch canary list --all`.")
    return ids


def probes(*, pool: bool = False, repeat: int = 1) -> tuple[dict[str, object], ...]:
    """Return the questions for a suspect: every template, planted or not, so that they tell nobody which are.

    Args:
        pool: Add every value that a template can have, to ask for their log-probabilities.
        repeat: How often each is to be asked.
    """
    rows = []
    for form in sorted(TEMPLATES, key=lambda one: one.digest):
        row: dict[str, object] = {"probe": form.name, "ask": form.probe}
        rows += [{**row, "pool": list(form.pool)} if pool else row] * repeat
    return tuple(rows)


def read_suspect(
    records: Iterable[CanaryRecord], answers: dict[str, Answered], secret: bytes, alpha: float = ALPHA
) -> Tested:
    """Return what a suspect's answers prove of every subject; see `forensics.canaries` for the tests.

    Args:
        records: Every record; retired and expired canaries were served too.
        answers: By template, what the suspect answered.
        secret: The canary secret.
        alpha: Family-wise error rate over all subjects.

    Raises:
        StillwatchError: no canary was ever registered, or `alpha` is out of range.
    """
    if not 0.0 < alpha < 1.0:
        raise StillwatchError(f"--alpha {alpha:g}: must lie strictly between 0 and 1.")
    subjects: dict[str, list[Canary]] = {}
    unsound = []
    for record in records:
        try:
            subjects.setdefault(record.subject, []).append(drawn(record, secret))
        except StillwatchError:
            unsound.append(record.id)
    if not subjects:
        raise StillwatchError("canary test: no canary was ever registered; see `stillwatch canary plan --help`.")
    readings = [read_subject(subject, canaries, answers) for subject, canaries in subjects.items()]
    readings.sort(key=lambda reading: (reading.log_p, reading.subject))
    adjusted = [float(x) for x in holm_logs([reading.log_p for reading in readings])]
    pairs = list(zip(readings, adjusted, strict=True))
    return Tested(
        readings=tuple(readings), adjusted_log_p=tuple(adjusted), alpha=alpha, unsound=tuple(unsound),
        shown=tuple(r.subject for r, log_p in pairs if r.fits and log_p <= math.log(alpha)),
        enough=any(r.least_log_p + math.log(len(readings)) <= math.log(alpha) for r in readings),
    )  # fmt: skip


def opened(record: CanaryRecord, secret: bytes) -> dict[str, object]:
    """Return what lets anybody check one commitment, and no other: the value, all alternatives, and the opening key."""
    canary = drawn(record, secret)
    return {
        "id": record.id, "kind": record.kind, "subject": record.subject, "accounts": record.accounts,
        "template": record.template, "template_digest": canary.template.digest, "alternatives": canary.alternatives,
        "value": canary.value, "nonce": record.nonce, "opening": opening_of(record, secret),
        "commitment": record.commitment, "made": record.made,
    }  # fmt: skip


def _check(ask: CanaryAsk) -> None:
    check_text("--by", ask.by, at_most=100, needed=True)
    check_text("--reason", ask.reason, at_most=1000, needed=True)
    most = min(len(form.pool) for form in TEMPLATES)
    if not 2 <= ask.alternatives <= most:
        raise StillwatchError(f"--alternatives {ask.alternatives}: must lie in 2 to {most}.")
    if not 1 <= ask.count <= len(TEMPLATES):
        raise StillwatchError(f"--count {ask.count}: must lie in 1 to {len(TEMPLATES)}, the number of templates.")
    if not 0.0 < ask.days <= MOST_DAYS:
        raise StillwatchError(f"--days {ask.days:g}: must be above 0 and at most {MOST_DAYS:g}; every canary ends.")


def _confirmed(book: Book, subject: str, now: float) -> tuple[Decision, str, tuple[str, ...]]:
    """Return the confirmation in force on a subject, its kind, and the accounts that it still holds for."""
    decided = in_force(book.decisions(), now).items()
    force = {account: one for account, one in decided if one.verb == "confirm" and one.receipt}
    members = [account for account, one in force.items() if one.kind == "campaign" and one.subject == subject]
    alone = force.get(subject)
    if members:
        return force[members[0]], "campaign", tuple(members)
    if alone is None:
        raise StillwatchError(
            f"canary plan {subject}: no person confirmed a verdict on it that is in force, and nothing is planted "
            "before that; a confirmation --without-verdict is none. See `stillwatch decide list --waiting`, then "
            f"`stillwatch decide confirm {subject}`."
        )
    return alone, "account", (subject,)


def _templates(records: Sequence[CanaryRecord], ask: CanaryAsk, accounts: tuple[str, ...], now: float) -> list[str]:
    """Return names of templates drawn among those that none of the accounts carries already."""
    taken = {r.template for r in records if r.good_at(now) and not set(accounts).isdisjoint(r.accounts)}
    free = [form.name for form in TEMPLATES if form.name not in taken]
    if len(free) < ask.count:
        raise StillwatchError(
            f"canary plan {ask.subject}: {len(taken)} of {len(TEMPLATES)} templates are in use for its accounts, so at "
            f"most {len(free)} more can be planned; give --count, or retire some first."
        )
    return secrets.SystemRandom().sample(free, ask.count)


def _registered(record: CanaryRecord, secret: bytes) -> CanaryRecord:
    """Draw a value for a record that is complete but for that, and commit to it."""
    record = replace(record, id=f"cn_{secrets.token_hex(8)}")
    record = replace(record, nonce=secrets.token_hex(16))
    return replace(record, commitment=commitment_of(record, drawn(record, secret), secret))


def state_of(record: CanaryRecord, now: float) -> str:
    """Return `planted`, `retired` or `expired`."""
    return "planted" if record.good_at(now) else "retired" if record.retired is not None else "expired"


def counted(records: Iterable[CanaryRecord], now: float) -> dict[str, int]:
    """Return how many canaries are in which state."""
    return dict(Counter(state_of(record, now) for record in records))
