"""One account, and the whole state folder, as a person needs to see them.

In: the control records, the published verdicts, the time. Out: frozen records to print.
"""

from dataclasses import dataclass
from pathlib import Path

from stillwatch.app.claims import claims_of, read_live
from stillwatch.app.control import Book
from stillwatch.app.decide import waiting
from stillwatch.app.subjects import Claim, matching
from stillwatch.app.vaultkeeper import VaultStatus
from stillwatch.app.vaultseen import vault_seen
from stillwatch.policy.decisions import in_force
from stillwatch.terms.account import AccountRecord, Appeal, Decision, KeyRecord
from stillwatch.terms.action import CLEARING
from stillwatch.terms.errors import StillwatchError

SOON = 14 * 86_400.0
"""Keys and decisions that end within this time are counted as ending soon, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStanding:
    """All that is known of one account."""

    record: AccountRecord
    keys: tuple[KeyRecord, ...]
    claims: tuple[Claim, ...]
    in_force: Decision | None
    decisions: tuple[Decision, ...]
    appeals: tuple[Appeal, ...]
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a state folder holds, and what in it waits for a person."""

    accounts: int
    keys_good: int
    keys_ended: int
    keys_ending_soon: int
    confirmed: int
    """Accounts under a confirmed verdict."""
    cleared: int
    """Accounts that a person dismissed or released."""
    decisions_ending_soon: int
    waiting: tuple[Claim, ...]
    """Verdicts that wait for a person."""
    open_appeals: tuple[Appeal, ...]
    published_at: float | None
    """When verdicts were last published; None for never."""
    judged_until: float | None
    """Up to when traffic was judged."""
    held: int
    """Accounts accused in the published verdicts."""
    vault: VaultStatus | None = None
    """What the watcher said last of the evidence vault; None where none ran."""


def account_standing(book: Book, state: Path, account: str, now: float) -> AccountStanding:
    """Return all that is known of one account.

    Raises:
        StillwatchError: nothing is known of it.
    """
    claims = tuple(c for c in matching(claims_of(state), account) if c.kind == "account")
    keys = tuple(key for key in book.keys() if key.account == account)
    decisions = tuple(d for d in book.decisions() if account in d.accounts)
    appeals = tuple(appeal for appeal in book.appeals() if appeal.account == account)
    record = book.find_account(account)
    if record is None and not (claims or keys or decisions or appeals):
        raise StillwatchError(f"account {account}: is not known; `stillwatch accounts list` lists those that are.")
    return AccountStanding(
        record=record or AccountRecord(account=account), keys=keys, claims=claims, decisions=decisions,
        appeals=appeals, in_force=in_force(decisions, now).get(account), now=now,
    )  # fmt: skip


def overview(book: Book, state: Path, now: float) -> Overview:
    """Return what the state folder holds and what waits for a person."""
    live = read_live(state)
    claims = claims_of(state)
    keys, decisions = book.keys(), book.decisions()
    force = in_force(decisions, now)
    good = [key for key in keys if key.good_at(now)]
    return Overview(
        accounts=len(book.accounts()), keys_good=len(good), keys_ended=len(keys) - len(good),
        keys_ending_soon=sum(key.expires is not None and key.expires < now + SOON for key in good),
        confirmed=sum(d.verb == "confirm" for d in force.values()),
        cleared=sum(d.verb in CLEARING for d in force.values()),
        decisions_ending_soon=len({d.id for d in force.values() if d.expires < now + SOON}),
        waiting=waiting(claims, decisions, now),
        open_appeals=tuple(appeal for appeal in book.appeals() if appeal.state == "open"),
        published_at=live.made_at if live.generation >= 0 else None,
        judged_until=live.judged_until if live.generation >= 0 else None,
        held=sum(h.accused and now < h.expires for h in live.held.values()),
        vault=vault_seen(state),
    )  # fmt: skip
