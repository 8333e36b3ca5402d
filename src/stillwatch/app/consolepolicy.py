"""The rules in force, and who would have been affected in the last week: of these rules, and of others tried on a page.

In: the verdicts and decisions of now, each account's requests of the last seven days, rules. Out: by rule, accounts and
requests. As in `dryrun`, the verdicts of now stand for those of the week, and of models and endpoints that rules name
the one with the severest order; nothing is changed. Accounts with neither verdict nor decision are looked at only where
a rule is for them. Cost: accounts that stand alike are decided on once.
"""

import json
import threading
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from stillwatch.app.consolelines import subject_of
from stillwatch.app.consolestate import ConsoleState, Facts
from stillwatch.console import records as r
from stillwatch.policy.check import disclosures, rule_notes
from stillwatch.policy.config import PolicyConfig, read_policy
from stillwatch.policy.decide import severest
from stillwatch.sketch.keys import hash_bytes
from stillwatch.store.people import Agreement
from stillwatch.terms.account import AccountRecord
from stillwatch.terms.action import Held
from stillwatch.terms.errors import StillwatchError

DAYS: Final = 7.0
DAY: Final = 86_400.0
SAMPLE: Final = 12
MOST_TEXT: Final = 60_000
"""Longest text of rules that is tried, characters."""


@dataclass(slots=True)
class Row:
    """What one rule would have done, while it is counted."""

    accounts: int = 0
    requests: int = 0
    unconfirmed: int = 0
    then_accounts: int = 0
    then_requests: int = 0
    sample: tuple[str, ...] = ()


class Simulator:
    """Counts, and remembers the count for the rules in force until something changes."""

    def __init__(self, open_state: ConsoleState) -> None:
        self._s = open_state
        self._lock = threading.Lock()
        self._kept: tuple[Any, r.Simulation] | None = None
        self._counting = False

    def page(self) -> r.PolicyPage:
        """Return the rules in force and whom they would have touched."""
        policy = self._s.settings.policy
        notes = rule_notes(policy.rules, shadow=policy.shadow, approved_by=policy.approved_by)
        return r.PolicyPage(
            rules=[
                r.RuleLine(name=rule.name, action=rule.action, needs=rule.needs, shadow=policy.in_shadow(rule),
                           note=note, expires_days=rule.expires_days, until=rule.until)
                for rule, note in zip(policy.rules, notes, strict=True)
            ],
            shadow=policy.shadow, disclosures=list(disclosures(policy.rules, shadow=policy.shadow)),
            simulation=self.of_rules(),
        )  # fmt: skip

    def of_rules(self) -> r.Simulation:
        """Return whom the rules in force would have touched: as counted last, while it is counted anew."""
        stamp = self._s.stamp()
        with self._lock:
            kept = self._kept
            if kept is None:
                self._kept = kept = (stamp, self._count(self._s.settings.policy))
            elif kept[0] != stamp and not self._counting:
                self._counting = True
                threading.Thread(target=self._again, args=(stamp,), name="simulator", daemon=True).start()
        return kept[1]

    def _again(self, stamp: Any) -> None:
        try:
            counted = self._count(self._s.settings.policy)
        except StillwatchError:
            counted = None  # the file is busy or gone: the next page tries again
        with self._lock:
            self._counting = False
            if counted is not None:
                self._kept = (stamp, counted)

    def of_text(self, toml: str) -> r.Simulation:
        """Return whom the rules of a text would have touched: a settings file, or its `[policy]` part.

        Raises:
            StillwatchError: it is too long, no TOML, or holds rules that break a promise.
        """
        if len(toml) > MOST_TEXT:
            raise StillwatchError(f"rules: {len(toml)} characters; at most {MOST_TEXT}.")
        try:
            table = tomllib.loads(toml)
        except (tomllib.TOMLDecodeError, RecursionError) as problem:
            raise StillwatchError(f"rules: not TOML ({problem}).") from None
        policy = table.get("policy", table)
        if not isinstance(policy, dict):
            raise StillwatchError("rules: policy must be a table; write [[policy.rule]] for each rule.")
        return self._count(read_policy(policy))

    def _count(self, policy: PolicyConfig) -> r.Simulation:
        now = time.time()
        facts = self._s.facts(now)
        names = sorted({*facts.held, *facts.latest})
        if not policy.needs_verdict:
            names = sorted({*names, *self._s.people.agreements()})
        records = self._s.people.agreements()
        requests, total, until = self._week(names)
        rows = _counted(names, records, facts, _Count(policy, now, requests))
        known = max(self._s.people.count_accounts(), len(names))
        order = [(rule.name, rule.action, policy.in_shadow(rule) and rule.action != "allow") for rule in policy.rules]
        order += [(name, "challenge", False) for name in rows if name and name not in {o[0] for o in order}]
        lines = [_line(name, action, shadow, rows.get(name, Row())) for name, action, shadow in order]
        rest = rows.get("", Row())
        touched = sum(line.accounts for line in lines)
        lines.append(replace(
            _line("", "allow", False, rest), accounts=known - touched,
            requests=max(total - sum(line.requests for line in lines), 0),
            accounts_if_confirmed=known - sum(line.accounts_if_confirmed for line in lines),
            requests_if_confirmed=max(total - sum(line.requests_if_confirmed for line in lines), 0),
        ))  # fmt: skip
        return r.Simulation(touched=lines, accounts=known, requests=total, days=DAYS, until=until)

    def _week(self, names: list[str]) -> tuple[Mapping[str, int], int, float | None]:
        """Return each account's requests of the last seven days, those of everybody, and when the days ended."""
        head, ring = self._s.head(), self._s.ring()
        if head is None or ring is None:
            return {}, 0, None
        subkey = ring.for_epoch(head.epoch).subkey("account")
        by_hash = {hash_bytes(subkey, name.encode("utf-8", "surrogatepass")): name for name in names}
        counted = self._s.index.week(list(by_hash))
        return {by_hash[key]: n for key, n in counted.items()}, head.week_requests, head.judged_until


@dataclass(frozen=True, slots=True)
class _Count:
    policy: PolicyConfig
    now: float
    requests: Mapping[str, int]


def _counted(names: list[str], records: Mapping[str, Agreement], facts: Facts, count: _Count) -> dict[str, Row]:
    """Count by rule; accounts that stand alike for policy are decided on once."""
    rows: dict[str, Row] = {}
    known: dict[tuple[Any, ...], tuple[str, str, bool]] = {}
    for name in names:
        held, decision = facts.held.get(name), facts.in_force(name, count.now)
        record = records.get(name)
        alike = _alike(record, held, decision.verb if decision else "", count)
        if alike not in known:
            effective = replace(held, effective=min(held.effective, held.since)) if held else None
            subject = subject_of(_record(name, record), effective, decision)
            waits = held is not None and held.accused and count.now < held.expires and decision is None
            then = replace(subject, decided="confirm", decided_at=count.now, decision_expires=count.now + 30 * DAY)
            ordered = severest(subject, count.policy, count.now)[1]
            other = severest(then, count.policy, count.now)[1] if waits else ordered
            known[alike] = (ordered.rule, other.rule, decision is not None and decision.verb == "confirm")
        rule, rule_then, confirmed = known[alike]
        n = count.requests.get(name, 0)
        row = rows.setdefault(rule, Row())
        row.accounts, row.requests = row.accounts + 1, row.requests + n
        row.unconfirmed += not confirmed
        row = rows.setdefault(rule_then, Row())
        row.then_accounts, row.then_requests = row.then_accounts + 1, row.then_requests + n
        if len(row.sample) < SAMPLE:
            row.sample = (*row.sample, name)
    return rows


def _alike(record: Agreement | None, held: Held | None, verb: str, count: _Count) -> tuple[Any, ...]:
    """Return all of an account that policy can tell apart; strength only as far as rules ask for it."""
    steps = tuple(held.log_e >= rule.min_log_e for rule in count.policy.rules) if held else ()
    days = int((count.now - held.since) / DAY) if held else 0
    verdict = (held.accused, count.now < held.expires, days, held.families, steps) if held else ()
    return verb, verdict, record


def _record(name: str, agreed: Agreement | None) -> AccountRecord:
    if agreed is None:
        return AccountRecord(account=name)
    plan, country, unmodified, workload, verified = agreed
    return AccountRecord(account=name, plan=plan, country=country, unmodified=bool(unmodified), workload=workload,
                         verified=tuple(json.loads(verified)))  # fmt: skip


def _line(name: str, action: str, shadow: bool, row: Row) -> r.TouchedLine:
    return r.TouchedLine(
        rule=name, action=action, shadow=shadow, accounts=row.accounts, requests=row.requests,
        unconfirmed=row.unconfirmed, accounts_if_confirmed=row.then_accounts,
        requests_if_confirmed=row.then_requests, sample=list(row.sample) if name else [],
    )  # fmt: skip
