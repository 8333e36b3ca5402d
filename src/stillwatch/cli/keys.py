"""`stillwatch keys`: API keys of the gateway."""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.cli.when import WHEN

HOUR = 3600.0


@click.group()
def keys() -> None:
    """Make, list, replace and revoke the API keys of the gateway; they are kept as keyed hashes only."""


@keys.command()
@click.option("--account", required=True, help="Account that the key is for; made if it is not there.")
@click.option("--label", default="", help="What the key is used for.")
@click.option("--expires", type=WHEN, help="When it stops working: ISO 8601, or seconds since 1970.")
@options.control_state
@options.as_json
def create(account: str, label: str, expires: float | None, state: Path, as_json: bool) -> None:
    """Make a key and print it, this once."""
    from stillwatch.app.control import key_secret, open_control
    from stillwatch.app.keys import NewKey, create_key

    with open_control(state) as book:
        issued = create_key(book, key_secret(state), NewKey(account=account, label=label, expires=expires), time.time())
    _print_issued(issued, as_json)


@keys.command("list")
@click.option("--account", help="Of this account only.")
@click.option("--all", "every", is_flag=True, help="Revoked and expired keys too.")
@options.control_state
@options.as_json
def list_keys(account: str | None, every: bool, state: Path, as_json: bool) -> None:
    """List keys by id, oldest first; no key and no hash is printed."""
    from stillwatch.app.control import open_control

    now = time.time()
    with open_control(state, new=False) as book:
        found = [k for k in book.keys() if account in (None, k.account) and (every or k.good_at(now))]
    if as_json:
        return print_json([_plain(key) for key in found])
    rows = [
        (k.key_id, k.account, k.label or "-", moment(k.created), moment(k.expires, "never"), _state(k, now))
        for k in found
    ]
    click.echo(as_table(("id", "account", "label", "created", "expires", "state"), rows, "No keys."))


@keys.command()
@click.argument("key_id", required=False)
@click.option("--account", help="Revoke every key of this account instead.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read a raw key, found where it should not be, from stdin.")
@options.control_state
@options.as_json
def revoke(key_id: str | None, account: str | None, from_stdin: bool, state: Path, as_json: bool) -> None:
    """Revoke the key KEY_ID for good; workers refuse it within seconds."""
    from stillwatch.app.control import key_secret, open_control
    from stillwatch.app.keys import id_of_raw, revoke_account, revoke_key

    if sum((key_id is not None, account is not None, from_stdin)) != 1:
        raise click.UsageError("Give one of KEY_ID, --account and --stdin.")
    now = time.time()
    with open_control(state, new=False) as book:
        if account is not None:
            done = revoke_account(book, account, now)
        else:
            raw = sys.stdin.readline() if from_stdin else ""
            done = (revoke_key(book, key_id or id_of_raw(book, key_secret(state), raw), now),)
    if as_json:
        return print_json([_plain(key) for key in done])
    for key in done:
        click.echo(f"Revoked {key.key_id} of account {key.account} ({moment(key.revoked)}).")
    if not done:
        click.echo(f"Account {account} has no key left to revoke.")


@keys.command()
@click.argument("key_id")
@click.option("--overlap-hours", default=24.0, show_default=True, type=click.FloatRange(0, 24 * 90),
              help="How long the old key goes on working.")  # fmt: skip
@options.control_state
@options.as_json
def rotate(key_id: str, overlap_hours: float, state: Path, as_json: bool) -> None:
    """Make a new key in the place of KEY_ID, print it this once, and let the old one lapse."""
    from stillwatch.app.control import key_secret, open_control
    from stillwatch.app.keys import find_key, rotate_key

    with open_control(state, new=False) as book:
        issued = rotate_key(book, key_secret(state), key_id, overlap=overlap_hours * HOUR, now=time.time())
        old = find_key(book, key_id)
    _print_issued(issued, as_json, old=_plain(old))
    if not as_json:
        click.echo(f"The old key {old.key_id} works until {moment(old.expires)}.", err=True)


@keys.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--raw", is_flag=True, help="Values of 64 hex digits are keys themselves, not SHA-256 hashes of keys.")
@options.control_state
@options.as_json
def import_file(file: Any, raw: bool, state: Path, as_json: bool) -> None:
    """Take over keys from FILE, CSV lines of `account,key[,label]`; - reads standard input.

    A key may be given raw, or as the SHA-256 that LiteLLM keeps of it (64 hex digits): both are hashed
    again at once, under this state's own key, and neither is kept. All lines are taken, or none.
    """
    from stillwatch.app.control import key_secret, open_control
    from stillwatch.app.keyfile import read_key_lines
    from stillwatch.app.keys import import_keys

    lines = read_key_lines(file, hex_is_raw=raw)
    with open_control(state) as book:
        added, known = import_keys(book, key_secret(state), lines.given, time.time())
    if as_json:
        return print_json({"added": added, "known": known, "raw": lines.raw, "hashed": lines.hashed})
    click.echo(f"{added} keys added, {known} known before ({lines.raw} given raw, {lines.hashed} as SHA-256).")
    if lines.hashed:
        click.echo("If values of 64 hex digits are the keys themselves, import the file again with --raw.", err=True)
    if lines.raw and file.name != "<stdin>":
        click.echo(f"{file.name} still holds raw keys: delete it.", err=True)


def _plain(key: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "digest"}


def _state(key: Any, now: float) -> str:
    if key.revoked is not None:
        return f"revoked {moment(key.revoked)}"
    return "good" if key.good_at(now) else "expired"


def _print_issued(issued: Any, as_json: bool, **more: Any) -> None:
    if as_json:
        return print_json({"key": issued.key, **_plain(issued.record), **more})
    click.echo(issued.key)
    record = issued.record
    click.echo(
        f"Key {record.key_id} of account {record.account}, expires {moment(record.expires, 'never')}. "
        "It is shown this once and kept as a keyed hash; put it where the account's programs read it.",
        err=True,
    )
