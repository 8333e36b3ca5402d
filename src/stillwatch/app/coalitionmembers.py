"""Members of a coalition, at its hub: added, listed, revoked.

In: the hub, a name, the time. Out: records, and a raw key once. A key holds 256 random bits and is kept as a keyed
hash.
Left to `exchange.taxii.members`: keeping. Left to a person: verifying an organisation, which is said in words and
counts.
"""

import hashlib
import re
import secrets
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from stillwatch.app.controlnames import check_text
from stillwatch.exchange.taxii.hub import Hub
from stillwatch.exchange.taxii.intake import Intake
from stillwatch.exchange.taxii.members import Member, Rights, identity_of
from stillwatch.terms.account import key_digest
from stillwatch.terms.errors import StillwatchError

PREFIX: Final = "swc-"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """What a new member is."""

    name: str
    organisation: str
    """Legal name; members of one organisation share a voice."""
    verified: str = ""
    """How it was verified, in words; empty leaves it without a voice."""
    certificate: Path | None = None
    """Client certificate that it must show (PEM)."""
    expires: float | None = None
    read: bool = True
    write: bool = True
    collections: tuple[str, ...] = ()
    """Ids or aliases; empty for every collection."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A member that was just added: the only time that its key can be read."""

    member: Member
    key: str = field(repr=False)


def add_member(hub: Hub, secret: bytes, new: NewMember, now: float) -> Admitted:
    """Add a member, or give one of this name a new key, and tell the collections who it is.

    For a name that is there the certificate and the verification stay, unless others are given.

    Raises:
        StillwatchError: a name cannot be one, the certificate cannot be read, or there is no such collection.
    """
    if not _NAME.fullmatch(new.name):
        raise StillwatchError("member: its name must be 1 to 63 of a-z, 0-9, dot, dash and underscore.")
    check_text("--organisation", new.organisation, at_most=120, needed=True)
    check_text("--verified", new.verified, at_most=200)
    if new.expires is not None and new.expires <= now:
        raise StillwatchError("members add: it would have expired already; give a later time.")
    before = next((m for m in hub.register.members() if m.name == new.name), None)
    if before and before.identity != identity_of(new.organisation):
        raise StillwatchError(f"member {new.name}: belongs to {before.organisation}; give another name.")
    key = PREFIX + secrets.token_urlsafe(32)
    member = Member(
        name=new.name, organisation=new.organisation.strip(), identity=identity_of(new.organisation),
        verified=new.verified.strip() or (before.verified if before else ""), digest=key_digest(key, secret),
        certificate=_certificate(new, before), created=now, expires=new.expires,
    )  # fmt: skip
    open_to = _collections(hub, new.collections)
    hub.register.put_member(member)
    for number in open_to:
        hub.register.grant(member.name, number, Rights(new.read, new.write))
    Intake(hub).introduce(replace(member, verified=_voice(hub, member.identity, now)), now)
    return Admitted(member, key)


def revoke_member(hub: Hub, name: str, now: float) -> Member:
    """Let a member in no more; with its last member an organisation loses its voice, so its warnings count no more.

    Raises:
        StillwatchError: there is none of this name.
    """
    found = next((m for m in hub.register.members() if m.name == name), None)
    if found is None:
        raise StillwatchError(f"member {name[:63]}: there is none; `stillwatch coalition members list` lists them.")
    if found.revoked is None:
        found = replace(found, revoked=now)
        hub.register.put_member(found)
        Intake(hub).introduce(replace(found, verified=_voice(hub, found.identity, now)), now)
    return found


def fingerprint_of(path: Path) -> str:
    """Return the SHA-256 of a certificate, 64 hex digits.

    Raises:
        StillwatchError: the file cannot be read or holds none.
    """
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text(encoding="ascii").strip())).hexdigest()
    except (OSError, ValueError):
        raise StillwatchError(f"certificate {path}: must be one certificate in PEM; give the member's own.") from None


def _certificate(new: NewMember, before: Member | None) -> str | None:
    """Return the fingerprint to ask for: a new key does not do away with the certificate that went with the old one."""
    if new.certificate:
        return fingerprint_of(new.certificate)
    return before.certificate if before else None


def _voice(hub: Hub, identity: str, now: float) -> str:
    """Return how an organisation was verified, by any member that may come in; empty where by none."""
    good = (m for m in hub.register.members() if m.identity == identity and m.good_at(now))
    return next((m.verified for m in good if m.verified), "")


def _collections(hub: Hub, names: tuple[str, ...]) -> list[int]:
    every = hub.register.collections()
    if not names:
        return [found.number for found in every]
    out = []
    for name in names:
        number = next((c.number for c in every if name in (c.id, c.alias)), None)
        if number is None:
            raise StillwatchError(f"collection {name[:64]}: there is none at this hub.")
        out.append(number)
    return out
