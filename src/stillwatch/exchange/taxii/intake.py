"""What members send to a hub: objects, token sets, and how much of them in a day.

In: a member, a body, the time. Out: a status, or a refusal. Objects are read and checked before the writer's lock is
taken, because a strict check takes a millisecond each; only what depends on what is kept is asked within.
Left to `acceptance`: what a coalition's collection takes. Left to `objects`, `blobs`: keeping.
"""

import json
import uuid
from typing import Any, Final

from stillwatch.exchange.stix import extension, tlp
from stillwatch.exchange.stix.stamps import milli_stamp, of_seconds, stamp
from stillwatch.exchange.taxii import acceptance
from stillwatch.exchange.taxii.envelope import Wrong, read_envelope, read_item
from stillwatch.exchange.taxii.hub import Hub, Reply
from stillwatch.exchange.taxii.members import Collection, Member
from stillwatch.exchange.taxii.objects import Item
from stillwatch.exchange.taxii.refusal import Refusal

DAY: Final = 86_400.0
Checked = list[tuple[dict[str, Any], Item | Wrong]]


class Intake:
    """The writing side of a hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def add(self, member: Member, where: Collection, body: bytes, now: float) -> Reply:
        """Keep the objects of an envelope and return the status of the addition."""
        plain = read_envelope(body, most=self._hub.limits.objects_per_post)
        checked = self._checked(member, where, plain, now)
        with self._hub.file.writing():
            self._spend(member, now, objects=len(plain))
            good, bad = self._timely(where, checked)
            done = self._hub.shelf.add(where.number, good, now)
            if any(item.revoked or item.digest for item in good):
                self._hub.blobs.sweep(now)
            status = {
                "id": str(uuid.uuid4()), "status": "complete", "request_timestamp": stamp(of_seconds(now)),
                "total_count": len(plain), "success_count": len(done), "failure_count": len(bad), "pending_count": 0,
                **({"successes": [_success(a.id, a.version_text, a.new) for a in done]} if done else {}),
                **({"failures": [{"id": w.id, "version": w.version, "message": w.why} for w in bad]} if bad else {}),
            }  # fmt: skip
            kept = json.dumps(status).encode()
            oldest = now - self._hub.limits.status_days * DAY
            self._hub.file.rows("DELETE FROM statuses WHERE made < ?", (oldest,))
            row = (status["id"], where.root, member.name, now, kept)
            self._hub.file.rows("INSERT INTO statuses VALUES (?, ?, ?, ?, ?)", row)
        return Reply(kept, 202)

    def put_blob(self, member: Member, root: str, digest: str, body: bytes, now: float) -> Reply:
        """Keep a token set."""
        self._hub.open_root(member, root, write=True)
        with self._hub.file.writing():
            self._spend(member, now, volume=len(body))
            new = self._hub.blobs.put(digest, body, member.identity, now)
        return Reply(b"", 201 if new else 200)

    def introduce(self, member: Member, now: float) -> None:
        """Tell in every coalition collection who an organisation is and whether it was verified."""
        at = milli_stamp(now)
        identity = {
            "type": "identity", "spec_version": "2.1", "id": member.identity, "created_by_ref": extension.AUTHOR,
            "created": at, "modified": at, "name": member.organisation, "identity_class": "organization",
            "object_marking_refs": [tlp.LEVELS["green"]],
            "extensions": {extension.ID: {"extension_type": "property-extension", "verified": bool(member.verified)}},
        }  # fmt: skip
        ready = [*acceptance.PUBLISHED.values(), identity]
        items = [item for item in map(read_item, ready) if isinstance(item, Item)]
        for where in self._hub.register.collections():
            if where.policy == "coalition":
                with self._hub.file.writing():
                    self._hub.shelf.add(where.number, items, now)

    def _checked(self, member: Member, where: Collection, plain: list[dict[str, Any]], now: float) -> Checked:
        out: Checked = []
        for value in plain:
            item = read_item(value)
            if isinstance(item, Item) and where.policy == "coalition":
                why = acceptance.unfit(value, item, member.identity, now)
                item = Wrong(item.id, item.version_text or "unknown", why) if why else item
            out.append((value, item))
        return out

    def _timely(self, where: Collection, checked: Checked) -> tuple[list[Item], list[Wrong]]:
        good: list[Item] = []
        bad: list[Wrong] = []
        seen: dict[str, tuple[int, str, bool]] = {}
        for value, item in checked:
            if isinstance(item, Wrong):
                bad.append(item)
                continue
            why = ""
            if where.policy == "coalition":
                newest = seen.get(item.id) or self._hub.shelf.newest(where.number, item.id)
                why = acceptance.untimely(item, newest) or self._no_set(value, item)
            if why:
                bad.append(Wrong(item.id, item.version_text or "unknown", why))
            else:
                good.append(item)
                seen[item.id] = (item.version or 0, item.author, item.revoked)
        return good, bad

    def _no_set(self, plain: dict[str, Any], item: Item) -> str:
        if item.digest is None or item.revoked:
            return ""
        size = self._hub.blobs.size(item.digest)
        if size is None:
            return "The token set that it names is not here; send it first."
        stated = plain["extensions"][extension.ID].get("size")
        return "" if stated == size else "Its size is not that of its token set."

    def _spend(self, member: Member, now: float, *, objects: int = 0, volume: int = 0) -> None:
        day = int(now // DAY)
        rows = self._hub.file.rows(
            "INSERT INTO spent VALUES (?, ?, ?, ?) ON CONFLICT (organisation, day) DO UPDATE SET"
            " objects = objects + excluded.objects, bytes = bytes + excluded.bytes RETURNING objects, bytes",
            (member.identity, day, objects, volume),
        )
        limits = self._hub.limits
        if rows[0][0] > limits.objects_per_day or rows[0][1] > limits.blob_bytes_per_day:
            wait = int((day + 1) * DAY - now) + 1
            raise Refusal(429, "The organisation's quota of today is spent.", {"Retry-After": str(wait)})


def _success(name: str, version: str, new: bool) -> dict[str, str]:
    about = {} if new else {"message": "This version was here already."}
    return {"id": name, "version": version, **about}
