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
from stillwatch.detect.slices import among
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
    spoken_for: BoolArray
    """Accounts that any granted group links, shape (n_accounts,); what links them elsewhere makes no member here."""
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
    mine = concerned.of_accounts(rows)
    time = concerned.events["time"][mine]
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
        first_seen=float(time.min()) if len(time) else 0.0,
        last_seen=float(time.max()) if len(time) else 0.0,
        tokens_in=int(concerned.events["tokens_in"][mine].clip(0).sum()),
        tokens_out=int(concerned.events["tokens_out"][mine].clip(0).sum()),
        harvest=int(harvests[fits].sum()),
    )


def _members(
    people: Population, concerned: Concerned, group: Group, around: Around
) -> tuple[IntArray, FloatArray, IntArray]:
    """Return (rows, nats of each account's own part, each account's different requests with the content).

    Looks at accounts that were linked or carry the content, and at no others: the rest have nothing to show.
    """
    once = _different_hits(concerned, group)
    block = group.rows
    rows = np.union1d(concerned.row[once], block)
    at = np.searchsorted(rows, concerned.row[once])
    hits = np.bincount(at, minlength=len(rows))
    linked = among(rows, block)[1]
    total = np.maximum(people.roll["n_contents"][rows].astype(np.int64), hits)
    rate = min(MARGIN * _outside_rate(people, rows, hits, linked), 0.9)
    own = np.asarray(bernoulli_bet(hits, total, rate))
    bar = np.where(linked, MEMBER_NATS, MEMBER_NATS + np.log(people.n_holders))
    member = (hits >= 2) & (own >= bar)
    member &= linked | ~around.spoken_for[rows]
    given = hits / np.maximum(total, 1)
    member &= given >= LEAST_PART * np.median(given[linked])
    member &= ~_public(people, concerned, Found(once, at, member), around.rng)
    member |= among(rows, group.tied)[1]
    return rows[member], own[member], hits[member]


def _different_hits(concerned: Concerned, group: Group) -> IntArray:
    """Return the events that carry the group's content, each account's different contents once."""
    keys: dict[str, npt.NDArray[np.uint64]] = {}
    for part in group.naming:
        for kind, values in part.candidate.keys.items():
            keys[kind] = np.union1d(keys[kind], values) if kind in keys else values
    hit = concerned.index.events(keys)
    tied = tie(concerned.row[hit].astype(np.uint64), concerned.events["sketch"]["content"][hit])
    _, once = np.unique(tied, return_index=True)
    return hit[once]


@dataclass(frozen=True, slots=True)
class Found:
    """Accounts that were linked or carry a block's content, and what they carry."""

    once: IntArray
    """Events with the content, each account's different contents once, shape (n_hits,)."""
    at: IntArray
    """Whose each is: an index of an account, shape (n_hits,)."""
    member: BoolArray
    """Which accounts are members so far, shape (n_accounts,)."""


def _public(people: Population, concerned: Concerned, found: Found, rng: np.random.Generator) -> BoolArray:
    """Return which accounts send a public set in a block that has work of its own, shape (n_accounts,).

    Args:
        people: The population.
        concerned: Events of all who carried the content.
        found: The accounts, and who is a member so far.
        rng: Source of the order of `deal_ranks`.
    """
    member = found.member
    common = _common_share(people, concerned, found)
    if not member.any() or np.quantile(common[member], 0.25) >= FEW_COMMON:
        return np.zeros(len(member), bool)
    mine = found.once[member[found.at]]
    ranks = deal_ranks(people.holder[concerned.row[mine]], concerned.events["sketch"]["content"][mine], rng)
    return common >= (MOSTLY_COMMON if dealt_nats(ranks) < DEALT else np.inf)


def _common_share(people: Population, concerned: Concerned, found: Found) -> FloatArray:
    """Return for every account the share of its different hits that another holder sent too, shape (n_accounts,).

    Whoever sends a public test set sends what others send; where the block as a whole does not, such
    an account merely meets it there.
    """
    row, content = concerned.row[found.once], concerned.events["sketch"]["content"][found.once]
    _, first = np.unique(tie(people.holder[row].astype(np.uint64), content), return_index=True)
    values, senders = np.unique(content[first], return_counts=True)
    shared = senders[np.searchsorted(values, content)] >= 2 if len(values) else np.zeros(0, bool)
    n = np.bincount(found.at, minlength=len(found.member))
    return np.bincount(found.at, weights=shared, minlength=len(found.member)) / np.maximum(n, 1)


def _outside_rate(people: Population, rows: IntArray, hits: IntArray, linked: BoolArray) -> float:
    """Return how often a different request of an account that was not linked carries the content.

    Accounts that carried it more than once are left out: some are members that linkage missed, and
    an honest account that repeats it is judged by its own count.

    Args:
        people: The population.
        rows: Accounts that were linked or carry the content; everybody else has none.
        hits: Different requests of each with the content.
        linked: Which of them were linked.
    """
    requests = float(people.n_contents - int(people.roll["n_contents"][rows[linked]].sum(dtype=np.int64)))
    once = float((~linked & (hits == 1)).sum())
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
