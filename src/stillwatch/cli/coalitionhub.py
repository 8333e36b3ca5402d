"""`stillwatch coalition serve` and `coalition members`: the hub's own commands."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.cli.when import WHEN

_folder = options.state("Folder of the hub; another than a gateway's.")


@click.command()
@options.config
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 8440]")
@_folder
@click.option("--log-json", "as_json", is_flag=True, help="Say what happens as JSON, one object a line.")
def serve(config: Path | None, host: str | None, port: int | None, state: Path, as_json: bool) -> None:
    """Serve the coalition's hub, a TAXII 2.1 server, until SIGTERM or SIGINT.

    Exit code 0: stopped; 2: it could not start.
    """
    from stillwatch.app.coalitionhub import serve_hub
    from stillwatch.app.settings import load_settings

    serve_hub(load_settings(config).changed("hub", host=host, port=port).hub, state, as_json=as_json)


@click.group()
def members() -> None:
    """Add, list and revoke the members of a coalition, at its hub."""


@members.command()
@click.argument("name")
@click.option("--organisation", required=True, help="Legal name; members of one organisation share one voice.")
@click.option("--verified", default="", help="How it was verified; without this it has no voice.")
@click.option("--certificate", type=options.FILE, help="Client certificate that it must show (PEM).")
@click.option("--expires", type=WHEN, help="When it is let in no more: ISO 8601, or seconds since 1970.")
@click.option("--read-only", is_flag=True, help="It may read and not write.")
@click.option("--write-only", is_flag=True, help="It may write and not read.")
@click.option("--collection", "collections", multiple=True, help="Only this collection, by id or alias.")
@options.config
@_folder
@options.as_json
def add(config: Path | None, state: Path, as_json: bool, **given: Any) -> None:
    """Add member NAME and print its key, this once; for a name that is there, a new key in place of the old."""
    from stillwatch.app.coalitionhub import member_secret, open_hub
    from stillwatch.app.coalitionmembers import NewMember, add_member
    from stillwatch.app.settings import load_settings

    if given["read_only"] and given["write_only"]:
        raise click.UsageError("Give one of --read-only and --write-only.")
    names = ("name", "organisation", "verified", "certificate", "expires", "collections")
    new = NewMember(read=not given["write_only"], write=not given["read_only"], **{name: given[name] for name in names})
    hub = open_hub(load_settings(config).hub, state)
    with hub.file:
        admitted = add_member(hub, member_secret(state), new, time.time())
    if as_json:
        return print_json({"key": admitted.key, **_plain(admitted.member)})
    click.echo(admitted.key)
    click.echo(
        f"Member {admitted.member.name} of {admitted.member.organisation}, organisation {admitted.member.identity}. "
        "The key is shown this once and kept as a keyed hash.", err=True,
    )  # fmt: skip


@members.command("list")
@click.option("--all", "every", is_flag=True, help="Revoked and expired ones too.")
@options.config
@_folder
@options.as_json
def list_members(every: bool, config: Path | None, state: Path, as_json: bool) -> None:
    """List the members; no key and no hash is printed."""
    from stillwatch.app.coalitionhub import open_hub
    from stillwatch.app.settings import load_settings

    now = time.time()
    hub = open_hub(load_settings(config).hub, state, new=False)
    with hub.file:
        found = [m for m in hub.register.members() if every or m.good_at(now)]
    if as_json:
        return print_json([_plain(member) for member in found])
    rows = [
        (m.name, m.organisation, m.verified or "no", moment(m.created), moment(m.expires, "never"),
         "good" if m.good_at(now) else "revoked" if m.revoked else "expired", m.identity)
        for m in found
    ]  # fmt: skip
    head = ("name", "organisation", "verified", "created", "expires", "state", "id")
    click.echo(as_table(head, rows, "No members."))


@members.command()
@click.argument("name")
@options.config
@_folder
@options.as_json
def revoke(name: str, config: Path | None, state: Path, as_json: bool) -> None:
    """Let member NAME in no more, at once; with its last member an organisation loses its voice."""
    from stillwatch.app.coalitionhub import open_hub
    from stillwatch.app.coalitionmembers import revoke_member
    from stillwatch.app.settings import load_settings

    hub = open_hub(load_settings(config).hub, state, new=False)
    with hub.file:
        member = revoke_member(hub, name, time.time())
    if as_json:
        return print_json(_plain(member))
    click.echo(f"Revoked {member.name} of {member.organisation} ({moment(member.revoked)}).")


def _plain(member: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(member).items() if name != "digest"}
