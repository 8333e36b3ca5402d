"""`stillwatch privacy`: what is held of one account, given out or cut loose."""

import time
from dataclasses import asdict
from pathlib import Path

import click

from stillwatch.cli import options
from stillwatch.cli.show import print_json


@click.group()
def privacy() -> None:
    """Answer a person's request: what is held of an account, or that it be forgotten."""


@privacy.command()
@click.argument("account")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder to write to.")
@options.control_state
@options.as_json
def export(account: str, out: Path, state: Path, as_json: bool) -> None:
    """Write everything that is held under the name ACCOUNT into a new folder.

    Text in the vault is not among it: the holder of the private key reads that with `stillwatch vault read`.
    """
    from stillwatch.app.control import open_control
    from stillwatch.app.privacy import export_account

    with open_control(state, new=False) as book:
        done = export_account(book, state, account, out)
    if as_json:
        return print_json(asdict(done) | {"folder": str(done.folder)})
    click.echo(
        f"{done.folder}: {done.events:,} events, {done.records:,} records, {done.vault_records:,} headers of the vault."
    )


@privacy.command()
@click.argument("account")
@click.option("--by", required=True, envvar="STILLWATCH_BY", help="Who: a person's name or address.")
@click.option("--reason", required=True, help="Why, such as the number of the request.")
@click.option("--despite", is_flag=True, help="Although a verdict or an appeal is open.")
@options.control_state
@options.as_json
def erase(account: str, by: str, reason: str, despite: bool, state: Path, as_json: bool) -> None:
    """Destroy what ties ACCOUNT to what is held of it, its own key first of all. It cannot be undone.

    Prints what was destroyed, what lapses by itself, and what stays, with why.
    """
    from stillwatch.app.control import open_control
    from stillwatch.app.privacy import Erasure, erase_account
    from stillwatch.app.vault import Reader

    with open_control(state, new=False) as book:
        ask = Erasure(account=account, reader=Reader(by=by, reason=reason), despite=despite)
        done = erase_account(book, state, ask, time.time())
    if as_json:
        return print_json(asdict(done))
    for head, lines in (("Destroyed", done.destroyed), ("Lapses", done.lapses), ("Stays", done.stays)):
        click.echo(f"{head}:")
        for line in lines:
            click.echo(f"- {line}")
