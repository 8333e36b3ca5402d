"""People, tokens, the audit trail, and why something was not done."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailLine:
    """One change."""

    number: int
    at: float
    by: str
    how: str
    what: str
    subject: str
    detail: dict[str, Any]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailList:
    """Changes, newest first."""

    items: list[TrailLine]
    next: int | None
    head: int
    ledger: str
    """Where the chain's head stands outside of the control file; empty for nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    """One person who may sign in."""

    name: str
    role: str
    has_password: bool
    sso: bool
    created: float
    disabled: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLine:
    """One token of the API, never its secret."""

    id: str
    person: str
    role: str
    label: str
    made: float
    expires: float
    revoked: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleList:
    """People and tokens."""

    people: list[PersonLine]
    tokens: list[TokenLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who is asking."""

    name: str
    role: str
    may: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why something was not done."""

    code: str
    message: str
