"""Tables of the control file for people: who may sign in, sessions, tokens, proposals, and the audit trail.

In: nothing. Out: the statements of one migration. Triggers write an audit row for every change of a control record,
whoever makes it and by which release; `trail` seals the rows into a chain before the change is committed.
Sessions are no control records: they neither raise the generation nor stand in the trail.
"""

from typing import Final

_NOW: Final = "(julianday('now') - 2440587.5) * 86400.0"

_AUDITED: Final = (
    ("keys", "INSERT", "key made", "NEW.key_id", "'expires', NEW.expires"),
    ("keys", "UPDATE", "key changed", "NEW.key_id", "'expires', NEW.expires, 'revoked', NEW.revoked"),
    ("accounts", "INSERT", "account made", "NEW.account", "'organisation', NEW.organisation, 'plan', NEW.plan"),
    ("accounts", "UPDATE", "account changed", "NEW.account",
     "'organisation', NEW.organisation, 'plan', NEW.plan, 'country', NEW.country, 'unmodified', NEW.unmodified,"
     " 'workload', NEW.workload, 'workload_tokens', NEW.workload_tokens, 'verified', json(NEW.verified)"),
    ("decisions", "INSERT", "decision", "NEW.subject",
     "'id', NEW.id, 'kind', NEW.kind, 'verb', NEW.verb, 'by', NEW.by, 'reason', NEW.reason, 'expires', NEW.expires,"
     " 'receipt', NEW.receipt, 'accounts', json_array_length(NEW.accounts)"),
    ("appeals", "INSERT", "appeal opened", "NEW.id", "'account', NEW.account"),
    ("appeals", "UPDATE", "appeal answered", "NEW.id",
     "'account', NEW.account, 'state', NEW.state, 'by', NEW.by, 'reason', NEW.reason"),
    ("canaries", "INSERT", "canary planned", "NEW.id",
     "'subject', NEW.subject, 'template', NEW.template, 'by', NEW.by, 'reason', NEW.reason, 'decision', NEW.decision"),
    ("canaries", "UPDATE", "canary retired", "NEW.id", "'by', NEW.retired_by"),
    ("grants", "INSERT", "grant issued", "NEW.id",
     "'account', NEW.account, 'organisation', NEW.organisation, 'tokens', NEW.tokens, 'purposes', json(NEW.purposes),"
     " 'expires', NEW.expires, 'by', NEW.by, 'reason', NEW.reason"),
    ("grants", "UPDATE", "grant revoked", "NEW.id", "'account', NEW.account, 'by', NEW.revoked_by"),
    ("people", "INSERT", "person added", "NEW.name", "'role', NEW.role, 'sso', NEW.subject <> ''"),
    ("people", "UPDATE", "person changed", "NEW.name",
     "'role', NEW.role, 'sso', NEW.subject <> '', 'disabled', NEW.disabled,"
     " 'password_changed', NEW.password <> OLD.password"),
    ("tokens", "INSERT", "token made", "NEW.id", "'person', NEW.person, 'role', NEW.role, 'label', NEW.label,"
     " 'expires', NEW.expires"),
    ("tokens", "UPDATE", "token revoked", "NEW.id", "'person', NEW.person"),
    ("proposals", "INSERT", "second person asked for", "NEW.subject",
     "'id', NEW.id, 'kind', NEW.kind, 'verb', NEW.verb, 'by', NEW.by, 'reason', NEW.reason, 'why', NEW.why"),
    ("proposals", "UPDATE", "proposal closed", "NEW.subject",
     "'id', NEW.id, 'state', NEW.state, 'second', NEW.second"),
)  # fmt: skip
"""Table, change, what it is called, what it is about, what is said of it. Of a key neither account nor label is said:
events bear the hash of a key's id, so a name beside one would tell the events of an account that was erased."""


def _audit(table: str, change: str, what: str, subject: str, detail: str) -> str:
    return (
        f"CREATE TRIGGER {table}_audit_{change.lower()} AFTER {change} ON {table} BEGIN"
        " INSERT INTO trail (at, by, how, what, subject, detail, before, digest)"
        f" VALUES ({_NOW}, '', '', '{what}', {subject}, json_object({detail}), '', ''); END"
    )


PEOPLE: Final = (
    "CREATE INDEX keys_account ON keys (account)",
    "CREATE INDEX accounts_organisation ON accounts (organisation) WHERE organisation <> ''",
    """CREATE TABLE people (
        name TEXT PRIMARY KEY, role TEXT NOT NULL, subject TEXT NOT NULL, password TEXT NOT NULL,
        created REAL NOT NULL, disabled REAL) STRICT, WITHOUT ROWID""",
    "CREATE UNIQUE INDEX people_subject ON people (subject) WHERE subject <> ''",
    """CREATE TABLE sessions (
        digest TEXT PRIMARY KEY, person TEXT NOT NULL, csrf TEXT NOT NULL, made REAL NOT NULL, rotated REAL NOT NULL,
        seen REAL NOT NULL, ends REAL NOT NULL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE tokens (
        id TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, person TEXT NOT NULL, role TEXT NOT NULL, label TEXT NOT NULL,
        made REAL NOT NULL, expires REAL NOT NULL, revoked REAL) STRICT, WITHOUT ROWID""",
    """CREATE TABLE proposals (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, subject TEXT NOT NULL, verb TEXT NOT NULL,
        by TEXT NOT NULL, reason TEXT NOT NULL, days REAL NOT NULL, why TEXT NOT NULL, receipt TEXT NOT NULL,
        at REAL NOT NULL, state TEXT NOT NULL, second TEXT NOT NULL, closed REAL) STRICT""",
    "CREATE UNIQUE INDEX proposals_open ON proposals (kind, subject) WHERE state = 'open'",
    """CREATE TABLE trail (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, by TEXT NOT NULL, how TEXT NOT NULL,
        what TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, before TEXT NOT NULL,
        digest TEXT NOT NULL) STRICT""",
    "CREATE INDEX trail_unsealed ON trail (number) WHERE digest = ''",
    "CREATE TRIGGER trail_sealed BEFORE UPDATE ON trail WHEN OLD.digest <> ''"
    " BEGIN SELECT RAISE(ABORT, 'the audit trail can only be added to'); END",
    "CREATE TRIGGER trail_no_delete BEFORE DELETE ON trail"
    " BEGIN SELECT RAISE(ABORT, 'the audit trail can only be added to'); END",
    "CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    *(
        f"CREATE TRIGGER proposals_{change.lower()} AFTER {change} ON proposals"
        " BEGIN UPDATE state SET generation = generation + 1; END"
        for change in ("INSERT", "UPDATE")
    ),
    *(_audit(*one) for one in _AUDITED),
)  # fmt: skip
