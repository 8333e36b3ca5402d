"""`stillwatch ledger`: what shows others what was there when."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, print_json
from stillwatch.console.wording import plural, safe
from stillwatch.terms.errors import StillwatchError

_tsa = click.option("--tsa", default="", metavar="URL", help="Timestamp authority to ask (RFC 3161); none is asked "
                    "otherwise.")  # fmt: skip
_roots = click.option("--tsa-roots", "roots", type=options.FILE, help="The authority's root certificates, PEM.")


@click.group()
def ledger() -> None:
    """Keep a log that can only be added to, sign it, have it stamped, and prove from it.

    Where a state folder has a ledger, keys of marks and canaries are committed to before they are used, and every
    decision, appeal and read of the vault is logged before it happens.
    """


@ledger.command()
@click.option("--origin", default="", help="Name of the log, such as example.org/stillwatch; one is drawn otherwise.")
@click.option("--key", "key_file", type=click.Path(path_type=Path), help="New file for the signing key elsewhere.")
@options.control_state
@options.as_json
def init(origin: str, key_file: Path | None, state: Path, as_json: bool) -> None:
    """Make the ledger and its signing key, and commit to the keys and canaries there are.

    The key is printed nowhere. Give the fingerprint to somebody who will remember it.
    """
    from stillwatch.app.ledger import make_ledger

    made = make_ledger(state, origin, key_file)
    if as_json:
        return print_json(asdict(made))
    lines = [
        f"ledger       {made.folder}, {made.origin}", f"signing key  {made.key_file}, readable by you alone",
        f"fingerprint  {made.fingerprint}", f"for witness  {made.verifier_key}",
    ]  # fmt: skip
    click.echo("\n".join(map(safe, lines)))


@ledger.command()
@options.control_state
@options.as_json
def commit(state: Path, as_json: bool) -> None:
    """Commit to every key of marks and every canary that is not committed to yet; run it daily, then a checkpoint."""
    from stillwatch.app.ledger import commit_all

    new = commit_all(state)
    if as_json:
        return print_json(new)
    click.echo(", ".join(f"{count} of {kind}" for kind, count in sorted(new.items())) or "Nothing new to commit to.")


@ledger.command()
@_tsa
@_roots
@options.control_state
@options.as_json
def checkpoint(tsa: str, roots: Path | None, state: Path, as_json: bool) -> None:
    """Sign the log as it stands; have the signed note stamped where an authority is named.

    Give the note away: whoever holds it can tell later whether the log was written anew.
    """
    from stillwatch.app.ledger import checkpoint as sign

    _print_stamped(sign(state, tsa, roots.read_bytes() if roots else b""), as_json)


@ledger.command()
@click.argument("size", type=int)
@click.option("--request", "request_file", type=click.Path(path_type=Path), help="Write a request to this new file.")
@click.option("--response", type=options.FILE, help="The authority's answer.")
@_roots
@options.control_state
@options.as_json
def stamp(
    size: int, request_file: Path | None, response: Path | None, roots: Path | None, state: Path, as_json: bool
) -> None:
    """Have the checkpoint over SIZE entries stamped by hand: write a request, later bring the answer.

    For machines that may not ask an authority themselves.
    """
    from stillwatch.app.ledger import request
    from stillwatch.app.ledger import stamp as keep

    if request_file and not response:
        _write_new(request_file, request(state, size))
        return click.echo(f"Request written to {request_file}; send it as application/timestamp-query.", err=True)
    if not response or not roots:
        raise StillwatchError("ledger stamp: give --request FILE, or --response FILE with --tsa-roots FILE.")
    _print_stamped(keep(state, size, response.read_bytes(), roots.read_bytes()), as_json)


@ledger.command()
@click.argument("index", type=int)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New file for the proof.")
@click.option("--open", "show", is_flag=True, help="Say in it what the entry is about.")
@options.control_state
def prove(index: int, out: Path, show: bool, state: Path) -> None:
    """Write the proof that entry INDEX was in the log when a checkpoint was signed."""
    from stillwatch.app.ledger import proof_bytes
    from stillwatch.app.ledger import prove as proof_of

    proof = proof_of(state, index, show=show)
    _write_new(out, proof_bytes(proof))
    click.echo(f"Proof of entry {index} written to {out}.", err=True)


@ledger.command()
@click.option("--proof", type=options.FILE, help="Check this proof instead of the ledger.")
@click.option("--public", type=options.FILE, help="With --proof: the log's public key, PEM, as you know it.")
@options.control_state
@options.as_json
def verify(proof: Path | None, public: Path | None, state: Path, as_json: bool) -> None:
    """Check the whole ledger, or one proof: entries, commitments, checkpoints, timestamps.

    Exit code 0: whole; 1: something was altered or does not hold.
    """
    from stillwatch.app.ledger import check_ledger, proof_problems
    from stillwatch.ledger.signing import read_public

    if proof:
        if not public:
            raise StillwatchError("ledger verify --proof: needs --public, the key as you know it; not the proof's own.")
        problems = proof_problems(proof.read_bytes(), read_public(public.read_bytes()))
        said: dict[str, Any] = {"problems": problems}
        line = "The proof holds."
    else:
        checked = check_ledger(state)
        problems, said = checked.problems, asdict(checked)
        line = f"{plural(checked.size, 'entry', 'entries')}, {plural(checked.checkpoints, 'checkpoint')}, " \
               f"root {checked.root}: whole."  # fmt: skip
    if as_json:
        print_json(said)
    else:
        click.echo("\n".join(safe(f"broken: {one}") for one in problems) or line)
    sys.exit(int(bool(problems)))


@ledger.command("list")
@click.option("--kind", default="", help="Entries of this kind, or whose kind begins with it and a dot.")
@options.control_state
@options.as_json
def list_entries(kind: str, state: Path, as_json: bool) -> None:
    """List entries, oldest first, with what they are about where that is kept."""
    from stillwatch.app.ledger import list_entries as entries

    found = entries(state, kind)
    if as_json:
        return print_json([asdict(one) for one in found])
    rows = [(one.index, one.entry.at, one.entry.kind, one.entry.count or "-", _about(one)) for one in found]
    click.echo(as_table(("index", "at", "kind", "secrets", "about"), rows, "No entries."))


@ledger.command()
@click.argument("index", type=int)
@options.control_state
def forget(index: int, state: Path) -> None:
    """Forget for good what entry INDEX is about, such as for a person who asks; the entry stays and the log holds."""
    from stillwatch.app.ledger import forget as drop

    drop(state, index)
    click.echo(f"Entry {index} says nothing any more.")


def _print_stamped(done: Any, as_json: bool) -> None:
    point = done.note.checkpoint
    if as_json:
        return print_json({"origin": point.origin, "size": point.size, "root": point.root.hex(), "note": done.path,
                           "stamps": [asdict(one) for one in done.stamps]})  # fmt: skip
    lines = [
        f"checkpoint  {plural(point.size, 'entry', 'entries')}, root {point.root.hex()}",
        f"note        {done.path}",
    ]
    for one in done.stamps:
        twice = "checked twice" if one.by_openssl else "checked once"
        lines.append(f"timestamp   {one.at or 'does not hold'}, {one.by}, {one.problem or twice}")
    click.echo("\n".join(map(safe, lines)) if done.stamps else "\n".join([*lines, "timestamp   none by a third party"]))


def _about(one: Any) -> str:
    if one.opening is None:
        return "not kept"
    said = {name: value for name, value in one.opening.payload.items() if name not in ("items", "groups")}
    return ", ".join(f"{name} {value}" for name, value in said.items() if value not in ("", None, []))[:100]


def _write_new(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as problem:
        raise StillwatchError(f"{path}: {problem.strerror}; name a new file in a folder you may write.") from None
