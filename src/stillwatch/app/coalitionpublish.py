"""Publish a campaign that a person confirmed: what may be told is chosen here, written, checked, sent.

In: the control file's decisions, tokens of accounts, settings, the time. Out: what was told. Nothing is told without
a decision in force that confirms a verdict, nothing of accounts that it does not hold for, and of what honest people
may share nothing that fewer than 20 of its accounts do. The reason that the person gave is not told.
Left to `policy.publish`: which tokens are a campaign's own. Left to `exchange.stix`: words and form.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stillwatch.app.coalitionconfig import CoalitionConfig
from stillwatch.app.coalitionitems import Items
from stillwatch.app.control import Book
from stillwatch.app.controlnames import check_text
from stillwatch.exchange.stix import lint
from stillwatch.exchange.stix.write import Author, Confirmed, Written, campaign_of, revoked
from stillwatch.exchange.taxii.client import Reach, TaxiiClient
from stillwatch.exchange.taxii.received import Received
from stillwatch.policy.decisions import in_force
from stillwatch.terms.account import Decision
from stillwatch.terms.coalition import LEAST_CROWD, TOKEN_BYTES
from stillwatch.terms.errors import StillwatchError

NAME: Final = "Distillation campaign"
Tokens = Callable[[Sequence[str]], Mapping[tuple[str, str], bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a person asks to be told."""

    subject: str
    """Campaign or account that was confirmed."""
    by: str
    """Who publishes."""
    name: str = NAME
    description: str = ""
    techniques: tuple[str, ...] = ("AML.T0024.002",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told, or would be."""

    campaign: str
    """Its STIX id."""
    decision: int
    """Id of the decision that it rests on."""
    objects: tuple[dict[str, Any], ...] = field(repr=False)
    tokens: Mapping[str, int]
    """Tokens by kind; these counts stay here."""
    networks: int
    left_out: int
    """Accounts of the decision that another decision has taken out since."""
    sent: bool


def confirmed_decision(book: Book, subject: str, now: float) -> tuple[Decision, tuple[str, ...]]:
    """Return the decision that confirms a verdict on `subject`, and the accounts that it still holds for.

    Raises:
        StillwatchError: no person confirmed it, the confirmation lapsed, or there was no verdict to confirm.
    """
    found = [d for d in book.decisions() if d.subject == subject]
    last = found[-1] if found else None
    if last is None or last.verb != "confirm" or last.expires <= now:
        raise StillwatchError(
            f"publish {subject}: no person's confirmation of it is in force, and only confirmed verdicts are told. "
            f"See `stillwatch decide list`."
        )
    if not last.receipt:
        raise StillwatchError(
            f"publish {subject}: it was confirmed without a verdict, so there is no evidence to tell of."
        )
    force = in_force(book.decisions(), now)
    accounts = tuple(a for a in last.accounts if a in force and force[a].verb == "confirm")
    if not accounts:
        raise StillwatchError(
            f"publish {subject}: every account of it was dismissed or released since; nothing is told."
        )
    return last, accounts


def chosen_networks(items: Items, accounts: Sequence[str]) -> tuple[str, ...]:
    """Return the networks that at least 20 of the accounts use."""
    members = set(accounts)
    return tuple(sorted(n for n, users in items.networks.items() if len(users & members) >= LEAST_CROWD))


class Publisher:
    """One member that publishes."""

    def __init__(self, author: Author, config: CoalitionConfig, received: Received) -> None:
        self._author, self._config, self._received = author, config, received

    def write(self, book: Book, ask: Ask, tokens: Tokens, items: Items, now: float) -> tuple[Told, Written]:
        """Return what would be told of a confirmed campaign, and keep nothing.

        Args:
            book: The control records.
            ask: What is asked.
            tokens: Returns (kind, epoch) -> tokens, joined, for the accounts that it is given.
            items: Public networks, with the accounts behind them.
            now: Seconds since 1970.

        Raises:
            StillwatchError: nobody confirmed it, there is nothing to tell, or a text holds what may not be told.
        """
        check_text("--by", ask.by, at_most=100, needed=True)
        decision, accounts = confirmed_decision(book, ask.subject, now)
        joined, networks = tokens(accounts), chosen_networks(items, accounts)
        sets = {
            of: [held[i : i + TOKEN_BYTES] for i in range(0, len(held), TOKEN_BYTES)] for of, held in joined.items()
        }
        if not sets and not networks:
            raise StillwatchError(
                f"publish {ask.subject}: nothing of it may be told: no token is its own, and no network is shared by "
                f"{LEAST_CROWD} of its accounts. Give tokens with --tokens, or make them with `[matching]`."
            )
        told = Confirmed(
            subject=ask.subject, name=ask.name, description=ask.description, receipt=decision.receipt,
            techniques=ask.techniques, days=self._config.days, sets=sets, networks=networks,
        )  # fmt: skip
        before = [item for _, item in self._received.own(ask.subject)]
        ended = sum(item["type"] == "campaign" and item.get("revoked") is True for item in before)
        if ended:  # what was withdrawn is so for good: telling of it again is another warning
            told = replace(told, subject=f"{ask.subject}\x00{ended}")
        written = campaign_of(self._author, told, now, {str(item["id"]): str(item["created"]) for item in before})
        written = Written((*written.objects, *_dropped(before, written, now)), written.blobs)
        check_tellable(written)
        campaign = next(str(item["id"]) for item in written.objects if item["type"] == "campaign")
        counts: dict[str, int] = {}
        for (kind, _), some in sets.items():
            counts[kind] = counts.get(kind, 0) + len(some)
        return Told(campaign=campaign, decision=decision.id, objects=written.objects, tokens=counts, sent=False,
                    networks=len(networks), left_out=len(decision.accounts) - len(accounts)), written  # fmt: skip

    async def send(self, reach: Reach, written: Written, subject: str, by: str, now: float) -> None:
        """Send what was written: token sets first, because an indicator may only name what is there.

        Raises:
            StillwatchError: the hub cannot be reached, or does not take an object.
        """
        async with TaxiiClient(reach) as client:
            root = await client.root_url()
            for digest, body in written.blobs.items():
                await client.put_blob(root, digest, body)
            status = await client.add(root, self._config.collection, list(written.objects))
        refused = status.get("failures") or []
        names = {str(item.get("id")) for item in refused if isinstance(item, dict)}
        own = [item for item in written.objects if "created_by_ref" in item and item["id"] not in names]
        self._received.put_own(own, subject, by, now)
        if refused:
            first = refused[0] if isinstance(refused[0], dict) else {}
            raise StillwatchError(
                f"hub: took {status.get('success_count')} of {status.get('total_count')} objects; the first that it "
                "did "
                f"not take is {first.get('id')}: {first.get('message')}"
            )


def _dropped(before: Sequence[Mapping[str, Any]], written: Written, now: float) -> list[dict[str, Any]]:
    """Return the withdrawal of what was told and is not told any more, so that a released account's tokens go too."""
    told = {item["id"] for item in written.objects}
    said = ("sighting", "opinion")
    left = [i for i in before if i["id"] not in told and i.get("revoked") is not True and i["type"] not in said]
    return [revoked(item, now) for item in left]


def check_tellable(written: Written) -> None:
    """Raise where an object holds what may not be told to a competitor.

    Raises:
        StillwatchError: it does; the message names the property, not what stands there.
    """
    for item in written.objects:
        found = lint.findings(item)
        if found:
            raise StillwatchError(f"{item['type']}: {found[0]}. See docs/explain/coalition-law.md for why.")
