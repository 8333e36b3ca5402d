"""A confirmed campaign as STIX 2.1 objects, and what other members say of it: sighting, opinion, withdrawal.

In: what a person confirmed and token sets already blinded; the time; a secret from which ids are drawn. Out: plain
objects, checked by `stix2` as they are built, and the files of the token sets by digest. Ids are keyed, so that
publishing again gives new versions of the same objects, and nobody can guess an id from a campaign's local name.
Left to `lint`: what may not be told. Left to the caller: who may be spoken of at all.
Source: STIX Version 2.1, OASIS Standard, 2021-06-10.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import stix2.exceptions
import stix2.v21

from stillwatch.exchange.stix import atlas, extension, tlp
from stillwatch.exchange.stix.networks import network_pattern
from stillwatch.exchange.stix.stamps import micros, milli_stamp
from stillwatch.exchange.stix.tokensets import digest_of, pack, token_pattern
from stillwatch.terms.coalition import CROWD_KINDS, LEAST_CROWD
from stillwatch.terms.errors import StillwatchError

DAY: Final = 86_400.0
PATTERN_TYPE: Final = "oprf-token"
_KIND_NAMES: Final = {
    "payment": "Payment means", "device": "Devices", "address": "Network addresses", "template": "Template bands",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who speaks: a member's organisation."""

    identity: str
    """STIX id that the hub gave to the organisation."""
    secret: bytes = field(repr=False)
    """Key that ids are drawn under; never leaves the member."""
    level: str = "amber"
    """Level of TLP 2.0, one of `tlp.SHARED`."""

    def __post_init__(self) -> None:
        if self.level not in tlp.SHARED:
            raise StillwatchError(f"TLP {self.level}: must be one of {', '.join(tlp.SHARED)}.")

    def id_of(self, kind: str, *parts: str) -> str:
        """Return the STIX id that stands for `parts`, the same each time."""
        data = "\x00".join((kind, *parts)).encode()
        raw = hashlib.blake2b(data, key=self.secret[:64], digest_size=16, person=b"sw stix id v1").digest()
        return f"{kind}--{uuid.UUID(bytes=raw, version=4)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A campaign that a person confirmed, as it may be told."""

    subject: str = field(repr=False)
    """Its local name; only ids drawn from it leave."""
    name: str
    description: str = ""
    receipt: str = ""
    """Receipt of the verdict that was confirmed, 32 hex digits."""
    families: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ("AML.T0024.002",)
    first_seen: float | None = None
    days: float = 47.0
    """How long the indicators hold, days."""
    sets: Mapping[tuple[str, str], Iterable[bytes]] = field(default_factory=dict, repr=False)
    """Tokens by (kind, epoch)."""
    networks: tuple[str, ...] = ()
    """Public networks in clear: `AS64500` or a prefix. Only what a crowd of flagged accounts shares."""


@dataclass(frozen=True, slots=True)
class Written:
    """What is to be sent."""

    objects: tuple[dict[str, Any], ...]
    blobs: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Token sets by digest."""


def campaign_of(author: Author, told: Confirmed, now: float, created: Mapping[str, str] | None = None) -> Written:
    """Return everything that tells of one confirmed campaign.

    Args:
        author: Who speaks.
        told: What is told.
        now: Seconds since 1970.
        created: When objects of these ids were first published, where they were.

    Raises:
        StillwatchError: a technique is not in the pinned release, or `stix2` refuses a value.
    """
    build = _Build(author, now, created or {})
    patterns = [atlas.attack_pattern(_technique(name)) for name in told.techniques]
    campaign = _campaign(build, told)
    build.put("campaign", campaign)
    for pattern in patterns:
        build.relate(campaign["id"], "uses", pattern["id"])
    blobs = {}
    for (kind, epoch), tokens in sorted(told.sets.items()):
        packed = pack(tokens)
        digest = digest_of(packed)
        blobs[digest] = packed
        indicator = _token_indicator(build, told, (kind, epoch), digest, len(packed))
        build.put("indicator", indicator)
        build.relate(indicator["id"], "indicates", campaign["id"])
    for network in told.networks:
        _network(build, told, campaign["id"], network)
    return Written((*patterns, *build.objects), blobs)


def sighting_of(author: Author, indicator: str, count: int, own_evidence: bool, now: float) -> Written:
    """Return that an indicator was seen here, how often to the power of ten below, never which accounts.

    Args:
        author: Who saw it.
        indicator: Its STIX id.
        count: Accounts of one's own that match; at least 1. Told as 1, 10, 100, ...
        own_evidence: Whether any of them was accused on evidence of one's own.
        now: Seconds since 1970.
    """
    build = _Build(author, now, {})
    build.put("sighting", {
        "id": author.id_of("sighting", indicator, milli_stamp(now)[:10]), "sighting_of_ref": indicator,
        "count": bucket(count), "where_sighted_refs": [author.identity],
        "extensions": _extended(own_evidence=own_evidence),
    })  # fmt: skip
    return Written(tuple(build.objects))


def opinion_of(author: Author, refs: Sequence[str], why: str, case: str, now: float) -> Written:
    """Return a strong disagreement with objects: they accuse somebody who did nothing of the kind.

    Args:
        author: Who disputes.
        refs: STIX ids that are disputed.
        why: In words without anything that `lint` refuses.
        case: Number under which an appeal runs at every member; empty for none.
        now: Seconds since 1970.
    """
    build = _Build(author, now, {})
    value: dict[str, Any] = {
        "id": author.id_of("opinion", *sorted(refs)), "object_refs": list(refs),
        "opinion": "strongly-disagree", "explanation": why,
    }  # fmt: skip
    if case:
        value["extensions"] = _extended(case=case)
    build.put("opinion", value)
    return Written(tuple(build.objects))


def revoked(item: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return the version of an object that withdraws it for good; its `modified` lies after what it withdraws."""
    later = max(milli_stamp(now), milli_stamp(_later_than(str(item["modified"]))))
    return {**item, "modified": later, "revoked": True}


def bucket(count: int) -> int:
    """Return the power of ten at or below a count, so that a sighting tells no volume.

    >>> bucket(1), bucket(9), bucket(10), bucket(2500)
    (1, 1, 10, 1000)
    """
    return int(10 ** (len(str(max(count, 1))) - 1))


class _Build:
    """Objects of one author at one moment."""

    def __init__(self, author: Author, now: float, created: Mapping[str, str]) -> None:
        self.author, self.now, self.created = author, now, created
        self.objects: list[dict[str, Any]] = []

    def put(self, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        """Check an object by `stix2` and keep it."""
        at = milli_stamp(self.now)
        classes = {"campaign": stix2.v21.Campaign, "indicator": stix2.v21.Indicator, "sighting": stix2.v21.Sighting,
                   "opinion": stix2.v21.Opinion, "infrastructure": stix2.v21.Infrastructure,
                   "relationship": stix2.v21.Relationship}  # fmt: skip
        try:
            made = classes[kind](
                **value, created_by_ref=self.author.identity, created=self.created.get(value["id"], at), modified=at,
                object_marking_refs=[tlp.LEVELS[self.author.level]],
            )  # fmt: skip
        except (stix2.exceptions.STIXError, ValueError) as problem:
            raise StillwatchError(f"{kind}: cannot be told as STIX: {str(problem)[:200]}") from None
        plain: dict[str, Any] = json.loads(made.serialize())
        self.objects.append(plain)
        return plain

    def relate(self, source: str, how: str, target: str) -> None:
        """Keep that one object stands to another as `how` says."""
        self.put("relationship", {
            "id": self.author.id_of("relationship", source, how, target), "relationship_type": how,
            "source_ref": source, "target_ref": target,
        })  # fmt: skip


def _campaign(build: _Build, told: Confirmed) -> dict[str, Any]:
    more: dict[str, Any] = {"atlas_release": atlas.RELEASE}
    if told.families:
        more["families"] = sorted(told.families)
    if told.receipt:
        more["receipt"] = told.receipt
    value: dict[str, Any] = {
        "id": build.author.id_of("campaign", told.subject), "name": told.name, "extensions": _extended(**more),
    }  # fmt: skip
    if told.description:
        value["description"] = told.description
    if told.first_seen is not None:
        value["first_seen"] = milli_stamp(told.first_seen)
    return value


def _token_indicator(build: _Build, told: Confirmed, of: tuple[str, str], digest: str, size: int) -> dict[str, Any]:
    kind, epoch = of
    more: dict[str, Any] = {"token_kind": kind, "epoch": epoch, "digest": digest, "size": size}
    if kind in CROWD_KINDS:
        more["at_least_accounts"] = LEAST_CROWD
    return {
        "id": build.author.id_of("indicator", told.subject, kind, epoch), "name": _KIND_NAMES[kind],
        "indicator_types": ["malicious-activity"], "pattern_type": PATTERN_TYPE,
        "pattern": token_pattern(kind, epoch, digest),
        **_validity(build, told), "extensions": _extended(**more),
    }  # fmt: skip


def _network(build: _Build, told: Confirmed, campaign: str, network: str) -> None:
    pattern = network_pattern(network)
    place = build.author.id_of("infrastructure", told.subject, network)
    build.put("infrastructure", {"id": place, "name": "Public network", "infrastructure_types": ["anonymization"]})
    indicator = {
        "id": build.author.id_of("indicator", told.subject, "network", network), "name": "Public network",
        "indicator_types": ["anonymization"], "pattern_type": "stix", "pattern": pattern, **_validity(build, told),
        "extensions": _extended(at_least_accounts=LEAST_CROWD),
    }  # fmt: skip
    build.put("indicator", indicator)
    build.relate(campaign, "uses", place)
    build.relate(str(indicator["id"]), "indicates", place)
    build.relate(str(indicator["id"]), "indicates", campaign)


def _validity(build: _Build, told: Confirmed) -> dict[str, str]:
    return {"valid_from": milli_stamp(build.now), "valid_until": milli_stamp(build.now + told.days * DAY)}


def _extended(**content: Any) -> dict[str, Any]:
    return {extension.ID: {"extension_type": "property-extension", **content}}


def _technique(name: str) -> atlas.Technique:
    if name not in atlas.TECHNIQUES:
        raise StillwatchError(
            f"technique {name[:40]}: is not among those of ATLAS {atlas.RELEASE} that a warning may name: "
            f"{', '.join(atlas.TECHNIQUES)}."
        )
    return atlas.TECHNIQUES[name]


def _later_than(modified: str) -> float:
    return ((micros(modified) or 0) + 1000) / 1e6
