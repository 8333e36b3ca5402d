"""`stillwatch vault`: the evidence vault, the one place where text may be kept."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.cli.when import WHEN
from stillwatch.console.wording import safe
from stillwatch.terms.errors import StillwatchError

_by = click.option("--by", required=True, envvar="STILLWATCH_BY", help="Who: a person's name or address.")
_reason = click.option("--reason", required=True, help="Why, in one line; it stands in the read log for good.")
_account = click.option("--account", default="", help="Of this account.")
_request = click.option("--request", "request_id", default="", metavar="ID", help="The request of this id.")
_since = click.option("--since", type=WHEN, help="From this time on: ISO 8601, or seconds since 1970.")
_until = click.option("--until", type=WHEN, help="Up to this time.")
_passphrase_file = click.option("--passphrase-file", type=options.FILE, help="Passphrase of the key, first line.")


@click.group()
def vault() -> None:
    """Make keys for the evidence vault, list what it holds, read it, take records out, check who read.

    The vault is off unless the settings turn it on, and the gateway cannot read what is in it.
    """


@vault.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New file for the private key.")
@click.option("--passphrase", "ask", is_flag=True, help="Ask for a passphrase to lock the file with.")
@_passphrase_file
@options.control_state
@options.as_json
def keygen(out: Path, ask: bool, passphrase_file: Path | None, state: Path, as_json: bool) -> None:
    """Make a key pair; the private key goes into a new file, the public one is printed for the settings.

    Make it on another machine than the gateway's: who has the private key can read the vault.
    """
    from stillwatch.app.vault import make_key

    phrase = _first_line(passphrase_file)
    if ask and not phrase:
        phrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    public, name = make_key(out, state, phrase)
    if as_json:
        return print_json({"public_key": public, "key": name, "file": str(out), "locked": bool(phrase)})
    click.echo(public)
    click.echo(
        f"Key {name}. Its private half is in {out}{', locked' if phrase else ''}: keep it away from the gateway, with "
        "a copy; without it nothing in the vault can be read. For the settings file:\n"
        f'  [vault]\n  public_key = "{public}"\n  confirmed = true',
        err=True,
    )


@vault.command("list")
@_account
@_request
@_since
@_until
@options.control_state
@options.as_json
def list_headers(
    account: str, request_id: str, since: float | None, until: float | None, state: Path, as_json: bool
) -> None:
    """List what is in the vault by its headers, oldest first; shows no text and needs no key."""
    from stillwatch.app.vault import list_records

    found = list_records(state, _ask(account, request_id, since, until))
    if as_json:
        return print_json([_plain(placed.head) for _, placed in found])
    rows = [
        (h.id.hex()[:16], moment(h.time), h.account, h.why, h.action or "-", h.treatments or "-",
         h.epoch if h.epoch >= 0 else "-", h.request_bytes, h.answer_bytes)
        for h in (placed.head for _, placed in found)
    ]  # fmt: skip
    head = ("request", "time", "account", "why", "action", "treatments", "epoch", "request bytes", "answer bytes")
    click.echo(as_table(head, rows, "No records."))


@vault.command()
@click.option("--key", required=True, type=options.FILE, help="File with the private key.")
@_passphrase_file
@_account
@_request
@_since
@_until
@_by
@_reason
@options.control_state
@options.as_json
def read(key: Path, passphrase_file: Path | None, **given: Any) -> None:
    """Show the text of one account's or one request's records; the read log says so first.

    Exit code 0: all was shown; 1: nothing was found, or records were altered and could not be.
    """
    from stillwatch.app.vault import Reader, read_records

    phrase = passphrase_of(key, passphrase_file)
    ask = _ask(given["account"], given["request_id"], given["since"], given["until"])
    reader = Reader(by=given["by"], reason=given["reason"])
    shown = altered = 0
    for opened in read_records(given["state"], ask, reader, (key, phrase), time.time()):
        shown += opened.text is not None
        altered += opened.text is None
        click.echo(_as_line(opened) if given["as_json"] else _as_page(opened))
    click.echo(f"{shown} records shown, {altered} altered; the read log says so.", err=True)
    sys.exit(int(altered > 0 or shown == 0))


@vault.command()
@_account
@_request
@_since
@_until
@click.option("--all", "everything", is_flag=True, help="Everything.")
@_by
@_reason
@options.control_state
@options.as_json
def purge(everything: bool, **given: Any) -> None:
    """Delete records for good, such as those of an account that asked to be forgotten; needs no key."""
    from stillwatch.app.vault import Reader, purge_records

    ask = _ask(given["account"], given["request_id"], given["since"], given["until"])
    reader = Reader(by=given["by"], reason=given["reason"])
    gone = purge_records(given["state"], ask, reader, time.time(), everything=everything)
    if given["as_json"]:
        return print_json({"deleted": gone})
    said = "; the read log says so. Copies made before still hold them, sealed" if gone else ": none was meant"
    click.echo(f"{gone} records deleted{said}.")


@vault.command("status")
@options.control_state
@options.as_json
def vault_status(state: Path, as_json: bool) -> None:
    """Print whether the vault is on, what it holds and who read it, without any text."""
    from stillwatch.app.vault import holdings
    from stillwatch.app.vaultseen import vault_line, vault_seen

    held, seen = holdings(state), vault_seen(state)
    if as_json:
        return print_json({"holdings": asdict(held), "watcher": asdict(seen) if seen else None})
    why = ", ".join(f"{count} {name}" for name, count in held.by_why.items() if count)
    lines = [
        f"watcher  {vault_line(seen)}",
        f"records  {held.records:,} of {held.accounts:,} accounts{f' ({why})' if why else ''}, {held.bytes:,} bytes in "
        f"{held.segments:,} segments{f', {held.damaged} records damaged or cut' if held.damaged else ''}",
        f"span     {moment(held.first)} to {moment(held.last)}",
        f"keys     {', '.join(held.keys) or '-'}",
        f"reads    {held.reads:,}, last {moment(held.last_read)}; {held.purges:,} purges (stillwatch vault log)",
    ]
    click.echo("\n".join(lines))


@vault.command("log")
@click.option("--verify", is_flag=True, help="Say whether the log is whole.")
@click.option("--head", default="", metavar="HEX", help="Digest that was noted elsewhere; the log must still hold it.")
@options.control_state
@options.as_json
def read_log(verify: bool, head: str, state: Path, as_json: bool) -> None:
    """List who read or deleted what, when and why; checked against its own chain and the vault's segments.

    Exit code 0: the log is whole; 1: an entry was altered or is gone.
    """
    from stillwatch.app.vault import check_log

    checked = check_log(state, head)
    if as_json:
        entries = [json.loads(_entry_json(entry)) for entry in checked.entries]
        print_json({"entries": entries, "head": checked.head, "problems": checked.problems})
    else:
        rows = [
            (e.n, moment(e.at), e.kind, e.by, e.account or e.request[:16] or "-", e.count, e.outcome or e.reason or "-")
            for e in checked.entries
        ]
        if not verify:
            click.echo(as_table(("n", "at", "what", "by", "of", "records", "why or how it ended"), rows, "No reads."))
        click.echo(f"{len(checked.entries)} entries, head {checked.head}", err=not verify)
        for problem in checked.problems:
            click.echo(f"broken: {safe(problem)}", err=not verify)
    sys.exit(int(bool(checked.problems)))


def _ask(account: str, request_id: str, since: float | None, until: float | None) -> Any:
    from stillwatch.app.vault import VaultAsk

    spans: dict[str, Any] = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
    return VaultAsk(account=account, request_id=request_id, **spans)


def passphrase_of(key: Path, file: Path | None) -> str:
    """Return the passphrase of a private key: from a file, or asked for where the key is locked and none is named."""
    from stillwatch.store.vaultkeys import is_locked

    phrase = _first_line(file)
    if is_locked(key) and not phrase:
        phrase = str(click.prompt("Passphrase", hide_input=True, err=True))
    return phrase


def _first_line(path: Path | None) -> str:
    """Return the passphrase in a file; empty where no file is named, so that no key is left open by an empty one."""
    if path is None:
        return ""
    try:
        phrase = path.read_text("utf-8").partition("\n")[0].strip("\r")
    except (OSError, UnicodeDecodeError):
        phrase = ""
    if not phrase:
        raise StillwatchError(f"passphrase file {path}: has no passphrase in its first line (UTF-8); write one there.")
    return phrase


def _entry_json(entry: Any) -> bytes:
    import msgspec

    return msgspec.json.encode(entry)


def _plain(head: Any) -> dict[str, Any]:
    import msgspec

    return {**msgspec.structs.asdict(head), "id": head.id.hex(), "pair": head.pair.hex()}


def _as_line(opened: Any) -> str:
    """One record as a line of JSON; bodies as texts, since they need not be JSON."""
    text = opened.text
    body = None
    if text is not None:
        body = {"request_id": text.request_id, "endpoint": text.endpoint, "status": text.status,
                "streamed": text.streamed, "request": text.request.decode("utf-8", "replace"),
                "answer": text.answer.decode("utf-8", "replace"),
                "twin": text.twin.decode("utf-8", "replace")}  # fmt: skip
    return json.dumps({**_plain(opened.head), "segment": opened.segment, "text": body})


def _as_page(opened: Any) -> str:
    """One record for a person; control characters in it do nothing to the terminal."""
    head, text = opened.head, opened.text
    lines = [f"=== {moment(head.time)}  {safe(head.account)}  {head.why}  {head.id.hex()[:16]}"]
    if text is None:
        return "\n".join([*lines, "altered: cannot be opened"])
    twin = (("twin, which nobody got", text.twin),) if text.twin else ()
    for name, body in (("request", text.request), ("answer", text.answer), *twin):
        shown = [safe(line) for line in body.decode("utf-8", "replace").split("\n")]
        lines += [f"--- {name}{' ' + safe(text.request_id) if name == 'request' else ''}", *shown]
    return "\n".join(lines)
