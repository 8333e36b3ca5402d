"""What a hub answers a member that reads, without HTTP.

In: a member, what it asks, the time. Out: bodies and headers, or a refusal. Everything that the specification says of
resources is here; `server` carries it.
Left to `intake`: what members send. Left to `server`: who is there, media types, sizes. Left to `objects`, `blobs`,
`members`: keeping.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stillwatch.exchange.stix.stamps import stamp
from stillwatch.exchange.taxii import media
from stillwatch.exchange.taxii.blobs import Blobs
from stillwatch.exchange.taxii.cursor import Place, read_cursor, resumed, write_cursor
from stillwatch.exchange.taxii.filters import MATCHES, Filter, read_query
from stillwatch.exchange.taxii.hubfile import HubFile
from stillwatch.exchange.taxii.limits import Limits
from stillwatch.exchange.taxii.members import Collection, Member, Register, Rights
from stillwatch.exchange.taxii.objects import Kept, Page, Shelf
from stillwatch.exchange.taxii.refusal import Refusal

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Hub:
    """One hub: its file, its key for cursors, its limits."""

    def __init__(self, file: HubFile, secret: bytes, limits: Limits, *, title: str = "Coalition hub") -> None:
        self.file, self.limits, self.title = file, limits, title
        self._secret = secret
        self.register, self.shelf, self.blobs = Register(file), Shelf(file), Blobs(file)

    def discovery(self, base: str) -> Reply:
        """Return the server's resource; `base` is its own address without a slash at the end."""
        roots = [f"{base}/{name}/" for name, _, _ in self.register.roots()]
        resource: dict[str, Any] = {"title": self.title, "api_roots": roots}
        if roots:
            resource["default"] = roots[0]
        return _json(resource)

    def root(self, name: str) -> Reply:
        """Return an API root's resource."""
        title, description = self._root(name)
        resource = {"title": title, "versions": [media.TAXII], "max_content_length": self.limits.max_content_length}
        return _json({**resource, "description": description} if description else resource)

    def collections(self, member: Member, root: str) -> Reply:
        """Return the collections of a root that a member may do anything with."""
        self._root(root)
        rights = self.register.rights(member.name)
        shown = [self._collection(c, rights[c.number]) for c in self.register.collections(root) if c.number in rights]
        return _json({"collections": shown} if shown else {})

    def collection(self, member: Member, root: str, name: str) -> Reply:
        """Return one collection's resource."""
        found, rights = self.open(member, root, name)
        return _json(self._collection(found, rights))

    def open(self, member: Member, root: str, name: str) -> tuple[Collection, Rights]:
        """Return a collection and what a member may do with it.

        Raises:
            Refusal: 404, there is none, or the member is not to know of it.
        """
        self._root(root)
        found = self.register.find_collection(root, name)
        rights = self.register.rights(member.name).get(found.number) if found else None
        if found is None or rights is None or not (rights.read or rights.write):
            raise Refusal(404, "There is no such collection.")
        return found, rights

    def objects(self, where: Collection, query: Query, object_id: str | None = None) -> Reply:
        """Return a page of objects, of one object's versions where its id is given."""
        page, after = self._read(where, "objects", query, object_id)
        if not page.items:
            return Reply(b"{}")
        head = json.dumps(after, separators=(",", ":"))[1:-1]
        return Reply(b'{%s,"objects":[%s]}' % (head.encode(), b",".join(i.body for i in page.items)), 200, _added(page))

    def manifest(self, where: Collection, query: Query) -> Reply:
        """Return a page of what the objects are, without them."""
        page, after = self._read(where, "manifest", query, None)
        listed = [
            {
                "id": i.id,
                "date_added": stamp(i.added),
                "version": i.version_text,
                "media_type": media.STIX.format(i.spec),
            }
            for i in page.items
        ]
        return _json({**after, "objects": listed} if listed else {}, _added(page))

    def versions(self, where: Collection, query: Query, object_id: str) -> Reply:
        """Return a page of one object's versions, in the order in which they were added."""
        page, after = self._read(where, "versions", query, object_id)
        listed = [item.version_text for item in page.items]
        return _json({**after, "versions": listed} if listed else {}, _added(page))

    def _read(self, where: Collection, what: str, query: Query, object_id: str | None) -> tuple[Page, dict[str, Any]]:
        allowed = (
            MATCHES if object_id is None else ("version", "spec_version") if what == "objects" else ("spec_version",)
        )
        asked = read_query(query, allowed)
        if object_id is not None and not self.shelf.has(where.number, object_id):
            raise Refusal(404, "There is no such object.")
        endpoint = "\x00".join((what, where.root, where.id, object_id or ""))
        place = Place(self._whole(asked.filter, what, object_id), -(1 << 62), asked.limit)
        if asked.next is not None:
            place = resumed(asked, read_cursor(self._secret, endpoint, asked.next))
        limit = min(place.limit or self.limits.page_size, self.limits.max_page_size)
        page = self.shelf.page(where.number, place.filter, place.after, limit, bodies=what == "objects")
        after: dict[str, Any] = {"more": page.more}
        if page.more:
            on = Place(place.filter, page.items[-1].added, place.limit)
            after["next"] = write_cursor(self._secret, endpoint, on)
        return page, after

    @staticmethod
    def _whole(asked: Filter, what: str, object_id: str | None) -> Filter:
        """Return the filter with what the endpoint itself fixes."""
        if object_id is None:
            return asked
        words = ("all",) if what == "versions" else asked.words
        return Filter(added_after=asked.added_after, ids=(object_id,), words=words, versions=asked.versions,
                      specs=asked.specs)  # fmt: skip

    def delete(self, where: Collection, query: Query, object_id: str) -> Reply:
        """Delete versions of an object, the newest unless the query says otherwise."""
        if where.policy == "coalition":
            raise Refusal(403, "Warnings are withdrawn by a revoked version, so that every member hears of it.")
        asked = read_query(query, ("version", "spec_version")).filter
        with self.file.writing():
            if not self.shelf.delete(where.number, self._whole(asked, "objects", object_id)):
                raise Refusal(404, "There is no such object.")
        return Reply(b"")

    def status(self, member: Member, root: str, status_id: str) -> Reply:
        """Return the status of an addition to the member that made it."""
        self._root(root)
        sql = "SELECT body FROM statuses WHERE id = ? AND root = ? AND member = ?"
        rows = self.file.rows(sql, (status_id, root, member.name))
        if not rows:
            raise Refusal(404, "There is no such status.")
        return Reply(bytes(rows[0][0]))

    def get_blob(self, member: Member, root: str, digest: str, now: float) -> Reply:
        """Return a token set that an indicator in force names."""
        self.open_root(member, root, write=False)
        body = self.blobs.get(digest, now)
        if body is None:
            raise Refusal(404, "No indicator in force names such a token set.")
        return Reply(body, 200, {"Content-Type": media.BLOB})

    def open_root(self, member: Member, root: str, *, write: bool) -> None:
        """Raise unless a member may read, or write, any collection of a root.

        Raises:
            Refusal: 403, or 404 where there is no such root.
        """
        self._root(root)
        rights = self.register.rights(member.name)
        mine = [rights[c.number] for c in self.register.collections(root) if c.number in rights]
        if not any(r.write if write else r.read for r in mine):
            raise Refusal(403, "None of this root's collections is open to this member for that.")

    def _root(self, name: str) -> tuple[str, str]:
        for root, title, description in self.register.roots():
            if root == name:
                return title, description
        raise Refusal(404, "There is no such API root.")

    def _collection(self, found: Collection, rights: Rights) -> dict[str, Any]:
        resource: dict[str, Any] = {
            "id": found.id, "title": found.title, "can_read": rights.read, "can_write": rights.write,
            "media_types": [media.STIX.format(spec) for spec in self.shelf.media_specs(found.number) or ("2.1",)],
        }  # fmt: skip
        more = {"description": found.description, "alias": found.alias}
        return {**resource, **{name: value for name, value in more.items() if value}}


def _added(page: Page) -> dict[str, str]:
    items: tuple[Kept, ...] = page.items
    if not items:
        return {}
    return {"X-TAXII-Date-Added-First": stamp(items[0].added), "X-TAXII-Date-Added-Last": stamp(items[-1].added)}


def _json(value: dict[str, Any], headers: dict[str, str] | None = None) -> Reply:
    return Reply(json.dumps(value).encode(), 200, headers or {})
