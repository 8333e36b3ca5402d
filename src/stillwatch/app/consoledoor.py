"""Signing in to the console: passwords, sessions, tokens; and the people behind them, for the command line.

In: names and secrets. Out: sessions and tokens, whose secrets are shown once and kept as hashes.
A session idles out, ends after some hours, and changes its secret every quarter of an hour.
Left to `console.passwords`, `console.throttle`, `console.oidc`: their parts. Left to `store.people`: keeping it.
"""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from stillwatch.app.consolestate import ConsoleState
from stillwatch.app.controlnames import check_text
from stillwatch.console import passwords
from stillwatch.console.office import Me, TooSoon
from stillwatch.console.throttle import Throttle
from stillwatch.store.people import People
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.person import ROLES, Actor, Person, SignedIn, Token, acting_as

ROTATE_SECONDS: Final = 900.0
GRACE_SECONDS: Final = 30.0
SEEN_SECONDS: Final = 60.0
"""How often a session's last use is written down."""
TOKEN_PREFIX: Final = "swc_"
MOST_TOKEN_DAYS: Final = 366.0
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.@-]{0,39}")


class ConsoleDoor:
    """`console.office.Door` over a state folder."""

    def __init__(self, open_state: ConsoleState, clock: Callable[[], float] = time.time) -> None:
        self._s, self._clock = open_state, clock
        self._throttle = Throttle()
        config = open_state.settings.console
        self._idle, self._lasts = config.idle_minutes * 60.0, config.session_hours * 3_600.0

    def anyone(self) -> bool:
        """Return whether there is anybody who could sign in."""
        return any(p.disabled is None and (p.has_password or p.subject) for p in self._s.people.everyone())

    def check(self, name: str, password: str, address: str) -> str:
        """Return the person's name; empty where name and password do not fit.

        Raises:
            TooSoon: after too many failures; the seconds to wait.
        """
        now = self._clock()
        wait, count = self._throttle.begin(name, address, now)
        if wait > 0.0:
            raise TooSoon(wait)
        people = self._s.people
        kept = people.password(name)
        if not passwords.fits(password, kept):
            if count in (5, 20, 100):
                shown = name if people.find(name) else "unknown name"
                self._note("sign-in failed", shown, {"times": count}, now)
            return ""
        self._throttle.succeeded(name, address)
        if passwords.outdated(kept):
            people.change(name, at=now, password=passwords.hashed(password))
        return name

    def person_of(self, subject: str) -> str:
        """Return the person of an identity provider's subject; empty for nobody, or for who is disabled."""
        found = self._s.people.of_subject(subject)
        return found.name if found is not None and found.disabled is None else ""

    def begin(self, name: str, how: str) -> str:
        """Begin a session and return its secret."""
        now, secret = self._clock(), secrets.token_urlsafe(32)
        self._s.people.begin_session(secret, name, secrets.token_urlsafe(24), now, now + self._lasts)
        with acting_as(Actor(name, "console")):
            self._note("signed in", name, {"by": how}, now)
        return secret

    def session(self, secret: str, *, quiet: bool) -> tuple[SignedIn, str] | None:
        """Return the session and, where its secret is due to change, the new one."""
        now, people = self._clock(), self._s.people
        found = people.session(secret, now, self._idle)
        if found is None:
            return None
        if quiet:
            return found, ""
        if now - found.rotated > ROTATE_SECONDS:
            new = secrets.token_urlsafe(32)
            people.rotate_session(secret, new, now, GRACE_SECONDS)
            return found, new
        if now - found.seen > SEEN_SECONDS:
            people.see_session(secret, now)
        return found, ""

    def end(self, secret: str) -> None:
        """Sign out."""
        self._s.people.end_session(secret)

    def bearer(self, secret: str) -> Me | None:
        """Return who holds a token; None where it is no good."""
        if not secret.startswith(TOKEN_PREFIX) or len(secret) > 200:
            return None
        token = self._s.people.bearer(secret, self._clock())
        return Me(token.person, token.role, "api") if token is not None else None

    def _note(self, what: str, subject: str, detail: dict[str, object], now: float) -> None:
        self._s.people.note(what, subject, msgspec.json.encode(detail).decode(), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """Who is to be added."""

    name: str
    role: str
    subject: str = ""
    password: str = field(default="", repr=False)
    """Empty for who signs in by single sign-on alone, or gets a password later."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: the only time that its secret can be read."""

    token: Token
    secret: str = field(repr=False)


def add_person(people: People, new: NewPerson, now: float) -> Person:
    """Add a person.

    Raises:
        StillwatchError: the name, role or password cannot be one, or the name or subject is taken.
    """
    if not _NAME.fullmatch(new.name):
        raise StillwatchError("name: must have 1 to 40 of a-z, 0-9, `_`, `.`, `@` and `-`, and start with a-z or 0-9.")
    _check_role(new.role)
    check_text("subject", new.subject, at_most=200)
    if people.find(new.name) is not None:
        raise StillwatchError(f"person {new.name}: is there already; `stillwatch console users list` lists them.")
    if new.subject and people.of_subject(new.subject) is not None:
        raise StillwatchError("subject: is another person's; each person has an own one.")
    kept = passwords.hashed(new.password) if new.password else ""
    people.add(Person(name=new.name, role=new.role, subject=new.subject, created=now), kept)
    return _found(people, new.name)


def change_role(people: People, name: str, role: str, now: float) -> Person:
    """Change what a person may do; sessions end.

    Raises:
        StillwatchError: there is nobody of that name, no such role, or it is the last admin.
    """
    _check_role(role)
    found = _found(people, name)
    with people.control.changing():
        if role != "admin":
            _keep_an_admin(people, found)
        if found.role != role:
            people.change(name, at=now, role=role)
    return _found(people, name)


def set_disabled(people: People, name: str, disabled: bool, now: float) -> Person:
    """Disable or enable a person; sessions and tokens end at once.

    Raises:
        StillwatchError: there is nobody of that name, or it is the last admin.
    """
    found = _found(people, name)
    with people.control.changing():
        if disabled:
            _keep_an_admin(people, found)
        if disabled != (found.disabled is not None):
            people.change(name, at=now, disabled=now if disabled else None)
    return _found(people, name)


def set_password(people: People, name: str, password: str, now: float) -> Person:
    """Give a person a new password; sessions end.

    Raises:
        StillwatchError: there is nobody of that name, or the password is too short.
    """
    _found(people, name)
    people.change(name, at=now, password=passwords.hashed(password))
    return _found(people, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAsk:
    """What a token is for."""

    person: str
    role: str
    label: str = ""
    days: float = 90.0
    """How long it is good; above 0 and at most 366."""


def make_token(people: People, ask: TokenAsk, now: float) -> NewToken:
    """Make a token of the API.

    Raises:
        StillwatchError: there is nobody of that name, or the role is above the person's own.
    """
    found = _found(people, ask.person)
    _check_role(ask.role)
    check_text("label", ask.label, at_most=100)
    if found.disabled is not None:
        raise StillwatchError(f"person {ask.person}: is disabled; a token would be no good.")
    if ROLES.index(ask.role) > ROLES.index(found.role):
        raise StillwatchError(
            f"role {ask.role}: is above {ask.person}'s own, {found.role}; a token cannot do more than its person."
        )
    if not 0.0 < ask.days <= MOST_TOKEN_DAYS:
        raise StillwatchError(f"days {ask.days:g}: must be above 0 and at most {MOST_TOKEN_DAYS:g}.")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = Token(id=f"t_{secrets.token_hex(6)}", person=ask.person, role=ask.role, label=ask.label, made=now,
                  expires=now + ask.days * 86_400.0)  # fmt: skip
    people.add_token(token, secret)
    return NewToken(token, secret)


def _found(people: People, name: str) -> Person:
    found = people.find(name)
    if found is None:
        raise StillwatchError(f"person {name[:64]!r}: there is none; `stillwatch console users list` lists them.")
    return found


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise StillwatchError(f"role {role[:40]!r}: must be one of {', '.join(ROLES)}.")


def _keep_an_admin(people: People, leaving: Person) -> None:
    """Refuse to lock everybody out."""
    left = [p for p in people.everyone() if p.role == "admin" and p.disabled is None and p.name != leaving.name]
    if leaving.role == "admin" and leaving.disabled is None and not left:
        raise StillwatchError(f"person {leaving.name}: is the last admin; make another one first.")
