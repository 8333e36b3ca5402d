"""View: what a worker knows of keys, accounts, decisions and verdicts, frozen until the next is put in its place.

In: a `Control` and the published verdicts. Out: dictionaries for the request path.
Cost: one pass over the records when something changed. Left to `desk`: when to look, and answering.
"""

from dataclasses import dataclass, field

from stillwatch.gateway.ports import Caller
from stillwatch.policy.decisions import latest
from stillwatch.terms.account import AccountRecord, Control, Decision
from stillwatch.terms.action import Held
from stillwatch.terms.canary import CanaryRecord


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who holds one key, and from when on it is no good."""

    caller: Caller
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One consistent state of the control records."""

    generation: int = -1
    holders: dict[str, KeyHolder] = field(default_factory=dict, repr=False)
    """Digest of the key -> its holder; revoked keys are not here."""
    accounts: dict[str, AccountRecord] = field(default_factory=dict, repr=False)
    decided: dict[str, Decision] = field(default_factory=dict, repr=False)
    """Account -> the last decision that names it; its end is looked at when it is used."""

    canaries: dict[str, tuple[CanaryRecord, ...]] = field(default_factory=dict, repr=False)
    """Account -> canaries that were never retired, oldest first; their end is looked at when they are used."""

    @classmethod
    def of(cls, control: Control) -> "View":
        """Read everything; a change while reading shows in the next generation and is read then."""
        generation = control.generation()
        accounts = {record.account: record for record in control.accounts()}
        holders = {
            key.digest: KeyHolder(
                caller_of(key.account, key.key_id, accounts.get(key.account)),
                float("inf") if key.expires is None else key.expires,
            )
            for key in control.keys()
            if key.revoked is None
        }
        canaries: dict[str, tuple[CanaryRecord, ...]] = {}
        for canary in control.canaries():
            if canary.retired is None:
                for account in canary.accounts:
                    canaries[account] = (*canaries.get(account, ()), canary)
        decided = latest(control.decisions())
        return cls(generation=generation, holders=holders, accounts=accounts, decided=decided, canaries=canaries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The published verdicts as a worker holds them."""

    stamp: tuple[int, int] | None = None
    """What tells one published file from the next."""
    generation: int = -1
    made_at: float = 0.0
    held: dict[str, Held] = field(default_factory=dict, repr=False)


def caller_of(account: str, key_id: str, record: AccountRecord | None) -> Caller:
    """Return the caller that stands for an account, with what was agreed with it."""
    if record is None:
        return Caller(account=account, key_id=key_id)
    return Caller(
        account=account, key_id=key_id, organisation=record.organisation, plan=record.plan, payment=record.payment,
        country=record.country, unmodified=record.unmodified, workload=record.workload,
    )  # fmt: skip
