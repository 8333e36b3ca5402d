"""Members of a coalition, what they may read and write, and the collections there are.

In: names, keyed hashes of keys, fingerprints of certificates. Out: frozen records. A key is kept as a keyed hash
only. Several members may speak for one organisation: what counts as a second voice is the organisation, never the
key.
Left to `app.coalitionmembers`: making keys. Left to `server`: asking for them.
"""

import uuid
from dataclasses import dataclass, field
from typing import Final

from stillwatch.exchange.taxii.hubfile import HubFile
from stillwatch.terms.errors import StillwatchError

NAMESPACE: Final = uuid.UUID("2b5a7a52-8d1b-4c53-9e0c-6d3e0a4f1d7e")
"""Under which an organisation's name becomes its STIX id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One key of one organisation."""

    name: str
    organisation: str
    identity: str
    """STIX id of the organisation."""
    verified: str = ""
    """How the organisation was verified; empty while it was not, and then it counts as no voice."""
    digest: str = field(repr=False)
    """What `terms.account.key_digest` makes of the key."""
    certificate: str | None = None
    """SHA-256 of the client certificate that it must show, 64 hex digits."""
    created: float
    expires: float | None = None
    revoked: float | None = None

    def good_at(self, now: float) -> bool:
        """Whether it may come in at `now`, in seconds since 1970."""
        return self.revoked is None and (self.expires is None or now < self.expires)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection of one API root."""

    number: int = 0
    root: str
    id: str
    title: str
    alias: str | None = None
    description: str = ""
    policy: str = "coalition"
    """`coalition`: only what a warning may hold; `any`: any STIX object."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a member may do with a collection."""

    read: bool = False
    write: bool = False


_MEMBER: Final = "name, organisation, identity, verified, digest, certificate, created, expires, revoked"
_COLLECTION: Final = "number, root, id, title, alias, description, policy"


def identity_of(organisation: str) -> str:
    """Return the STIX id of an organisation: the same for every member that speaks for it.

    >>> identity_of("Acme")
    'identity--931be4b2-9fb5-5aed-b725-49d5811508f9'
    """
    return f"identity--{uuid.uuid5(NAMESPACE, ' '.join(organisation.casefold().split()))}"


class Register:
    """Members, roots, collections and rights in the hub's file."""

    def __init__(self, file: HubFile) -> None:
        self._file = file

    def put_member(self, member: Member) -> None:
        """Keep a member; one of the same name is replaced, another one's key or certificate is refused."""
        taken = self._file.rows(
            "SELECT name FROM members WHERE name <> ? AND (digest = ? OR certificate = ?)",
            (member.name, member.digest, member.certificate),
        )
        if taken:
            raise StillwatchError(f"member {member.name}: its key or certificate is already member {taken[0][0]}'s.")
        with self._file.writing():
            self._file.rows(
                f"INSERT INTO members ({_MEMBER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
                " organisation = excluded.organisation, identity = excluded.identity, verified = excluded.verified,"
                " digest = excluded.digest, certificate = excluded.certificate, expires = excluded.expires,"
                " revoked = excluded.revoked",
                (member.name, member.organisation, member.identity, member.verified, member.digest,
                 member.certificate, member.created, member.expires, member.revoked),
            )  # fmt: skip

    def members(self) -> tuple[Member, ...]:
        """Return every member, revoked ones too, oldest first."""
        return tuple(_member(row) for row in self._file.rows(f"SELECT {_MEMBER} FROM members ORDER BY created, name"))

    def find_member(self, *, digest: str | None = None, certificate: str | None = None) -> Member | None:
        """Return the member of a key's hash or of a certificate's fingerprint."""
        column, value = ("digest", digest) if digest is not None else ("certificate", certificate)
        if value is None:
            return None
        rows = self._file.rows(f"SELECT {_MEMBER} FROM members WHERE {column} = ?", (value,))
        return _member(rows[0]) if rows else None

    def put_root(self, name: str, title: str, description: str = "") -> None:
        """Keep an API root."""
        with self._file.writing():
            self._file.rows("INSERT OR REPLACE INTO roots VALUES (?, ?, ?)", (name, title, description))

    def roots(self) -> tuple[tuple[str, str, str], ...]:
        """Return name, title and description of every API root, by name."""
        return tuple(tuple(row) for row in self._file.rows("SELECT name, title, description FROM roots ORDER BY name"))

    def put_collection(self, new: Collection) -> Collection:
        """Keep a collection where there is none of this id, and return it as it is kept."""
        with self._file.writing():
            self._file.rows(
                "INSERT OR IGNORE INTO collections (root, id, title, alias, description, policy)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (new.root, new.id, new.title, new.alias, new.description, new.policy),
            )
        return next(c for c in self.collections(new.root) if c.id == new.id)

    def collections(self, root: str | None = None) -> tuple[Collection, ...]:
        """Return the collections of one root, or of all, oldest first."""
        rows = self._file.rows(
            f"SELECT {_COLLECTION} FROM collections WHERE ? IS NULL OR root = ? ORDER BY number", (root, root)
        )
        names = [name.strip() for name in _COLLECTION.split(",")]
        return tuple(Collection(**dict(zip(names, row, strict=True))) for row in rows)

    def find_collection(self, root: str, name: str) -> Collection | None:
        """Return the collection of this id or alias."""
        return next((c for c in self.collections(root) if name in (c.id, c.alias)), None)

    def grant(self, member: str, collection: int, rights: Rights) -> None:
        """Say what a member may do with a collection."""
        with self._file.writing():
            self._file.rows(
                "INSERT OR REPLACE INTO rights VALUES (?, ?, ?, ?)", (member, collection, rights.read, rights.write)
            )

    def rights(self, member: str) -> dict[int, Rights]:
        """Return by collection what a member may do; a collection that is not there is hidden from it."""
        rows = self._file.rows("SELECT collection, can_read, can_write FROM rights WHERE member = ?", (member,))
        return {number: Rights(bool(read), bool(write)) for number, read, write in rows}


def _member(row: tuple[object, ...]) -> Member:
    names = [name.strip() for name in _MEMBER.split(",")]
    values = dict(zip(names, row, strict=True))
    return Member(**values)  # type: ignore[arg-type]
