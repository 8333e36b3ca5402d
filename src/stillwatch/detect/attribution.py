"""Attribute a pool of accounts to earlier campaigns: does it carry their tokens more often than others here do?

In: who carries which tokens, the pool's accounts, tokens of earlier campaigns. Out: for each campaign nats against
"the pool's own values are drawn from the same store as everybody's", per kind and together, and which campaigns are
attributed with the false discovery rate held at q over all that were looked at. The exchangeable unit is the distinct
value, never the account that carries it: forty accounts on one card are one card. Near copies of one text are one text.
Nothing about a country, a language or a nationality is looked at or put out.
Cost: a pass over the holdings, 0.2 ms a campaign and kind. Left to the caller: a pool chosen without looking at these
tokens; what links it must be something else, or the kind that linked it is left out.
Source: `stats.two_sample` (the exact bet), Wang and Ramdas 2022 (e-BH), arXiv:2009.02824.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stillwatch.stats.evalues import mean_log_e
from stillwatch.stats.multiplicity import e_bh
from stillwatch.stats.two_sample import two_sample_bet
from stillwatch.terms.coalition import BANDS_NEEDED, TOKEN_KINDS, Holding
from stillwatch.terms.verdict import Evidence

NULL = "the pool's values are drawn from the same store as those of all other accounts here"
Unit = frozenset[bytes]
"""Tokens of one value; of a template, the bands of all its near copies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """One campaign of before, ours or another provider's."""

    campaign: str
    organisation: str
    tokens: Mapping[str, frozenset[bytes]] = field(repr=False)
    """By kind."""
    accounts: frozenset[str] = frozenset()
    """Its accounts here, where it is our own: neither of the pool nor of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What is concluded of the pool and one campaign."""

    campaign: str
    organisation: str
    log_e: float
    """Nats: the mean e-value over the kinds that could be compared."""
    attributed: bool
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributions:
    """What is concluded of one pool."""

    pool: int
    """Accounts of the pool that carry tokens."""
    others: int
    q: float
    """False discovery rate promised over the campaigns looked at."""
    looked_at: int
    found: tuple[Attribution, ...]
    """Strongest first."""


def attribute(
    holdings: Sequence[Holding],
    pool: Collection[str],
    earlier: Sequence[Earlier],
    *,
    q: float = 0.05,
    left_out: Collection[str] = (),
) -> Attributions:
    """Return which earlier campaigns the pool continues.

    Args:
        holdings: Everything that accounts here carry, within one epoch.
        pool: The pool's accounts.
        earlier: Campaigns to compare with, all that are at hand.
        q: False discovery rate, strictly between 0 and 1.
        left_out: Kinds that are not compared, such as those that linked the pool.
    """
    members = frozenset(pool)
    kinds = [kind for kind in TOKEN_KINDS if kind not in left_out]
    found = []
    for one in earlier:
        apart = [held for held in holdings if held.account not in one.accounts]
        evidence = tuple(_evidence(kind, apart, members, one) for kind in kinds if one.tokens.get(kind))
        compared = [item.log_e for item in evidence if item.n > 0]
        found.append((one, float(mean_log_e(compared)) if compared else 0.0, evidence))
    nats = np.array([log_e for _, log_e, _ in found])
    rejected = e_bh(nats, q)
    judged = [
        Attribution(
            campaign=one.campaign, organisation=one.organisation, log_e=log_e, attributed=bool(hit), evidence=evidence
        )
        for (one, log_e, evidence), hit in zip(found, rejected, strict=True)
    ]  # fmt: skip
    carriers = {held.account for held in holdings}
    return Attributions(
        pool=len(carriers & members), others=len(carriers - members), q=q, looked_at=len(earlier),
        found=tuple(sorted(judged, key=lambda item: (-item.log_e, item.campaign, item.organisation))),
    )  # fmt: skip


def _evidence(kind: str, holdings: Sequence[Holding], members: frozenset[str], one: Earlier) -> Evidence:
    """Return the bet on one kind: of the pool's units and of the others', how many are the campaign's."""
    own, theirs = _units(kind, holdings, members)
    hits_own, hits_theirs = (_hits(kind, units, one.tokens[kind]) for units in (own, theirs))
    log_e = float(two_sample_bet(hits_own, len(own), hits_theirs, len(theirs)))
    return Evidence(
        scenario="attribution", null=f"{NULL} ({kind})", log_e=log_e if math.isfinite(log_e) else 0.0,
        n=len(own), unit=kind,
        detail={"pool": len(own), "pool_hits": hits_own, "others": len(theirs), "other_hits": hits_theirs},
        clears="values that are the pool's own",
    )  # fmt: skip


def _hits(kind: str, units: Iterable[Unit], tokens: frozenset[bytes]) -> int:
    needed = BANDS_NEEDED if kind == "template" else 1
    return sum(len(unit & tokens) >= needed for unit in units)


def _units(kind: str, holdings: Sequence[Holding], members: frozenset[str]) -> tuple[list[Unit], list[Unit]]:
    """Return the units of the pool and of the others; one that both carry is the pool's."""
    if kind != "template":
        carried: dict[bytes, bool] = {}
        for held in holdings:
            if held.kind == kind:
                carried[held.token] = carried.get(held.token, False) or held.account in members
        return [frozenset([t]) for t, ours in carried.items() if ours], [
            frozenset([t]) for t, ours in carried.items() if not ours
        ]
    texts: dict[bytes, set[bytes]] = {}
    ours_of: dict[bytes, bool] = {}
    for held in holdings:
        if held.kind == kind:
            texts.setdefault(held.group, set()).add(held.token)
            ours_of[held.group] = ours_of.get(held.group, False) or held.account in members
    own: list[Unit] = []
    theirs: list[Unit] = []
    for groups, bands in near_copies(texts):
        (own if any(ours_of[group] for group in groups) else theirs).append(bands)
    return own, theirs


def near_copies(texts: Mapping[bytes, Collection[bytes]]) -> list[tuple[tuple[bytes, ...], Unit]]:
    """Return texts gathered where they share at least `BANDS_NEEDED` bands, each with all bands of its gathering.

    Args:
        texts: Mark of a text -> its bands.

    >>> texts = {b"x": [b"1", b"2", b"3"], b"y": [b"1", b"2", b"3", b"4"], b"z": [b"9"]}
    >>> [len(marks) for marks, _ in near_copies(texts)]
    [2, 1]
    """
    home: dict[bytes, set[int]] = {}
    gathered: dict[int, tuple[set[bytes], set[bytes]]] = {}
    for number, mark in enumerate(sorted(texts)):
        bands = set(texts[mark])
        shared = Counter(at for band in bands for at in home.get(band, ()))
        marks, union = {mark}, set(bands)
        for at in [at for at, count in shared.items() if count >= BANDS_NEEDED]:
            other_marks, other_bands = gathered.pop(at)
            marks |= other_marks
            union |= other_bands
            for band in other_bands:
                home[band].discard(at)
        gathered[number] = (marks, union)
        for band in union:
            home.setdefault(band, set()).add(number)
    return [(tuple(sorted(marks)), frozenset(bands)) for marks, bands in gathered.values()]
