"""What other providers' warnings come to: which accounts they match, and how many organisations say so.

In: advisories as pulled, who carries their tokens here, limits, the clock. Out: matches, and what was set aside with
the reason. Corroboration is counted per verified organisation. Only advisories in force count: one dispute, revocation
or lapse takes the match away the next time. An address alone is no match: strangers share addresses. An
organisation whose warnings match too many of a provider's accounts is set aside for a person: that is a common
template, or poison.
Cost: one look-up a published token. Left to `decide`: what a match may order, which is never a refusal.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stillwatch.terms.coalition import BANDS_NEEDED, TOKEN_BYTES, Advisory, Holding, TokenIndex

FAMILY_OF = {"payment": "payment", "device": "client", "address": "network", "template": "content"}
"""Kind of a token -> the edge family whose proof clears it."""
_FEW_ACCOUNTS = 20
"""Matched accounts up to which nothing is called common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom a provider believes, and how far."""

    own: str = ""
    """Its own organisation, whose advisories are no news."""
    organisations: tuple[str, ...] = ()
    """Organisations that it holds to be verified; empty for all that the hub vouches for."""
    common_share: float = 0.05
    """Share of the accounts with tokens that one organisation's advisories may match; beyond, all of them are set
    aside for a person."""
    most_tokens: int = 1_000_000
    """Tokens in force of one organisation that are looked at, oldest advisories first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One account here that warnings match."""

    account: str
    organisations: tuple[str, ...]
    """Verified organisations that warn of it, each once, by name."""
    campaigns: tuple[str, ...]
    kinds: tuple[str, ...]
    """Kinds of tokens that matched."""
    advisories: tuple[str, ...]
    until: float
    """When the last of the advisories lapses, seconds since 1970."""

    @property
    def families(self) -> tuple[str, ...]:
        """Edge families of what matched."""
        return tuple(FAMILY_OF[kind] for kind in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One advisory that was not used, and why."""

    advisory: str
    organisation: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What a look at all advisories came to."""

    matches: tuple[Match, ...]
    """Most organisations first, then by account."""
    set_aside: tuple[SetAside, ...] = ()
    used: int = 0
    """Advisories that were matched."""


def matched_accounts(kind: str, holdings: Iterable[Holding]) -> set[str]:
    """Return the accounts that one advisory matches, given who carries its tokens.

    Of templates `BANDS_NEEDED` bands of one text must be equal; of other kinds one token.
    """
    found = list(holdings)
    if kind != "template":
        return {one.account for one in found}
    bands = Counter((account, group) for account, group, _ in {(one.account, one.group, one.token) for one in found})
    return {account for (account, _), count in bands.items() if count >= BANDS_NEEDED}


def recognise(advisories: Sequence[Advisory], index: TokenIndex, trust: Trust, now: float) -> Recognised:
    """Return which accounts warnings match.

    Args:
        advisories: Everything that was pulled.
        index: Which accounts here carry which tokens.
        trust: Whom to believe.
        now: Seconds since 1970.
    """
    aside: list[SetAside] = []
    spent: Counter[str] = Counter()
    matched: list[tuple[Advisory, set[str]]] = []
    for advisory in sorted(advisories, key=lambda one: (one.valid_from, one.id)):
        why = _unfit(advisory, trust, spent, now)
        if why:
            aside.append(_set_aside(advisory, why))
        else:
            holdings = index.holdings(advisory.kind, advisory.epoch, advisory.split())
            matched.append((advisory, matched_accounts(advisory.kind, holdings)))
    common = _too_common(matched, index, trust)
    gathered: dict[str, list[Advisory]] = {}
    for advisory, accounts in matched:
        if advisory.organisation in common:
            aside.append(_set_aside(advisory, common[advisory.organisation]))
            continue
        for account in accounts:
            gathered.setdefault(account, []).append(advisory)
    matches = [match for account, found in gathered.items() if (match := _match(account, found)) is not None]
    matches.sort(key=lambda match: (-len(match.organisations), match.account))
    used = sum(advisory.organisation not in common for advisory, _ in matched)
    return Recognised(matches=tuple(matches), set_aside=tuple(aside), used=used)


def _set_aside(advisory: Advisory, why: str) -> SetAside:
    return SetAside(advisory=advisory.id, organisation=advisory.organisation, why=why)


def _too_common(matched: Sequence[tuple[Advisory, set[str]]], index: TokenIndex, trust: Trust) -> dict[str, str]:
    """Return the organisations whose warnings together match too many accounts here, and why they are not used.

    Counted over all that an organisation says: many small warnings reach as far as a large one.
    """
    reached: dict[str, set[str]] = {}
    for advisory, accounts in matched:
        reached.setdefault(advisory.organisation, set()).update(accounts)
    everybody = max((index.accounts(epoch) for epoch in {advisory.epoch for advisory, _ in matched}), default=0)
    return {
        name: f"its organisation's warnings match {len(accounts):,} of {everybody:,} accounts: too common to use"
        for name, accounts in reached.items()
        if len(accounts) > max(_FEW_ACCOUNTS, trust.common_share * everybody)
    }


def _unfit(advisory: Advisory, trust: Trust, spent: Counter[str], now: float) -> str:
    """Return why an advisory is not looked at; empty where it is. Its tokens are counted against its organisation."""
    if advisory.organisation == trust.own:
        return "own"
    if trust.organisations and advisory.organisation not in trust.organisations:
        return "not of an organisation that the settings hold to be verified"
    if advisory.revoked:
        return "revoked"
    disputed = [by for by in advisory.disputed_by if not trust.organisations or by in (*trust.organisations, trust.own)]
    if disputed:
        return f"disputed by {', '.join(disputed)}"
    if not advisory.valid_from <= now < advisory.valid_until:
        return "not in force at this time"
    spent[advisory.organisation] += len(advisory.tokens) // TOKEN_BYTES
    if spent[advisory.organisation] > trust.most_tokens:
        return f"beyond {trust.most_tokens:,} tokens of its organisation"
    return ""


def _match(account: str, found: Sequence[Advisory]) -> Match | None:
    """Return what advisories together say of an account; None where only addresses match."""
    by: Mapping[str, set[str]] = _kinds_by_organisation(found)
    telling = {name for name, kinds in by.items() if kinds - {"address"}}
    if not telling:
        return None
    counted = [one for one in found if one.organisation in telling]
    return Match(
        account=account, organisations=tuple(sorted(telling)),
        campaigns=tuple(sorted({one.campaign for one in counted})),
        kinds=tuple(sorted({one.kind for one in counted})), advisories=tuple(sorted(one.id for one in counted)),
        until=max(one.valid_until for one in counted),
    )  # fmt: skip


def _kinds_by_organisation(found: Sequence[Advisory]) -> dict[str, set[str]]:
    by: dict[str, set[str]] = {}
    for one in found:
        by.setdefault(one.organisation, set()).add(one.kind)
    return by
