"""Tables of the control file: one list of statements a version, each laid over the one before.

Left to `control`: running them. A version that was released is never edited; a change is a new entry.
"""

from typing import Final

from stillwatch.store.peopleschema import PEOPLE

APPLICATION_ID: Final = 0x53744C77
"""Marks a file as a control file of Stillwatch; PRAGMA application_id."""

_TABLES: Final = ("keys", "accounts", "decisions", "appeals")

_FIRST: Final = (
    "CREATE TABLE state (only INTEGER PRIMARY KEY CHECK (only = 1), generation INTEGER NOT NULL) STRICT",
    "INSERT INTO state VALUES (1, 1)",
    """CREATE TABLE keys (
        digest TEXT PRIMARY KEY CHECK (length(digest) = 64), key_id TEXT NOT NULL UNIQUE, account TEXT NOT NULL,
        label TEXT NOT NULL, created REAL NOT NULL, expires REAL, revoked REAL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE accounts (
        account TEXT PRIMARY KEY, organisation TEXT NOT NULL, plan TEXT NOT NULL, payment TEXT NOT NULL,
        country TEXT NOT NULL, unmodified INTEGER NOT NULL, workload TEXT NOT NULL,
        workload_tokens INTEGER NOT NULL, verified TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE decisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, subject TEXT NOT NULL, kind TEXT NOT NULL, accounts TEXT NOT NULL,
        verb TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL, expires REAL NOT NULL,
        receipt TEXT NOT NULL) STRICT""",
    """CREATE TABLE appeals (
        id TEXT PRIMARY KEY, account TEXT NOT NULL, opened REAL NOT NULL, state TEXT NOT NULL,
        statement TEXT NOT NULL, answered REAL, by TEXT NOT NULL, reason TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    *(
        f"CREATE TRIGGER {table}_{change.lower()} AFTER {change} ON {table}"
        " BEGIN UPDATE state SET generation = generation + 1; END"
        for table in _TABLES
        for change in ("INSERT", "UPDATE", "DELETE")
    ),
    *(
        f"CREATE TRIGGER decisions_no_{change.lower()} BEFORE {change} ON decisions"
        " BEGIN SELECT RAISE(ABORT, 'decisions can only be added'); END"
        for change in ("UPDATE", "DELETE")
    ),
)

_SECOND: Final = (
    "CREATE TABLE master (only INTEGER PRIMARY KEY CHECK (only = 1), mark TEXT NOT NULL) STRICT",
    """CREATE TABLE canaries (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, kind TEXT NOT NULL,
        accounts TEXT NOT NULL, template TEXT NOT NULL, alternatives INTEGER NOT NULL CHECK (alternatives >= 2),
        nonce TEXT NOT NULL CHECK (length(nonce) = 32), commitment TEXT NOT NULL CHECK (length(commitment) = 64),
        made REAL NOT NULL, expires REAL NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, decision INTEGER NOT NULL,
        retired REAL, retired_by TEXT NOT NULL) STRICT""",
    *(
        f"CREATE TRIGGER canaries_{change.lower()} AFTER {change} ON canaries"
        " BEGIN UPDATE state SET generation = generation + 1; END"
        for change in ("INSERT", "UPDATE")
    ),
    "CREATE TRIGGER canaries_no_delete BEFORE DELETE ON canaries"
    " BEGIN SELECT RAISE(ABORT, 'canaries can only be added and retired'); END",
    "CREATE TRIGGER canaries_fixed BEFORE UPDATE OF number, id, subject, kind, accounts, template, alternatives, nonce,"
    " commitment, made, expires, by, reason, decision ON canaries"
    " BEGIN SELECT RAISE(ABORT, 'canaries can only be added and retired'); END",
    "CREATE TRIGGER canaries_retired BEFORE UPDATE ON canaries WHEN OLD.retired IS NOT NULL"
    " BEGIN SELECT RAISE(ABORT, 'canaries are retired once'); END",
)

_GRANTS: Final = (
    """CREATE TABLE grants (
        id TEXT PRIMARY KEY, account TEXT NOT NULL, organisation TEXT NOT NULL, models TEXT NOT NULL,
        tokens INTEGER NOT NULL CHECK (tokens > 0), purposes TEXT NOT NULL, student_parameters INTEGER NOT NULL,
        redistribution TEXT NOT NULL, thumbprint TEXT NOT NULL, issued REAL NOT NULL, expires REAL NOT NULL,
        by TEXT NOT NULL, reason TEXT NOT NULL, revoked REAL, revoked_by TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    "CREATE TABLE grant_use (id TEXT PRIMARY KEY, tokens INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    *(
        f"CREATE TRIGGER grants_{change.lower()} AFTER {change} ON grants"
        " BEGIN UPDATE state SET generation = generation + 1; END"
        for change in ("INSERT", "UPDATE")
    ),
    "CREATE TRIGGER grants_no_delete BEFORE DELETE ON grants"
    " BEGIN SELECT RAISE(ABORT, 'grants can only be added and revoked'); END",
    "CREATE TRIGGER grants_fixed BEFORE UPDATE OF id, account, organisation, models, tokens, purposes,"
    " student_parameters, redistribution, thumbprint, issued, expires, by, reason ON grants"
    " BEGIN SELECT RAISE(ABORT, 'grants can only be added and revoked'); END",
    "CREATE TRIGGER grants_revoked BEFORE UPDATE ON grants WHEN OLD.revoked IS NOT NULL"
    " BEGIN SELECT RAISE(ABORT, 'grants are revoked once'); END",
)

_ACCOUNT_KEYS: Final = (
    "CREATE TABLE account_keys (account TEXT PRIMARY KEY, key TEXT NOT NULL CHECK (length(key) = 32))"
    " STRICT, WITHOUT ROWID",
    "CREATE TRIGGER account_keys_delete AFTER DELETE ON account_keys"
    " BEGIN UPDATE state SET generation = generation + 1; END",
)

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_FIRST, _SECOND, _GRANTS, _ACCOUNT_KEYS, PEOPLE)
"""Statements of version 1, 2, ...; a file of version n has had the first n."""
