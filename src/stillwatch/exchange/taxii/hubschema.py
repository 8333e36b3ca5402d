"""Tables of the hub's file: one list of statements a version, each laid over the one before.

Left to `hubfile`: running them. A version that was released is never edited; a change is a new entry.
Times of objects are whole microseconds since 1970, those of members seconds.
"""

from typing import Final

APPLICATION_ID: Final = 0x53744875
"""Marks a file as a hub's; PRAGMA application_id."""

_FIRST: Final = (
    # The last date_added that was given out: it only grows, whatever the clock does.
    "CREATE TABLE clock (only INTEGER PRIMARY KEY CHECK (only = 1), last INTEGER NOT NULL) STRICT",
    "INSERT INTO clock VALUES (1, 0)",
    """CREATE TABLE roots (
        name TEXT PRIMARY KEY, title TEXT NOT NULL, description TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE collections (
        number INTEGER PRIMARY KEY, root TEXT NOT NULL REFERENCES roots, id TEXT NOT NULL, alias TEXT,
        title TEXT NOT NULL, description TEXT NOT NULL, policy TEXT NOT NULL CHECK (policy IN ('coalition', 'any')),
        UNIQUE (root, id), UNIQUE (root, alias)) STRICT""",
    """CREATE TABLE members (
        name TEXT PRIMARY KEY, organisation TEXT NOT NULL, identity TEXT NOT NULL, verified TEXT NOT NULL,
        digest TEXT NOT NULL UNIQUE, certificate TEXT UNIQUE, created REAL NOT NULL, expires REAL,
        revoked REAL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE rights (
        member TEXT NOT NULL REFERENCES members, collection INTEGER NOT NULL REFERENCES collections,
        can_read INTEGER NOT NULL, can_write INTEGER NOT NULL,
        PRIMARY KEY (member, collection)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE objects (
        added INTEGER PRIMARY KEY, collection INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
        spec TEXT NOT NULL, version INTEGER NOT NULL, version_text TEXT NOT NULL, author TEXT NOT NULL,
        revoked INTEGER NOT NULL, digest TEXT, until INTEGER, body BLOB NOT NULL,
        UNIQUE (collection, id, version)) STRICT""",
    "CREATE INDEX objects_in_order ON objects (collection, added)",
    "CREATE INDEX objects_by_spec ON objects (collection, id, spec, version)",
    "CREATE INDEX objects_by_digest ON objects (digest) WHERE digest IS NOT NULL",
    """CREATE TABLE statuses (
        id TEXT PRIMARY KEY, root TEXT NOT NULL, member TEXT NOT NULL, made REAL NOT NULL,
        body BLOB NOT NULL) STRICT, WITHOUT ROWID""",
    "CREATE INDEX statuses_by_age ON statuses (made)",
    """CREATE TABLE blobs (
        digest TEXT PRIMARY KEY, organisation TEXT NOT NULL, size INTEGER NOT NULL, made REAL NOT NULL,
        body BLOB NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE spent (
        organisation TEXT NOT NULL, day INTEGER NOT NULL, objects INTEGER NOT NULL, bytes INTEGER NOT NULL,
        PRIMARY KEY (organisation, day)) STRICT, WITHOUT ROWID""",
)

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_FIRST,)
"""Statements of version 1, 2, ...; a file of version n has had the first n."""
