"""`stillwatch grant`: licences to distil."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.cli.when import WHEN


@click.group()
def grant() -> None:
    """Give, look at and end licences to train a student on answers.

    A request under a grant is never refused by a rule; it is logged, weighed and marked as any other, with a
    mark of the grant's own.
    """


@grant.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def keygen(file: Path) -> None:
    """Make a key pair for a holder: the private half goes to FILE, the public half to FILE.pub.

    The holder runs this. FILE must not be there yet, and is readable by its owner only.
    """
    from stillwatch.app.grantholder import make_holder_key, public_file

    make_holder_key(file)
    click.echo(f"Give {public_file(file)} to the provider. {file} signs each request under the grant: keep it.")


@grant.command()
@click.option("--account", required=True, help="Account that it is given to; made if it is not there.")
@click.option("--organisation", required=True, help="Legal name of who may train.")
@click.option("--model", "models", multiple=True, required=True, help="Model that it covers, as a pattern; repeatable.")
@click.option("--tokens", required=True, type=click.IntRange(1), help="Tokens in all, in and out.")
@click.option("--purpose", "purposes", multiple=True, required=True, help="What the student is for; repeatable.")
@click.option("--until", "expires", required=True, type=WHEN, help="When it ends: ISO 8601, or seconds since 1970.")
@click.option("--student-parameters", default=0, show_default=True, type=click.IntRange(0),
              help="Most parameters of the student; 0 for no limit.")  # fmt: skip
@click.option("--redistribution", default="none", show_default=True, help="none, weights or outputs.")
@click.option("--key", "holder", required=True, type=click.File("r", encoding="utf-8"),
              help="The holder's public key, a JWK; - reads standard input.")  # fmt: skip
@click.option("--by", required=True, help="Who gives it.")
@click.option("--reason", required=True, help="Why; such as the contract's number.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the token to this file.")
@options.control_state
@options.as_json
def issue(state: Path, as_json: bool, holder: Any, out: Path | None, **given: Any) -> None:
    """Give a grant and print its token, which is no secret but counts only with the holder's key."""
    from stillwatch.app.control import open_control
    from stillwatch.app.grantholder import read_public_key
    from stillwatch.app.grants import Licence, issue_grant

    key = read_public_key(holder.read(), holder.name)
    with open_control(state) as book:
        made = issue_grant(book, state, Licence(**given), key, time.time())
    if out is not None:
        out.write_text(made.token + "\n", encoding="ascii")
    if as_json:
        return print_json({"token": made.token, **asdict(made.record)})
    if out is None:
        click.echo(made.token)
    record = made.record
    click.echo(
        f"Grant {record.id}: {record.tokens:,} tokens of {', '.join(record.models)} for {record.organisation}, until "
        f"{moment(record.expires)}.",
        err=True,
    )


@grant.command("list")
@click.option("--all", "every", is_flag=True, help="Revoked and ended ones too.")
@options.control_state
@options.as_json
def list_grants(every: bool, state: Path, as_json: bool) -> None:
    """List grants and what was used of each."""
    from stillwatch.app.control import open_control

    now = time.time()
    with open_control(state, new=False) as book:
        found = [record for record in book.grants() if every or record.good_at(now)]
        used = book.grant_use()
    if as_json:
        return print_json([{**asdict(record), "used": used.get(record.id, 0)} for record in found])
    rows = [
        (r.id, r.account, r.organisation, ", ".join(r.models), f"{used.get(r.id, 0):,} of {r.tokens:,}",
         moment(r.expires), "good" if r.good_at(now) else "revoked" if r.revoked is not None else "ended")
        for r in found
    ]  # fmt: skip
    head = ("id", "account", "organisation", "models", "tokens used", "ends", "state")
    click.echo(as_table(head, rows, "No grants."))


@grant.command()
@click.argument("what")
@click.option("--issuer", type=click.File("r", encoding="utf-8"),
              help="Check a token against this public key, as `grant issuer` printed it; needs no state.")  # fmt: skip
@options.control_state
@options.as_json
def inspect(what: str, issuer: Any, state: Path, as_json: bool) -> None:
    """Say what WHAT is: the id of a grant, or a token or a file with one, whose signature is checked."""
    from stillwatch.app.control import open_control
    from stillwatch.app.grantholder import read_public_key
    from stillwatch.app.grantkeys import issuer_jwk
    from stillwatch.app.grants import find_grant, read_token

    shown: dict[str, Any]
    if Path(what).is_file():
        what = Path(what).read_text(encoding="ascii", errors="replace").strip()
    if what.count(".") == 2:
        key = read_public_key(issuer.read(), issuer.name) if issuer is not None else issuer_jwk(state)
        shown = read_token(what, key)
    else:
        with open_control(state, new=False) as book:
            record = find_grant(book, what)
            shown = {**asdict(record), "used": book.grant_use().get(record.id, 0), "mark_owner": record.owner}
    if as_json:
        return print_json(shown)
    for name, value in shown.items():
        click.echo(f"{name}: {json.dumps(value) if isinstance(value, list | dict) else value}")


@grant.command()
@click.argument("grant_id")
@click.option("--by", required=True, help="Who revokes it.")
@options.control_state
@options.as_json
def revoke(grant_id: str, by: str, state: Path, as_json: bool) -> None:
    """End the grant GRANT_ID for good; workers refuse it within seconds."""
    from stillwatch.app.control import open_control
    from stillwatch.app.grants import revoke_grant

    with open_control(state, new=False) as book:
        record = revoke_grant(book, grant_id, by, time.time())
    if as_json:
        return print_json(asdict(record))
    click.echo(f"Revoked grant {record.id} of account {record.account} ({moment(record.revoked)}).")


@grant.command()
@click.argument("grant_id")
@click.argument("student", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Write the card here.")
@click.option("--say", "about", multiple=True, metavar="NAME=VALUE", help="What else the card says; repeatable.")
@options.control_state
def card(grant_id: str, student: Path, out: Path, about: tuple[str, ...], state: Path) -> None:
    """Sign the model card of STUDENT, a file that was trained under the grant GRANT_ID.

    The card names the file by its digest and says which licence it was trained under and how much of it was used.
    """
    from stillwatch.app.control import open_control
    from stillwatch.app.grantcard import sign_card

    pairs = dict(pair.partition("=")[::2] for pair in about)
    with open_control(state, new=False) as book:
        out.write_bytes(sign_card(book, state, grant_id, student, pairs))
    click.echo(f"{out}: signed. Whoever has the key that `stillwatch grant issuer --pem` prints can check it.")


@grant.command("check-card")
@click.argument("card", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--student", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Also check that this file is the student.")  # fmt: skip
@click.option("--issuer", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The provider's public key, PEM.")  # fmt: skip
@options.as_json
def check_card(card: Path, student: Path | None, issuer: Path, as_json: bool) -> None:
    """Check the signature of a model card, and say what it says."""
    from stillwatch.app.grantcard import read_card
    from stillwatch.ledger.signing import read_public

    said = read_card(card.read_bytes(), read_public(issuer.read_bytes()), student)
    if as_json:
        return print_json(dict(said))
    for name, value in said.items():
        click.echo(f"{name}: {json.dumps(value) if isinstance(value, list | dict) else value}")


@grant.command("issuer")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file.")
@click.option("--pem", is_flag=True, help="As PEM, which model cards are checked with.")
@options.control_state
def show_issuer(out: Path | None, pem: bool, state: Path) -> None:
    """Print the public key that grants of this provider are checked with, a JWK."""
    from stillwatch.app.grantcard import provider_key
    from stillwatch.app.grantkeys import issuer_jwk

    key = provider_key(state).pem.decode().strip() if pem else json.dumps(issuer_jwk(state))
    if out is None:
        return click.echo(key)
    out.write_text(key + "\n", encoding="ascii")
