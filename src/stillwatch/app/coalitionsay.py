"""What a member says of warnings that are there: seen here too, disputed, withdrawn.

In: ids, a person's words, settings, the time. Out: objects that were sent. A dispute by one verified organisation
takes a warning out of force at every member until it is settled. Only one's own words can be withdrawn, and then for
good.
Left to `coalitionpublish`: sending, and what may be told.
"""

from dataclasses import dataclass, field
from typing import Any

from stillwatch.app.controlnames import check_text
from stillwatch.exchange.stix.write import Author, Written, opinion_of, revoked, sighting_of
from stillwatch.exchange.taxii.received import Received
from stillwatch.terms.errors import StillwatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """An indicator that matched accounts here."""

    indicator: str
    count: int = 1
    own_evidence: bool = False
    """Whether one of them was accused on evidence of one's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A disagreement with a warning."""

    subject: str
    """STIX id of a campaign or an indicator."""
    why: str
    case: str = ""
    """Number of the appeal, the same at every member; empty for none."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What is to be withdrawn."""

    written: Written = field(repr=False)
    subject: str
    """Its local name."""


def sight(received: Received, author: Author, said: Sight, now: float) -> Written:
    """Return the sighting of an indicator that was pulled.

    Raises:
        StillwatchError: it was not pulled, it is one's own, or it is no longer in force.
    """
    item = _pulled(received, said.indicator, ("indicator",))
    if item.get("created_by_ref") == author.identity:
        raise StillwatchError(f"{said.indicator}: is this organisation's own; seeing it oneself corroborates nothing.")
    if item.get("revoked") is True:
        raise StillwatchError(f"{said.indicator}: was withdrawn by its publisher.")
    if said.count < 1:
        raise StillwatchError(f"--count {said.count}: must be at least 1.")
    return sighting_of(author, said.indicator, said.count, said.own_evidence, now)


def dispute(received: Received, author: Author, said: Dispute, now: float) -> Written:
    """Return the disagreement with a warning that was pulled.

    Raises:
        StillwatchError: it was not pulled, or the words cannot be told.
    """
    _pulled(received, said.subject, ("campaign", "indicator"))
    check_text("--reason", said.why, at_most=500, needed=True)
    return opinion_of(author, [said.subject], said.why, said.case, now)


def withdraw(received: Received, author: Author, name: str, now: float) -> Withdrawn:
    """Return the revoked versions of what one published: everything of a local subject or campaign, or one object.

    What is not noted here, because the state folder is another, is found among what was pulled.

    Args:
        received: What was published, and what was pulled.
        author: Who withdraws.
        name: A local subject, or the STIX id of a campaign or of anything else that was published.
        now: Seconds since 1970.

    Raises:
        StillwatchError: nothing of this name was published here, or all of it was withdrawn before.
    """
    found = received.own(name)
    if len(found) == 1 and found[0][1]["type"] == "campaign":
        found = received.own(found[0][0])
    found = found or _own_pulled(received, author, name)
    if not found:
        raise StillwatchError(
            f"revoke {name}: nothing of this name was published from here; see `coalition list --own`."
        )
    left = [
        item for _, item in found if item.get("revoked") is not True and item["type"] not in ("sighting", "opinion")
    ]
    if name.partition("--")[0] in ("sighting", "opinion"):
        left = [item for _, item in found if item.get("revoked") is not True]
    if not left:
        raise StillwatchError(f"revoke {name}: was withdrawn before.")
    return Withdrawn(Written(tuple(revoked(item, now) for item in left)), found[0][0])


def _own_pulled(received: Received, author: Author, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what was pulled of one's own: the object of an id and, of a campaign, all that stands to it."""
    own = {str(item["id"]): item for item in received.objects() if item.get("created_by_ref") == author.identity}
    if name not in own:
        return []
    names = {name}
    if own[name]["type"] == "campaign":
        ties = [item for item in own.values() if item["type"] == "relationship"]
        for _ in range(2):  # the campaign's network, then that network's indicator
            near = [t for t in ties if names & {t["source_ref"], t["target_ref"]}]
            names |= {ref for t in near for ref in (t["id"], t["source_ref"], t["target_ref"]) if ref in own}
    return [(name, own[one]) for one in sorted(names)]


def _pulled(received: Received, name: str, kinds: tuple[str, ...]) -> dict[str, Any]:
    item = received.find(name)
    if item is None or item.get("type") not in kinds:
        raise StillwatchError(
            f"{name[:120]}: no {' or '.join(kinds)} of this id was pulled; `stillwatch coalition pull` first."
        )
    return item
