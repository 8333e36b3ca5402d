"""Dry run: what the rules of a settings file would order for the accounts and the traffic there are.

In: the control records, the live verdicts, the policy, the events of the last days. Out: for each rule whom it
would order what, now and if a person confirmed every verdict that waits; and how many requests of these days
that is. Nothing is changed. Left out: what verdicts were in those days, and which models the requests were for:
the verdicts of now stand for them, and of models and endpoints that rules name the one with the severest order.
Cost: a few microseconds an account and rule; with traffic one query of the live store. Left to
`policy.simulate`: counting.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stillwatch.app.control import Book
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.state import has_key, master_key
from stillwatch.gateway.published import read_published
from stillwatch.policy import simulate
from stillwatch.policy.config import PolicyConfig
from stillwatch.policy.decide import severest
from stillwatch.policy.decisions import in_force
from stillwatch.policy.simulate import Past, Touched
from stillwatch.sketch.keys import KeyRing
from stillwatch.terms.account import AccountRecord, Decision
from stillwatch.terms.action import ACTIONS, Held, Subject
from stillwatch.terms.ports import Window

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What one account would be ordered."""

    account: str
    rule: str
    action: str
    shadow: bool
    if_confirmed: str
    """Rule that would hold if a person confirmed the verdict; empty for none."""
    action_if_confirmed: str
    bites_if_confirmed: bool
    requests: int
    """Requests of the days looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What the rules would do."""

    accounts: int
    """Accounts that were looked at."""
    requests: int
    """Requests of the days looked at, of all accounts; 0 where there is no live traffic."""
    days: float
    now: tuple[Touched, ...]
    """By rule, as things stand."""
    if_confirmed: tuple[Touched, ...]
    """By rule, if a person confirmed every verdict that waits."""
    ordered: tuple[Ordered, ...]
    """Accounts that some rule would reach, now or if confirmed, severest first."""


def dry_run(book: Book, state: Path, policy: PolicyConfig, now: float, *, days: float = 7.0) -> DryRun:
    """Return what `policy` would order for every account that is known.

    Raises:
        StillwatchError: the published verdicts are damaged, or the live store is held and does not answer.
    """
    held = read_published(LiveFolder(state).published).held
    records = {record.account: record for record in book.accounts()}
    decided = in_force(book.decisions(), now)
    names = sorted({*records, *held, *decided})
    counts, total = _requests(state, names, days)
    past, then, out = [], [], []
    for name in names:
        subject = _subject(records.get(name, AccountRecord(account=name)), held.get(name), decided.get(name))
        worst, order = severest(subject, policy, now)
        worst_then, other = severest(_confirmed(subject, now), policy, now)
        past.append(Past(subject=worst, requests=counts.get(name, 0), at=now))
        then.append(Past(subject=worst_then, requests=counts.get(name, 0), at=now))
        if order.kind != "allow" or other.kind != "allow":
            out.append(
                Ordered(account=name, rule=order.rule, action=order.kind, shadow=order.shadow, if_confirmed=other.rule,
                        action_if_confirmed=other.kind, bites_if_confirmed=other.bites, requests=counts.get(name, 0))
            )  # fmt: skip
    out.sort(key=lambda o: (-ACTIONS.index(o.action_if_confirmed), -ACTIONS.index(o.action), o.account))
    return DryRun(
        accounts=len(names), requests=total, days=days, now=simulate.dry_run(past, policy),
        if_confirmed=simulate.dry_run(then, policy), ordered=tuple(out),
    )  # fmt: skip


def _subject(record: AccountRecord, held: Held | None, decision: Decision | None) -> Subject:
    """Return the account as a worker would see it once its verdict has taken effect."""
    if held is not None:
        held = replace(held, effective=min(held.effective, held.since))
    return Subject(
        account=record.account, organisation=record.organisation, plan=record.plan, country=record.country,
        unmodified=record.unmodified, workload=record.workload, verified=record.verified, held=held,
        decided=decision.verb if decision else "", decided_at=decision.at if decision else 0.0,
        decision_expires=decision.expires if decision else 0.0,
    )  # fmt: skip


def _confirmed(subject: Subject, now: float) -> Subject:
    """Return the same account with its verdict confirmed, unless a person has decided already."""
    waits = subject.held is not None and subject.held.accused and now < subject.held.expires and not subject.decided
    return replace(subject, decided="confirm", decided_at=now, decision_expires=now + 30 * DAY) if waits else subject


def _requests(state: Path, names: list[str], days: float) -> tuple[Mapping[str, int], int]:
    """Return requests by account in the last days of live traffic, and those of all accounts."""
    folder = LiveFolder(state).store
    if not folder.is_dir() or not has_key(state):
        return {}, 0
    from stillwatch.store.serve import connect

    ring = KeyRing(master_key(state))
    store = connect(folder)
    try:
        epoch = max(store.epochs(), default=None)
        if epoch is None:
            return {}, 0
        roll = store.rollup(Window(epoch=epoch, start=store.span(epoch).last - days * DAY))
    finally:
        store.close()
    keys = ring.for_epoch(epoch)
    by_hash = dict(zip(roll["account"].tolist(), roll["n_requests"].tolist(), strict=True))
    return {name: by_hash.get(keys.hash("account", name), 0) for name in names}, int(np.sum(roll["n_requests"]))
