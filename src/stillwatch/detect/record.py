"""Write campaigns and near misses down as records.

In: groups with their evidence and the events of all who carried their keys. Out: `Campaign` and
`AccountVerdict` records. A member is an account whose own requests show the block's content more
than outside accounts do; for infrastructure, an account that was linked.
Left to `console`: words and pictures.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.campaign import Group
from stillwatch.detect.conduct import tie
from stillwatch.detect.deal import deal_ranks, dealt_nats
from stillwatch.detect.explain import MARGIN
from stillwatch.detect.families import fits_in
from stillwatch.detect.hits import Concerned
from stillwatch.detect.population import STRATA, Population
from stillwatch.stats.bets import bernoulli_bet
from stillwatch.terms.verdict import AccountVerdict, Campaign, Evidence

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MEMBER_NATS: Final = float(np.log(100.0))
"""Nats of own evidence that a linked account needs to be a member; one that was not linked needs them over and
above the number of holders it was picked from."""
LEAST_PART: Final = 0.5
"""A member gives the content at least this much of the share of its requests that a middling linked account does:
whoever works on something else most of the time merely meets the content."""
DEALT: Final = float(np.log(100.0))
"""Nats from which the pieces of a block count as dealt out: then they say nothing about who belongs to it."""
FEW_COMMON: Final = 0.25
"""A block of which a quarter of the members share fewer of their requests than this has work of its own."""
MOSTLY_COMMON: Final = 0.5
"""An account in such a block that shares at least this many is no member: it sends a public set."""
CLOSEST: Final = 20
"""Honest accounts that are shown because they came closest."""


@dataclass(frozen=True, slots=True)
class Around:
    """What decides who is a member, besides what the group itself says."""

    families: Mapping[str, BoolArray]
    """Infrastructure families that tie the linked members, and which of them."""
    elsewhere: IntArray
    """Accounts that other granted groups link and this one does not."""
    rng: np.random.Generator
    """Source of the order in which it is asked whether the work was dealt out."""


def campaign_record(people: Population, concerned: Concerned, group: Group, around: Around) -> Campaign:
    """Return the campaign that a group stands for, its members strongest first.

    Args:
        people: The population.
        concerned: Events of all who carried the content of any candidate.
        group: The candidates that are about the same accounts.
        around: What decides membership besides.
    """
    rows, own, harvests = _members(people, concerned, group, around)
    fits = fits_in(people, rows, group.rows, dict(around.families))
    rows, own = rows[fits], own[fits]
    mine = concerned.events[concerned.of_accounts(rows)]
    order = np.lexsort((rows, -own))
    accounts = people.roll["account"][rows[order]]
    return Campaign(
        id=_name(people.roll["account"][group.rows]),
        accounts=tuple(int(a) for a in accounts),
        account_log_e=tuple(round(float(e), 3) for e in own[order]),
        families=("content" if group.by_content else "work", *around.families),
        log_e=round(group.lead.log_e, 4),
        evidence=group.lead.evidence,
        accused=group.lead.granted,
        requests=len(mine),
        first_seen=float(mine["time"].min()) if len(mine) else 0.0,
        last_seen=float(mine["time"].max()) if len(mine) else 0.0,
        tokens_in=int(mine["tokens_in"].clip(0).sum()),
        tokens_out=int(mine["tokens_out"].clip(0).sum()),
        harvest=int(harvests[fits].sum()),
    )


def _members(
    people: Population, concerned: Concerned, group: Group, around: Around
) -> tuple[IntArray, FloatArray, IntArray]:
    """Return (rows, nats of each account's own part, each account's different requests with the content)."""
    keys: dict[str, npt.NDArray[np.uint64]] = {}
    for part in group.naming:
        for kind, values in part.candidate.keys.items():
            keys[kind] = np.union1d(keys[kind], values) if kind in keys else values
    hit = concerned.index.events(keys)
    tied = tie(concerned.row[hit].astype(np.uint64), concerned.events["sketch"]["content"][hit])
    _, once = np.unique(tied, return_index=True)
    hits = np.bincount(concerned.row[hit[once]], minlength=len(people.roll))
    total = people.roll["n_contents"].astype(np.int64)
    linked = np.zeros(len(people.roll), bool)
    linked[group.rows] = True
    rate = min(MARGIN * _outside_rate(people, hits, linked), 0.9)
    own = np.asarray(bernoulli_bet(hits, np.maximum(total, hits), rate))
    bar = np.where(linked, MEMBER_NATS, MEMBER_NATS + np.log(people.n_holders))
    member = (hits >= 2) & (own >= bar)
    member[around.elsewhere] = False
    given = hits / np.maximum(np.maximum(total, hits), 1)
    member &= given >= LEAST_PART * np.median(given[group.rows])
    member &= ~_public(people, concerned, (hit[once], member), around.rng)
    member[group.tied] = True
    rows = np.flatnonzero(member)
    return rows, own[rows], hits[rows]


def _public(
    people: Population, concerned: Concerned, found: tuple[IntArray, BoolArray], rng: np.random.Generator
) -> BoolArray:
    """Return which members send a public set in a block that has work of its own.

    Args:
        people: The population.
        concerned: Events of all who carried the content.
        found: Hits, each account's different contents once; and who is a member so far.
        rng: Source of the order of `deal_ranks`.
    """
    once, member = found
    common = _common_share(people, concerned, once)
    if not member.any() or np.quantile(common[member], 0.25) >= FEW_COMMON:
        return np.zeros(len(member), bool)
    mine = once[member[concerned.row[once]]]
    ranks = deal_ranks(people.holder[concerned.row[mine]], concerned.events["sketch"]["content"][mine], rng)
    return common >= (MOSTLY_COMMON if dealt_nats(ranks) < DEALT else np.inf)


def _common_share(people: Population, concerned: Concerned, once: IntArray) -> FloatArray:
    """Return for every account the share of its different hits that another holder sent too.

    Whoever sends a public test set sends what others send; where the block as a whole does not, such
    an account merely meets it there.

    Args:
        people: The population.
        concerned: Events of all who carried the content.
        once: Hits, each account's different contents once: event indices.
    """
    row, content = concerned.row[once], concerned.events["sketch"]["content"][once]
    _, first = np.unique(tie(people.holder[row].astype(np.uint64), content), return_index=True)
    values, senders = np.unique(content[first], return_counts=True)
    shared = senders[np.searchsorted(values, content)] >= 2 if len(values) else np.zeros(0, bool)
    n = np.bincount(row, minlength=len(people.roll))
    return np.bincount(row, weights=shared, minlength=len(people.roll)) / np.maximum(n, 1)


def _outside_rate(people: Population, hits: IntArray, linked: npt.NDArray[np.bool_]) -> float:
    """Return how often a different request of an account that was not linked carries the content.

    Accounts that carried it more than once are left out: some are members that linkage missed, and
    an honest account that repeats it is judged by its own count.
    """
    requests = float(people.roll["n_contents"][~linked].sum())
    once = float(hits[~linked & (hits == 1)].sum())
    return min(max((once + 1.0) / (requests + 2.0), 1e-5), 0.5)


def _name(accounts: npt.NDArray[np.uint64]) -> str:
    """Return a name that the same linked accounts always get."""
    return "c-" + hashlib.blake2b(np.sort(accounts).tobytes(), digest_size=4).hexdigest()


def near_misses(people: Population, campaigns: tuple[Campaign, ...]) -> tuple[AccountVerdict, ...]:
    """Return accused accounts, strongest first, then the honest ones that came closest."""
    best: dict[int, tuple[bool, float, Campaign]] = {}
    for campaign in campaigns:
        for account in campaign.accounts:
            entry = (campaign.accused, campaign.log_e, campaign)
            if account not in best or entry[:2] > best[account][:2]:
                best[account] = entry
    ordered = sorted(best.items(), key=lambda item: (not item[1][0], -item[1][1], item[0]))
    accused = [item for item in ordered if item[1][0]]
    closest = [item for item in ordered if not item[1][0]][:CLOSEST]
    return tuple(_verdict(people, account, *entry) for account, entry in accused + closest)


def _verdict(people: Population, account: int, accused: bool, log_e: float, campaign: Campaign) -> AccountVerdict:
    row = int(people.find(np.array([account], np.uint64))[0])
    evidence: tuple[Evidence, ...] = campaign.evidence
    return AccountVerdict(
        account=account,
        log_e=round(log_e, 4),
        campaign=campaign.id,
        accused=accused,
        evidence=evidence,
        surface=STRATA[int(people.stratum[row])],
        requests=int(people.roll["n_requests"][row]),
    )
