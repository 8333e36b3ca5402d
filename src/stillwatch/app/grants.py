"""Grants: given, looked at, ended; and the token that a holder shows.

In: the control records, the provider's key, what is agreed. Out: grant records; a token, which anybody who has the
provider's public key can read and check, and only the holder of the named key can use.
Left to `gateway.grants`: requests under one.
Source: RFC 9068 (JWT access tokens), RFC 9396 (`authorization_details`), RFC 9449 (`cnf.jkt`).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jwt

from stillwatch.app.control import Book
from stillwatch.app.controlnames import check_account, check_text
from stillwatch.app.grantkeys import AUDIENCE, issuer_jwk, issuer_key
from stillwatch.gateway.dpop import TOKEN_ALGORITHM, TOKEN_TYPE, thumbprint
from stillwatch.terms.account import AccountRecord
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.grant import GRANT_TYPE, GrantRecord

REDISTRIBUTION: Final = ("none", "weights", "outputs")
ISSUER: Final = "urn:stillwatch:provider:"
MOST_YEARS: Final = 3.0
_YEAR: Final = 365.25 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What a new grant says."""

    account: str
    organisation: str
    models: tuple[str, ...]
    tokens: int
    purposes: tuple[str, ...]
    expires: float
    by: str
    reason: str
    student_parameters: int = 0
    redistribution: str = "none"


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant that was just made, with the token that its holder gets."""

    record: GrantRecord
    token: str = field(repr=False)


def issue_grant(book: Book, state: Path, licence: Licence, holder: Mapping[str, Any], now: float) -> Granted:
    """Give a grant and return it with its token. Nothing secret is in the token; without the holder's key it is a text.

    Args:
        book: The control records.
        state: The state folder, whose master key signs.
        licence: What is granted.
        holder: The holder's public key, a JWK.
        now: Seconds since 1970.

    Raises:
        StillwatchError: a part of the licence cannot stand, or the key is no public key.
    """
    record = _record(licence, _jkt(holder), now)
    with book.changing():
        if book.find_account(record.account) is None:
            book.put_account(AccountRecord(account=record.account))
        book.add_grant(record)
    return Granted(record, token_of(record, state))


def find_grant(book: Book, grant: str) -> GrantRecord:
    """Return the grant of this id.

    Raises:
        StillwatchError: there is none.
    """
    for record in book.grants():
        if record.id == grant:
            return record
    raise StillwatchError(f"grant {grant[:40]}: is not known; `stillwatch grant list` lists those that are.")


def revoke_grant(book: Book, grant: str, by: str, now: float) -> GrantRecord:
    """End a grant for good and return it; one that was revoked before keeps its first date.

    Raises:
        StillwatchError: there is none, or nobody is named.
    """
    check_text("by", by, at_most=200)
    if not by.strip():
        raise StillwatchError("grant revoke: name who revokes it, with --by.")
    with book.changing():
        find_grant(book, grant)
        book.revoke_grant(grant, now, by)
    return find_grant(book, grant)


def token_of(record: GrantRecord, state: Path) -> str:
    """Return the token of a grant: signed, the same each time."""
    issuer = issuer_jwk(state)
    detail = {
        "type": GRANT_TYPE, "models": list(record.models), "token_quota": record.tokens,
        "purposes": list(record.purposes), "student_parameters_max": record.student_parameters or None,
        "redistribution": record.redistribution, "organisation": record.organisation,
        "answers_are_marked": True,
    }  # fmt: skip
    claims = {
        "iss": ISSUER + issuer["kid"], "aud": AUDIENCE, "sub": record.account, "jti": record.id,
        "iat": int(record.issued), "nbf": int(record.issued), "exp": int(record.expires),
        "cnf": {"jkt": record.thumbprint}, "authorization_details": [detail],
    }  # fmt: skip
    heads = {"typ": TOKEN_TYPE, "kid": issuer["kid"]}
    return jwt.encode(claims, issuer_key(state), algorithm=TOKEN_ALGORITHM, headers=heads)


def read_token(token: str, issuer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a grant's token says, once its signature holds; its dates are not looked at.

    Args:
        token: The token.
        issuer: The provider's public key, a JWK as `grant issuer` prints it.

    Raises:
        StillwatchError: it is none, or another provider's, or was changed.
    """
    try:
        key = jwt.PyJWK(dict(issuer), algorithm=TOKEN_ALGORITHM)
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=[TOKEN_ALGORITHM], audience=AUDIENCE,
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )  # fmt: skip
    except (jwt.PyJWTError, ValueError, TypeError):
        raise StillwatchError(
            "grant: the token does not hold under this key: it is another provider's, was changed, or is no grant. "
            "`stillwatch grant issuer` prints the key of this state folder."
        ) from None
    return claims


def _jkt(holder: Mapping[str, Any]) -> str:
    try:
        jwt.PyJWK(dict(holder))
        return thumbprint(holder)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise StillwatchError(
            "grant issue: the holder's key must be a public JWK, of kind OKP (Ed25519) or EC (P-256), without its "
            "private part. `stillwatch grant keygen FILE` makes a pair and prints the public half."
        ) from None


def _record(licence: Licence, jkt: str, now: float) -> GrantRecord:
    check_account(licence.account)
    for name in ("organisation", "by", "reason"):
        value = getattr(licence, name)
        check_text(name, value, at_most=400)
        if not value.strip():
            raise StillwatchError(f"grant issue: {name} is empty; a licence names it. Give --{name}.")
    for name, values in (("model", licence.models), ("purpose", licence.purposes)):
        if not values or not all(value.strip() for value in values):
            raise StillwatchError(f"grant issue: no {name} is named; give --{name}, once or more.")
        for value in values:
            check_text(name, value, at_most=400)
    if licence.tokens <= 0 or licence.student_parameters < 0:
        raise StillwatchError("grant issue: tokens must be above 0, student parameters 0 (no limit) or more.")
    if licence.redistribution not in REDISTRIBUTION:
        raise StillwatchError(f"redistribution {licence.redistribution!r}: must be one of {', '.join(REDISTRIBUTION)}.")
    if not now < licence.expires <= now + MOST_YEARS * _YEAR:
        latest = datetime.fromtimestamp(now + MOST_YEARS * _YEAR, UTC).date().isoformat()
        raise StillwatchError(f"grant issue: must end after now and by {latest}; give such a date with --until.")
    return GrantRecord(
        id=f"g_{secrets.token_hex(8)}", account=licence.account, organisation=licence.organisation.strip(),
        models=licence.models, tokens=licence.tokens, purposes=licence.purposes,
        student_parameters=licence.student_parameters, redistribution=licence.redistribution, thumbprint=jkt,
        issued=float(int(now)), expires=float(int(licence.expires)), by=licence.by, reason=licence.reason,
    )  # fmt: skip
