"""Who may sign in to the console: people, sessions, tokens, proposals, kept in the control file.

In: records and secrets. Out: records; of a session's or token's secret only its SHA-256 is kept (both hold 256 random
bits), of a password the hash that the caller made. Also the few questions on accounts that pages ask, each answered by
an index. Cost: tens of microseconds a question, an fsync a change. Left to `app`: what is allowed.
"""

import hashlib
from typing import Any, Final

from stillwatch.store import trail
from stillwatch.store.control import SqliteControl
from stillwatch.terms.account import KeyRecord
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.person import Person, Proposal, SignedIn, Token, TrailEntry

_PERSON: Final = "name, role, subject, password <> '', created, disabled"
_TOKEN: Final = "id, person, role, label, made, expires, revoked"
_PROPOSAL: Final = "id, kind, subject, verb, by, reason, days, why, receipt, at, state, second, closed"


def digest_of_secret(secret: str) -> str:
    """Return what is kept of a session's or token's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


Agreement = tuple[str, str, int, str, str]
"""Plan, country, promise of unchanged answers, declared workload, what was verified (JSON)."""


class People:
    """Records of people on an open control file; used within its changes, so that all of one is kept or none."""

    def __init__(self, control: SqliteControl) -> None:
        self.control = control

    # ---- people ----

    def everyone(self) -> tuple[Person, ...]:
        """Return all people, disabled ones too, by name."""
        return tuple(_person(row) for row in self._rows(f"SELECT {_PERSON} FROM people ORDER BY name"))

    def find(self, name: str) -> Person | None:
        """Return one person."""
        found = self._rows(f"SELECT {_PERSON} FROM people WHERE name = ?", name)
        return _person(found[0]) if found else None

    def of_subject(self, subject: str) -> Person | None:
        """Return who the identity provider calls `subject`."""
        found = self._rows(f"SELECT {_PERSON} FROM people WHERE subject = ? AND subject <> ''", subject)
        return _person(found[0]) if found else None

    def password(self, name: str) -> str:
        """Return the hash of a person's password; empty where there is none, or where the person is not there."""
        found = self._rows("SELECT password FROM people WHERE name = ? AND disabled IS NULL", name)
        return str(found[0][0]) if found else ""

    def add(self, person: Person, password: str) -> None:
        """Keep a new person; a name or subject that is there already is refused."""
        with self.control.changing():
            self._rows("INSERT INTO people VALUES (?, ?, ?, ?, ?, NULL)", person.name, person.role, person.subject,
                       password, person.created)  # fmt: skip

    def change(self, name: str, *, at: float, **values: Any) -> None:
        """Change role, password, subject or disabled; sessions that began before end.

        Args:
            name: Whose.
            at: Now, seconds since 1970.
            values: New values by column.
        """
        known = {"role", "password", "subject", "disabled"}
        if not values or not set(values) <= known:
            raise StillwatchError(f"people: must change some of {', '.join(sorted(known))}.")
        with self.control.changing():
            sets = ", ".join(f"{column} = ?" for column in values)
            self._rows(f"UPDATE people SET {sets} WHERE name = ?", *values.values(), name)
            self.end_sessions(name)
            if values.get("disabled") is not None:
                self._rows("UPDATE tokens SET revoked = ? WHERE person = ? AND revoked IS NULL", at, name)

    # ---- sessions ----

    def begin_session(self, secret: str, person: str, csrf: str, now: float, ends: float) -> None:
        """Keep a new session; ended ones are forgotten."""
        with self.control.changing():
            self._rows("DELETE FROM sessions WHERE ends <= ?", now)
            self._rows("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", digest_of_secret(secret), person, csrf,
                       now, now, now, ends)  # fmt: skip

    def session(self, secret: str, now: float, idle_seconds: float) -> SignedIn | None:
        """Return the session of this secret, where its person may still sign in and it neither ended nor idled."""
        found = self._rows(
            "SELECT s.person, p.role, s.csrf, s.made, s.rotated, s.seen FROM sessions s JOIN people p"
            " ON p.name = s.person WHERE s.digest = ? AND p.disabled IS NULL AND s.ends > ? AND s.seen > ?",
            digest_of_secret(secret), now, now - idle_seconds,
        )  # fmt: skip
        if not found:
            return None
        person, role, csrf, made, rotated, seen = found[0]
        return SignedIn(person=person, role=role, csrf=csrf, made=made, rotated=rotated, seen=seen)

    def see_session(self, secret: str, now: float) -> None:
        """Write down that a session was used."""
        with self.control.changing():
            self._rows("UPDATE sessions SET seen = ? WHERE digest = ?", now, digest_of_secret(secret))

    def rotate_session(self, old: str, new: str, now: float, grace_seconds: float) -> None:
        """Give a session a new secret; the old one holds for a moment, for requests under way."""
        with self.control.changing():
            self._rows(
                "INSERT INTO sessions SELECT ?, person, csrf, made, ?, ?, ends FROM sessions WHERE digest = ?",
                digest_of_secret(new), now, now, digest_of_secret(old),
            )  # fmt: skip
            self._rows("UPDATE sessions SET ends = min(ends, ?), rotated = ? WHERE digest = ?", now + grace_seconds,
                       now, digest_of_secret(old))  # fmt: skip

    def end_session(self, secret: str) -> None:
        """Sign out."""
        with self.control.changing():
            self._rows("DELETE FROM sessions WHERE digest = ?", digest_of_secret(secret))

    def end_sessions(self, name: str) -> None:
        """End every session of a person."""
        with self.control.changing():
            self._rows("DELETE FROM sessions WHERE person = ?", name)

    # ---- tokens ----

    def tokens(self) -> tuple[Token, ...]:
        """Return every token, oldest first."""
        return tuple(_token(row) for row in self._rows(f"SELECT {_TOKEN} FROM tokens ORDER BY made, id"))

    def add_token(self, token: Token, secret: str) -> None:
        """Keep a new token."""
        with self.control.changing():
            self._rows("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", token.id, digest_of_secret(secret),
                       token.person, token.role, token.label, token.made, token.expires)  # fmt: skip

    def revoke_token(self, token: str, at: float) -> bool:
        """End a token; return whether there was one that was good."""
        with self.control.changing():
            return bool(self._rows("UPDATE tokens SET revoked = ? WHERE id = ? AND revoked IS NULL RETURNING id", at,
                                   token))  # fmt: skip

    def bearer(self, secret: str, now: float) -> Token | None:
        """Return the token of this secret, where it is good and its person may sign in; the lesser role of both."""
        found = self._rows(
            "SELECT t.id, t.person, t.role, t.label, t.made, t.expires, t.revoked, p.role FROM tokens t JOIN people p"
            " ON p.name = t.person WHERE t.digest = ? AND t.revoked IS NULL AND t.expires > ? AND p.disabled IS NULL",
            digest_of_secret(secret), now,
        )  # fmt: skip
        if not found:
            return None
        from stillwatch.terms.person import ROLES

        least = min(found[0][2], found[0][7], key=ROLES.index)
        return _token((*found[0][:2], least, *found[0][3:7]))

    # ---- proposals ----

    def proposals(self, *, closed: int = 0) -> tuple[Proposal, ...]:
        """Return the open proposals, oldest first, then the last `closed` ones that were closed."""
        still = self._rows(f"SELECT {_PROPOSAL} FROM proposals WHERE state = 'open' ORDER BY id")
        done = self._rows(f"SELECT {_PROPOSAL} FROM proposals WHERE state <> 'open' ORDER BY id DESC LIMIT ?", closed)
        return tuple(_proposal(row) for row in (*still, *done))

    def proposal(self, number: int) -> Proposal | None:
        """Return one proposal."""
        found = self._rows(f"SELECT {_PROPOSAL} FROM proposals WHERE id = ?", number)
        return _proposal(found[0]) if found else None

    def propose(self, one: Proposal) -> int:
        """Keep a proposal and return its number; a second one on the same subject is refused while one is open."""
        with self.control.changing():
            return int(self._rows(
                "INSERT INTO proposals (kind, subject, verb, by, reason, days, why, receipt, at, state, second)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', '') RETURNING id",
                one.kind, one.subject, one.verb, one.by, one.reason, one.days, one.why, one.receipt, one.at,
            )[0][0])  # fmt: skip

    def close_proposal(self, number: int, state: str, second: str, at: float) -> None:
        """Close a proposal."""
        with self.control.changing():
            self._rows("UPDATE proposals SET state = ?, second = ?, closed = ? WHERE id = ? AND state = 'open'", state,
                       second, at, number)  # fmt: skip

    # ---- the trail, and what pages ask of accounts ----

    def trail(self, *, before: int | None = None, after: int = 0, limit: int = 50) -> tuple[TrailEntry, ...]:
        """Return entries of the audit trail, newest first."""
        return trail.entries(self.control.rows, before=before, after=after, limit=limit)

    def trail_head(self) -> tuple[int, str]:
        """Return number and digest of the newest entry."""
        return trail.head(self.control.rows)

    def trail_broken(self) -> int | None:
        """Return the first entry that does not follow from the one before; None where the chain holds."""
        return trail.broken(self.control.rows)

    def note(self, what: str, subject: str, detail: str, at: float) -> None:
        """Add to the trail what changes no record: a sign-in, an alert that was sent.

        Args:
            what: What it is called.
            subject: What it is about.
            detail: JSON.
            at: Seconds since 1970.
        """
        with self.control.changing():
            self._rows("INSERT INTO trail (at, by, how, what, subject, detail, before, digest)"
                       " VALUES (?, '', '', ?, ?, ?, '', '')", at, what, subject, detail)  # fmt: skip

    def mark(self, name: str) -> str:
        """Return what was kept under a name, such as how far alerts were sent; empty for nothing."""
        found = self._rows("SELECT value FROM marks WHERE name = ?", name)
        return str(found[0][0]) if found else ""

    def put_mark(self, name: str, value: str) -> None:
        """Keep it."""
        with self.control.changing():
            self._rows("INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name,
                       value)  # fmt: skip

    def count_accounts(self) -> int:
        """Return how many accounts there are records of."""
        return int(self._rows("SELECT count(*) FROM accounts")[0][0])

    def account_names(self, *, starts: str = "", after: str = "", limit: int = 50) -> tuple[str, ...]:
        """Return names of accounts in order, those that start with `starts` and come after `after`."""
        end = starts + "\U0010ffff"
        rows = self._rows("SELECT account FROM accounts WHERE account > ? AND account >= ? AND account < ?"
                          " ORDER BY account LIMIT ?", after, starts, end, limit)  # fmt: skip
        return tuple(str(row[0]) for row in rows)

    def organisations(self, accounts: tuple[str, ...]) -> dict[str, str]:
        """Return by account the organisation that stands behind it, for those that have one.

        One counts where it was verified, or holds several accounts: on many platforms each sign-up gets a name of its
        own in that field, which is no organisation.
        """
        found: dict[str, str] = {}
        for start in range(0, len(accounts), 500):
            some = accounts[start : start + 500]
            marks = ", ".join("?" * len(some))
            rows = self._rows(
                f"SELECT account, organisation FROM accounts a WHERE account IN ({marks}) AND organisation <> '' AND"
                """ (verified LIKE '%"organisation"%' OR EXISTS (SELECT 1 FROM accounts b WHERE"""
                " b.organisation = a.organisation AND b.account <> a.account))",
                *some,
            )
            found.update((str(name), str(organisation)) for name, organisation in rows)
        return found

    def agreements(self) -> dict[str, Agreement]:
        """Return by account all of its record that policy can tell apart; 0.1 s for 100,000 accounts."""
        rows = self._rows("SELECT account, plan, country, unmodified, workload, verified FROM accounts")
        return {row[0]: row[1:] for row in rows}

    def keys_of(self, account: str) -> tuple[KeyRecord, ...]:
        """Return the keys of one account, oldest first."""
        rows = self._rows("SELECT key_id, digest, account, label, created, expires, revoked FROM keys WHERE account = ?"
                          " ORDER BY created, key_id", account)  # fmt: skip
        return tuple(
            KeyRecord(key_id=row[0], digest=row[1], account=row[2], label=row[3], created=row[4], expires=row[5],
                      revoked=row[6])
            for row in rows
        )  # fmt: skip

    def key_counts(self, now: float) -> dict[str, int]:
        """Return how many API keys are good, ended, and end within 14 days."""
        row = self._rows(
            "SELECT count(*), coalesce(sum(revoked IS NULL AND (expires IS NULL OR expires > ?1)), 0),"
            " coalesce(sum(revoked IS NULL AND expires > ?1 AND expires < ?1 + 14 * 86400.0), 0) FROM keys",
            now,
        )[0]
        return {"good": int(row[1]), "ended": int(row[0]) - int(row[1]), "ending_soon": int(row[2])}

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self.control.rows(sql, values)


def _person(row: Any) -> Person:
    name, role, subject, has_password, created, disabled = row
    return Person(name=name, role=role, subject=subject, has_password=bool(has_password), created=created,
                  disabled=disabled)  # fmt: skip


def _token(row: Any) -> Token:
    number, person, role, label, made, expires, revoked = row
    return Token(id=number, person=person, role=role, label=label, made=made, expires=expires, revoked=revoked)


def _proposal(row: Any) -> Proposal:
    number, kind, subject, verb, by, reason, days, why, receipt, at, state, second, closed = row
    return Proposal(id=number, kind=kind, subject=subject, verb=verb, by=by, reason=reason, days=days, why=why,
                    receipt=receipt, at=at, state=state, second=second, closed=closed)  # fmt: skip
