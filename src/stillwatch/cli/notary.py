"""`stillwatch notary`: one of the two notaries through which members match without showing."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json

_folder = options.state("Folder of the notary's keys and members; another than a gateway's.")


@click.group()
def notary() -> None:
    """Run a notary: it turns members' values into tokens without seeing either.

    A coalition has two, run by different organisations. Neither can compute a token alone, or test a guess.
    """


@notary.command()
@_folder
@options.as_json
def init(state: Path, as_json: bool) -> None:
    """Make a notary's identity and first key, and print the identity that members pin."""
    from stillwatch.app.notary import make_notary

    _print_keys(make_notary(state, time.time()), as_json)


@notary.command()
@_folder
@options.as_json
def keys(state: Path, as_json: bool) -> None:
    """Print the identity to pin, and the public key of the epoch in force."""
    from stillwatch.app.notary import notary_keys

    _print_keys(notary_keys(state, time.time()), as_json)


@notary.command()
@_folder
@options.as_json
def rotate(state: Path, as_json: bool) -> None:
    """Destroy keys of epochs that ended, and draw that of the epoch in force.

    `serve` does so by itself; this is for a notary that stood still.
    """
    from stillwatch.app.notary import turn_notary

    done = turn_notary(state, time.time())
    if as_json:
        return print_json(asdict(done))
    gone = ", ".join(map(str, done.destroyed)) or "none"
    click.echo(f"Epoch {done.number}: key {'drawn' if done.made else 'was there'}. Keys destroyed of epochs: {gone}.")


@notary.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8431, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--name", default="notary", show_default=True, help="What it calls itself.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="PEM file of its certificate and chain.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="PEM file of the certificate's key.")
@_folder
@click.option("--log-json", "as_json", is_flag=True, help="Say what happens as JSON, one object a line.")
def serve(state: Path, **given: Any) -> None:
    """Answer members until SIGTERM or SIGINT.

    Without --tls-cert it speaks plain HTTP, for a proxy on the same machine that adds TLS.
    Exit code 0: stopped; 2: it could not start.
    """
    from stillwatch.app.notary import NotaryServing, serve_notary

    serve_notary(state, NotaryServing(**given))


@notary.group()
def members() -> None:
    """Add, list and revoke the members that may ask this notary."""


@members.command()
@click.argument("name")
@click.option("--budget", default=200_000, show_default=True, type=click.IntRange(1, 10_000_000),
              help="Values that it may have evaluated in a day (UTC).")  # fmt: skip
@_folder
@options.as_json
def add(name: str, budget: int, state: Path, as_json: bool) -> None:
    """Add the organisation NAME and print its API key, this once."""
    from stillwatch.app.notary import open_members

    book = open_members(state, new=False)
    try:
        key = book.add(name, budget, time.time())
    finally:
        book.close()
    if as_json:
        return print_json({"name": name, "budget": budget, "key": key})
    click.echo(key)
    click.echo(f"Member {name}, {budget:,} values a day. The key is shown this once; only its hash is kept.", err=True)


@members.command("list")
@_folder
@options.as_json
def list_members(state: Path, as_json: bool) -> None:
    """List members and what each has left today."""
    from stillwatch.app.notary import open_members

    now = time.time()
    book = open_members(state, new=False)
    try:
        found = [(member, book.left(member, now)) for member in book.all()]
    finally:
        book.close()
    if as_json:
        return print_json([{**asdict(member), "left": left} for member, left in found])
    rows = [(m.name, f"{m.budget:,}", f"{left:,}", moment(m.created), moment(m.revoked, "no")) for m, left in found]
    click.echo(as_table(("name", "a day", "left today", "added", "revoked"), rows, "No members."))


@members.command()
@click.argument("name")
@_folder
@options.as_json
def revoke(name: str, state: Path, as_json: bool) -> None:
    """Let the member NAME ask no more; its name stays taken."""
    from stillwatch.app.notary import open_members

    book = open_members(state, new=False)
    try:
        done = book.revoke(name, time.time())
    finally:
        book.close()
    if as_json:
        return print_json(asdict(done))
    click.echo(f"Member {done.name} was revoked at {moment(done.revoked)}; its key opens nothing any more.")


def _print_keys(found: Any, as_json: bool) -> None:
    if as_json:
        return print_json(asdict(found))
    click.echo(f"identity    {found.identity}")
    click.echo(f"epoch       {found.epoch}, {moment(found.begins)} to {moment(found.ends)}")
    click.echo(f"public key  {found.public_key}")
