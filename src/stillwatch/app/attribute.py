"""`stillwatch attribute`: a pool of accounts held against campaigns of before, ours and other providers'.

In: a state folder, the pool as a campaign's id or a list of accounts. Out: nats for each earlier campaign, and which
are attributed at the promised error rate. Campaigns of before are those that a person here confirmed, and advisories
that were pulled, lapsed ones too, save those revoked or disputed. Only tokens of one key epoch can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stillwatch.app.advisories import PulledAdvisories
from stillwatch.app.claims import claims_of
from stillwatch.app.control import open_control
from stillwatch.app.recognition import open_tokens
from stillwatch.app.subjects import matching
from stillwatch.detect.attribution import Attributions, Earlier, attribute
from stillwatch.exchange.notary.epochs import number_of
from stillwatch.store.control import FILE_NAME
from stillwatch.store.tokenindex import SqliteTokens
from stillwatch.terms.account import Decision
from stillwatch.terms.coalition import Holding
from stillwatch.terms.errors import StillwatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeAsk:
    """What is asked."""

    state: Path
    subject: str = ""
    """Id of a campaign here; its accounts are the pool."""
    accounts: tuple[str, ...] = ()
    """The pool itself, where no campaign is named."""
    own: str = "own"
    """What this provider is called in the result."""
    q: float = 0.05
    left_out: tuple[str, ...] = ()
    """Kinds that are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """What came of it."""

    epoch: str
    """Key epoch of the tokens that were compared."""
    compared: int
    """Campaigns of before that have tokens of that epoch."""
    result: Attributions


def attribute_pool(ask: AttributeAsk) -> Attributed:
    """Hold the pool against every earlier campaign.

    Raises:
        StillwatchError: the pool is unknown or carries no tokens, or what was pulled is damaged.
    """
    decisions = _decisions(ask.state)
    pool = _pool(ask, decisions)
    index = open_tokens(ask.state)
    try:
        epoch = _epoch(index, pool)
        holdings = index.every(epoch)
    finally:
        index.close()
    earlier = (*_own(ask, decisions, pool, holdings), *_others(ask.state, epoch))
    result = attribute(holdings, pool, earlier, q=ask.q, left_out=ask.left_out)
    return Attributed(epoch=epoch, compared=len(earlier), result=result)


def _decisions(state: Path) -> tuple[Decision, ...]:
    if not (state / FILE_NAME).exists():
        return ()
    with open_control(state, new=False) as book:
        return book.decisions()


def _pool(ask: AttributeAsk, decisions: Sequence[Decision]) -> tuple[str, ...]:
    if bool(ask.subject) == bool(ask.accounts):
        raise StillwatchError("attribute: give a campaign's id, or accounts with --accounts; not both.")
    if ask.accounts:
        return ask.accounts
    for claim in matching(claims_of(ask.state), ask.subject):
        if claim.kind == "campaign":
            return claim.accounts
    for decision in reversed(decisions):
        if decision.kind == "campaign" and decision.subject == ask.subject:
            return decision.accounts
    raise StillwatchError(
        f"attribute: no campaign {ask.subject} is known here; `stillwatch decide list --waiting` lists those that wait."
    )


def _epoch(index: SqliteTokens, pool: Sequence[str]) -> str:
    """Return the epoch in which most of the pool's tokens are, the later of two that hold as many."""
    held = {epoch: len(found) for epoch, found in index.held_by(pool).items()}
    if not held:
        raise StillwatchError(
            "attribute: no account of the pool carries tokens. They come of live traffic with matching.live = true, or "
            "of `stillwatch coalition match --accounts FILE`."
        )
    return max(held, key=lambda epoch: (held[epoch], number_of(epoch)))


def _own(
    ask: AttributeAsk, decisions: Sequence[Decision], pool: Sequence[str], holdings: Sequence[Holding]
) -> list[Earlier]:
    """Return campaigns that a person here confirmed; the pool's own is none of them."""
    accounts: dict[str, set[str]] = {}
    for decision in decisions:
        if decision.kind != "campaign" or decision.subject == ask.subject:
            continue
        if decision.verb == "confirm":
            accounts.setdefault(decision.subject, set()).update(decision.accounts)
        else:
            accounts.pop(decision.subject, None)
    found = []
    for campaign, members in accounts.items():
        members -= set(pool)
        tokens: dict[str, set[bytes]] = {}
        for held in holdings:
            if held.account in members:
                tokens.setdefault(held.kind, set()).add(held.token)
        if tokens:
            found.append(
                Earlier(
                    campaign=campaign, organisation=ask.own, accounts=frozenset(members),
                    tokens={kind: frozenset(values) for kind, values in tokens.items()},
                )
            )  # fmt: skip
    return found


def _others(state: Path, epoch: str) -> list[Earlier]:
    """Return other providers' campaigns, each with all its tokens of that epoch."""
    gathered: dict[tuple[str, str], dict[str, frozenset[bytes]]] = {}
    for one in PulledAdvisories(state).all():
        if one.epoch == epoch and not one.revoked and not one.disputed_by:
            kinds = gathered.setdefault((one.campaign, one.organisation), {})
            kinds[one.kind] = kinds.get(one.kind, frozenset()) | frozenset(one.split())
    return [
        Earlier(campaign=campaign, organisation=organisation, tokens=kinds)
        for (campaign, organisation), kinds in gathered.items()
    ]
