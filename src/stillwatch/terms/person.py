"""People of the console: who may sign in, as what, and what they did; the records.

In: nothing. Out: frozen records, none of which holds a password, a session's secret or a token: those are kept as
hashes and never leave the store. Left to `store.people` and `store.trail`: keeping them. Left to `console`: the rights.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

ROLES: Final = ("viewer", "analyst", "approver", "admin")
"""What a person may be, least first; each may do what those before it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person who may sign in."""

    name: str
    role: str
    """One of `ROLES`."""
    subject: str = ""
    """Who that is at the identity provider (`sub`); empty without single sign-on."""
    has_password: bool = False
    created: float
    """Seconds since 1970 (likewise below)."""
    disabled: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """One session, as a request carries it."""

    person: str
    role: str
    csrf: str
    made: float
    """When the person signed in."""
    rotated: float
    """When its secret was last changed."""
    seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One bearer token of the JSON API; its secret is kept as a hash."""

    id: str
    person: str
    role: str
    """Never above the person's own."""
    label: str
    made: float
    expires: float
    revoked: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one person asks for and a second has to agree to."""

    id: int = 0
    kind: str
    """`decision` or `appeal`."""
    subject: str
    """Account, campaign, or the id of an appeal."""
    verb: str
    """`confirm`, `dismiss`, `release` or `step_up`; `grant` or `refuse` for an appeal."""
    by: str
    reason: str
    days: float
    why: str
    """Why one person is not enough."""
    receipt: str = ""
    """Receipt of the verdict as the first person read it."""
    at: float
    state: str = "open"
    """`open`, `agreed` or `withdrawn`."""
    second: str = ""
    closed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """One change, as the audit trail keeps it."""

    number: int
    at: float
    by: str
    how: str
    """`console`, `api`, `command`, or `outside` for what another program changed."""
    what: str
    subject: str
    detail: str
    """JSON; no key, secret or text of a request."""
    before: str
    """Digest of the entry before, 64 hex digits."""
    digest: str
    """SHA-256 over all of the above, 64 hex digits."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change, and by which door."""

    by: str
    how: str = "command"


_ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)


def actor() -> Actor:
    """Return who makes the changes of this moment: whom `acting_as` names."""
    return _ACTOR.get() or Actor("unnamed")


@contextmanager
def acting_as(who: Actor) -> Iterator[None]:
    """Name who makes the changes within."""
    before = _ACTOR.set(who)
    try:
        yield
    finally:
        _ACTOR.reset(before)
