"""`stillwatch console`: serve the pages for people, and say who may sign in."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.console.wording import safe
from stillwatch.terms.person import ROLES

_ROLE = click.Choice(ROLES)


@click.group()
def console() -> None:
    """Pages and API where people look, decide and are held to account."""


@console.command("serve")
@options.config
@click.option("--host", help="Address of the console.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the console.  [default: 8190]")
@options.control_state
@click.option("--log-json", is_flag=True, help="Say what happens as JSON, one object a line.")
def serve(**given: Any) -> None:
    """Serve the console of a state folder, beside the gateway or without one.

    Exit code 0: stopped; 2: it could not start.
    """
    from stillwatch.app.consoleserve import serve_console
    from stillwatch.app.settings import load_settings

    settings = load_settings(given["config"]).changed("console", host=given["host"], port=given["port"])
    serve_console(settings, given["state"], as_json=given["log_json"])


@console.group()
def users() -> None:
    """Who may sign in to the console, and as what."""


@users.command("add")
@click.argument("name")
@click.option("--role", type=_ROLE, default="viewer", show_default=True, help="What the person may do.")
@click.option("--subject", default="", help="Who that is at the identity provider (`sub`), for single sign-on.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@click.option("--no-password", is_flag=True, help="Give none: single sign-on only, or later.")
@options.control_state
@options.as_json
def add(
    name: str, role: str, subject: str, password_stdin: bool, no_password: bool, state: Path, as_json: bool
) -> None:
    """Add NAME; the password is asked for, of 12 characters or more, and kept as its argon2id hash."""
    from stillwatch.app.consoledoor import NewPerson, add_person

    password = "" if no_password else _password(password_stdin)
    new = NewPerson(name=name, role=role, subject=subject, password=password)
    _people(state, lambda people: add_person(people, new, time.time()), as_json, "is added")


@users.command("list")
@options.control_state
@options.as_json
def list_users(state: Path, as_json: bool) -> None:
    """List people."""
    from stillwatch.app.control import open_control
    from stillwatch.store.people import People

    with open_control(state) as book:
        everyone = People(book).everyone()
    if as_json:
        return print_json([asdict(person) for person in everyone])
    rows = [
        (p.name, p.role, "yes" if p.has_password else "no", "yes" if p.subject else "no", moment(p.created),
         "disabled" if p.disabled is not None else "good")
        for p in everyone
    ]  # fmt: skip
    click.echo(as_table(("name", "role", "password", "sso", "since", "state"), rows, "Nobody may sign in."))


@users.command("role")
@click.argument("name")
@click.argument("role", type=_ROLE)
@options.control_state
@options.as_json
def role(name: str, role: str, state: Path, as_json: bool) -> None:
    """Make NAME a ROLE: viewer, analyst, approver or admin. Sessions end."""
    from stillwatch.app.consoledoor import change_role

    _people(state, lambda people: change_role(people, name, role, time.time()), as_json, "is changed")


@users.command("disable")
@click.argument("name")
@options.control_state
@options.as_json
def disable(name: str, state: Path, as_json: bool) -> None:
    """Let NAME sign in no more; sessions and tokens end at once."""
    from stillwatch.app.consoledoor import set_disabled

    _people(state, lambda people: set_disabled(people, name, True, time.time()), as_json, "is disabled")


@users.command("enable")
@click.argument("name")
@options.control_state
@options.as_json
def enable(name: str, state: Path, as_json: bool) -> None:
    """Let NAME sign in again."""
    from stillwatch.app.consoledoor import set_disabled

    _people(state, lambda people: set_disabled(people, name, False, time.time()), as_json, "is enabled")


@users.command("password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@options.control_state
@options.as_json
def password(name: str, password_stdin: bool, state: Path, as_json: bool) -> None:
    """Give NAME a new password; sessions end."""
    from stillwatch.app.consoledoor import set_password

    new = _password(password_stdin)
    _people(state, lambda people: set_password(people, name, new, time.time()), as_json, "has a new password")


@console.group()
def tokens() -> None:
    """Bearer tokens for the JSON API."""


@tokens.command("make")
@click.argument("name")
@click.option("--role", type=_ROLE, default="viewer", show_default=True, help="What the token may do.")
@click.option("--label", default="", help="What it is for.")
@click.option("--days", default=90.0, show_default=True, type=float, help="How long it is good; at most 366.")
@options.control_state
@options.as_json
def make(name: str, role: str, label: str, days: float, state: Path, as_json: bool) -> None:
    """Make a token for the person NAME; it is printed once, alone on standard output."""
    from stillwatch.app.consoledoor import TokenAsk, make_token
    from stillwatch.app.control import open_control
    from stillwatch.store.people import People

    with open_control(state, new=False) as book:
        made = make_token(People(book), TokenAsk(person=name, role=role, label=label, days=days), time.time())
    if as_json:
        return print_json({**asdict(made.token), "secret": made.secret})
    click.echo(made.secret)
    click.echo(f"Token {made.token.id} of {name} as {role}, until {moment(made.token.expires)}.", err=True)


@tokens.command("list")
@options.control_state
@options.as_json
def list_tokens(state: Path, as_json: bool) -> None:
    """List tokens."""
    from stillwatch.app.control import open_control
    from stillwatch.store.people import People

    with open_control(state) as book:
        every = People(book).tokens()
    if as_json:
        return print_json([asdict(token) for token in every])
    rows = [(t.id, t.person, t.role, t.label, moment(t.expires), "ended" if t.revoked else "good") for t in every]
    click.echo(as_table(("token", "person", "role", "label", "until", "state"), rows, "No tokens."))


@tokens.command("end")
@click.argument("token")
@options.control_state
def end(token: str, state: Path) -> None:
    """End a token at once."""
    from stillwatch.app.control import open_control
    from stillwatch.store.people import People
    from stillwatch.terms.errors import StillwatchError

    with open_control(state, new=False) as book:
        if not People(book).revoke_token(token, time.time()):
            raise StillwatchError(f"token {token[:40]!r}: there is none that is good.")
    click.echo(f"Token {safe(token)} is ended.")


@console.command("audit")
@click.option("--check", is_flag=True, help="Check the chain: exit code 1 where an entry does not follow.")
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Entries to print.")
@options.control_state
@options.as_json
def audit(check: bool, last: int, state: Path, as_json: bool) -> None:
    """Print the audit trail, or check by its chain, and by the ledger if there is one, that nothing was changed.

    Exit code 0: printed, or the chain holds; 1: the chain is broken.
    """
    from stillwatch.app.control import open_control
    from stillwatch.app.trailledger import contradicted, restores
    from stillwatch.store.people import People

    with open_control(state, new=False) as book:
        people = People(book)
        head, broken = people.trail_head(), people.trail_broken() if check else None
        against = contradicted(people, state) if check and broken is None else None
        entries = () if check else people.trail(limit=last)
    if check:
        back = restores(state)
        told = {"entries": head[0], "head": head[1], "broken": broken, "ledger_entry_contradicted": against,
                "restored_at_ledger_entries": back}  # fmt: skip
        holds = f"{head[0]} entries, the chain holds; head {head[1]}"
        holds += f"; put back from a backup at entry {', '.join(map(str, back))} of the ledger" if back else ""
        said = holds if broken is None else f"entry {broken} does not follow from the one before"
        said = said if against is None else f"the trail was made anew: entry {against} of the ledger says otherwise"
        print_json(told) if as_json else click.echo(said)
        sys.exit(broken is not None or against is not None)
    if as_json:
        return print_json([asdict(entry) for entry in entries])
    rows = [
        (e.number, moment(e.at), e.by, e.how, json.loads(e.detail).get("by") or "-", e.what, e.subject, e.digest[:12])
        for e in entries
    ]
    head_row = ("no", "at", "who", "by", "stated", "what", "of", "digest")
    click.echo(as_table(head_row, rows, "Nothing was changed yet."))


@console.command("openapi")
def openapi() -> None:
    """Print the OpenAPI document of the JSON API."""
    from stillwatch.console.openapi import document

    click.echo(document().decode(), nl=False)


def _people(state: Path, change: Any, as_json: bool, what: str) -> None:
    from stillwatch.app.control import open_control
    from stillwatch.store.people import People

    with open_control(state) as book:
        person = change(People(book))
    if as_json:
        return print_json(asdict(person))
    click.echo(f"{person.name} {what}: {person.role}.")


def _password(from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    found: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return found
