"""STIX objects in the hub's file: added in one order for all, read by page, deleted.

In: objects whose id and version were read, a filter. Out: what was kept, and pages. Every object gets a `date_added`
of its own: the clock's, or one microsecond after the last one, whichever is later, given out under the writer's
lock. So it grows in the order in which readers can see the objects, and who reads on from the last one it has loses
none and gets none twice.
Cost: 20 microseconds an object in a large addition; a page of 50 half a millisecond.
Left to `envelope`: what an object must have. Left to `acceptance`: what a collection takes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stillwatch.exchange.stix.stamps import of_seconds, stamp
from stillwatch.exchange.taxii.filters import Filter
from stillwatch.exchange.taxii.hubfile import HubFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object that came in."""

    id: str
    type: str
    spec: str
    version: int | None
    """Microseconds since 1970; None where the object has no time of its own: then `date_added` is its version."""
    version_text: str = ""
    author: str = ""
    """Its `created_by_ref`."""
    revoked: bool = False
    digest: str | None = None
    """Of the token set that it names."""
    until: int | None = None
    """`valid_until`, microseconds since 1970."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """One object of a page."""

    added: int
    id: str
    version_text: str
    spec: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """What a reading gave."""

    items: tuple[Kept, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one object."""

    id: str
    version_text: str
    new: bool
    """False where the same version was there already."""


_PICK: Final = "o.added, o.id, o.version_text, o.spec"
_MOST_IDS: Final = 500


class Shelf:
    """The objects of every collection."""

    def __init__(self, file: HubFile) -> None:
        self._file = file

    def add(self, collection: int, items: Sequence[Item], now: float) -> list[Added]:
        """Keep objects, in their order, within the caller's `HubFile.writing`.

        Args:
            collection: Its number.
            items: The objects.
            now: Seconds since 1970.
        """
        last = int(self._file.rows("SELECT last FROM clock")[0][0])
        known = self._known(collection, [item.id for item in items])
        out, rows = [], []
        for item in items:
            versions = known.setdefault(item.id, {})
            there = item.version in versions or (item.version is None and bool(versions))
            if there:
                text = versions.get(item.version, item.version_text or next(iter(versions.values())))
                out.append(Added(item.id, text, False))
                continue
            last = max(last + 1, of_seconds(now))
            version, text = (last, stamp(last)) if item.version is None else (item.version, item.version_text)
            versions[version] = text
            rows.append((last, collection, item.id, item.type, item.spec, version, text, item.author,
                         int(item.revoked), item.digest, item.until, item.body))  # fmt: skip
            out.append(Added(item.id, text, True))
        self._file.many("INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        if rows:
            self._file.rows("UPDATE clock SET last = ?", (last,))
        return out

    def _known(self, collection: int, ids: Sequence[str]) -> dict[str, dict[int | None, str]]:
        found: dict[str, dict[int | None, str]] = {}
        unique = list(dict.fromkeys(ids))
        for start in range(0, len(unique), _MOST_IDS):
            part = unique[start : start + _MOST_IDS]
            sql = f"SELECT id, version, version_text FROM objects WHERE collection = ? AND id IN ({_marks(part)})"
            for item, version, text in self._file.rows(sql, (collection, *part)):
                found.setdefault(item, {})[version] = text
        return found

    def page(self, collection: int, asked: Filter, after: int, limit: int, *, bodies: bool = True) -> Page:
        """Return the objects that a filter lets through, in the order in which they were added.

        Args:
            collection: Its number.
            asked: The filter.
            after: Microseconds since 1970; objects added later than this, and than the filter says.
            limit: Most objects, at least 1.
            bodies: False where only ids and versions are wanted.
        """
        where, values = _where(asked)
        start = max(after, asked.added_after if asked.added_after is not None else -(1 << 62))
        body = "o.body" if bodies else "x''"
        rows = self._file.rows(
            f"SELECT {_PICK}, {body} FROM objects o WHERE o.collection = ? AND o.added > ?{where}"
            " ORDER BY o.added LIMIT ?",
            (collection, start, *values, limit + 1),
        )
        return Page(tuple(Kept(*row) for row in rows[:limit]), len(rows) > limit)

    def has(self, collection: int, object_id: str) -> bool:
        """Return whether a collection holds any version of an object."""
        sql = "SELECT 1 FROM objects WHERE collection = ? AND id = ? LIMIT 1"
        return bool(self._file.rows(sql, (collection, object_id)))

    def delete(self, collection: int, asked: Filter) -> int:
        """Delete what a filter lets through, within `HubFile.writing`, and return how many versions those were."""
        where, values = _where(asked)
        sql = f"SELECT o.added FROM objects o WHERE o.collection = ? AND o.added > ?{where}"
        after = asked.added_after if asked.added_after is not None else -(1 << 62)
        gone = [(row[0],) for row in self._file.rows(sql, (collection, after, *values))]
        self._file.many("DELETE FROM objects WHERE added = ?", gone)
        return len(gone)

    def media_specs(self, collection: int) -> tuple[str, ...]:
        """Return the versions of STIX that a collection holds."""
        rows = self._file.rows("SELECT DISTINCT spec FROM objects WHERE collection = ? ORDER BY spec", (collection,))
        return tuple(row[0] for row in rows)

    def newest(self, collection: int, object_id: str) -> tuple[int, str, bool] | None:
        """Return version, author and whether revoked of an object's newest version; None where there is none."""
        sql = (
            "SELECT version, author, revoked FROM objects WHERE collection = ? AND id = ? ORDER BY version DESC LIMIT 1"
        )
        rows = self._file.rows(sql, (collection, object_id))
        return (rows[0][0], rows[0][1], bool(rows[0][2])) if rows else None

    def each(self, collection: int, kind: str) -> Iterator[bytes]:
        """Yield the newest version of every object of one type."""
        after = 0
        while True:
            found = self.page(collection, Filter(types=(kind,)), after, 500)
            yield from (item.body for item in found.items)
            if not found.more:
                return
            after = found.items[-1].added


def _where(asked: Filter) -> tuple[str, tuple[Any, ...]]:
    """Return the conditions of a filter, without `added_after`, each with a leading AND."""
    parts: list[str] = []
    values: list[Any] = []
    for column, wanted in (("id", asked.ids), ("type", asked.types), ("spec", asked.specs)):
        if wanted is not None:
            parts.append(f" AND o.{column} IN ({_marks(wanted)})")
            values += wanted
    same = "FROM objects x WHERE x.collection = o.collection AND x.id = o.id"
    if asked.specs is None:
        parts.append(f" AND o.spec = (SELECT max(x.spec) {same})")
        within, more = f"{same} AND x.spec = o.spec", []
    else:
        within, more = f"{same} AND x.spec IN ({_marks(asked.specs)})", list(asked.specs)
    if "all" not in asked.words:
        choices = []
        for word, pick in (("first", "min"), ("last", "max")):
            if word in asked.words:
                choices.append(f"o.version = (SELECT {pick}(x.version) {within})")
                values += more
        if asked.versions:
            choices.append(f"o.version IN ({_marks(asked.versions)})")
            values += asked.versions
        parts.append(f" AND ({' OR '.join(choices)})")
    return "".join(parts), tuple(values)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
