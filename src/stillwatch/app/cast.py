"""Who plays in a run: the composed accounts with their keys, and which of their requests are sent when.

In: a seed and the day the traffic begins. Out: a `Cast`. The truth is used to count and to tell afterwards, never
by gateway or watcher. Cost: a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Final

from stillwatch.app.control import Book
from stillwatch.app.keys import NewKey, create_key
from stillwatch.lab.liveplan import REPLAYED_DAYS, live_plan
from stillwatch.lab.traffic import Truth, compose, load_corpus
from stillwatch.terms.account import AccountRecord
from stillwatch.terms.exchange import Exchange

DAY: Final = 86_400.0
HONEST, CAMPAIGN = "honest", "campaign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The traffic of one run."""

    start: float
    """Event time of its first day."""
    end: float
    """Event time at which the replay is over."""
    replayed: list[Exchange] = field(repr=False)
    """Sorted by time."""
    further: list[Exchange] = field(repr=False)
    """What is sent afterwards, one account of each group in turns."""
    groups: Mapping[str, str] = field(repr=False)
    """Account -> `HONEST` or `CAMPAIGN`."""
    truth: Mapping[str, Truth] = field(repr=False)
    label: str
    """What the campaign is, such as `reasoning E1 proxy`."""

    def members(self) -> list[str]:
        """Return the accounts of the campaign, those that send first first."""
        return self._of(CAMPAIGN)

    def honest(self) -> list[str]:
        """Return the honest accounts, those that send first first."""
        return self._of(HONEST)

    def _of(self, group: str) -> list[str]:
        return list(dict.fromkeys(x.account for x in self.replayed if self.groups[x.account] == group))


def cast_of(seed: int, start: float) -> Cast:
    """Compose the traffic of `seed` from `start` (seconds since 1970, midnight UTC) on."""
    traffic = compose(live_plan(seed, start), load_corpus(None))
    groups = {name: HONEST if truth.campaign is None else CAMPAIGN for name, truth in traffic.truth.items()}
    end = start + REPLAYED_DAYS * DAY
    later = [x for x in traffic.exchanges if x.time >= end and x.status == 200]
    parts = [[x for x in later if groups[x.account] == group] for group in (CAMPAIGN, HONEST)]
    paired = chain.from_iterable(zip_longest(*parts))
    return Cast(
        start=start, end=end, groups=groups, truth=traffic.truth,
        replayed=[x for x in traffic.exchanges if x.time < end],
        further=[x for x in paired if x is not None][: 2 * min(map(len, parts))],
        label=next(truth.habit for truth in traffic.truth.values() if truth.campaign is not None),
    )  # fmt: skip


def issue_keys(book: Book, secret: bytes, cast: Cast, now: float) -> dict[str, str]:
    """Make every account of the cast, with a key each, in one step; return account -> key."""
    first = {x.account: x for x in reversed([*cast.replayed, *cast.further])}
    keys = {}
    with book.changing():
        for account, x in first.items():
            book.put_account(AccountRecord(
                account=account, organisation=x.organisation, plan=x.plan, payment=x.payment,
            ))  # fmt: skip
            keys[account] = create_key(book, secret, NewKey(account=account, label="demonstration"), now).key
    return keys
