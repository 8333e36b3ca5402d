"""`stillwatch accounts`: what was agreed with each account."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.console.wording import safe
from stillwatch.terms.action import DECLARED


@click.group()
def accounts() -> None:
    """Say what was agreed with each account: plan, organisation, promises, declared workload."""


@accounts.command("set")
@click.argument("account")
@click.option("--organisation", help="Whom it belongs to.")
@click.option("--plan", help="Plan that it pays for, as rules name it.")
@click.option("--payment", help="Payment provider's token; never a card number.")
@click.option("--country", help="Country of the contract, such as DE; for legal rules only.")
@click.option("--unmodified/--modifiable", default=None, help="Promise unchanged answers, which beats every rule.")
@click.option("--workload", type=click.Choice([*DECLARED, ""]), help="Workload that it declared; '' takes it back.")
@click.option("--workload-tokens", type=click.IntRange(0), help="Tokens a day that the workload may use.")
@click.option("--verified", multiple=True, help="What it proved: contact, payment, organisation, workload; '' clears.")
@options.control_state
@options.as_json
def set_one(account: str, state: Path, as_json: bool, **given: Any) -> None:
    """Set what is given of ACCOUNT, which is made if it is not there; the rest stays as it is."""
    from stillwatch.app.accounts import set_account
    from stillwatch.app.control import open_control

    verified = given.pop("verified")
    changes = {name: value for name, value in given.items() if value is not None}
    if verified:
        changes["verified"] = tuple(dict.fromkeys(proof for proof in verified if proof))
    if changes.get("workload") == "":
        changes.setdefault("workload_tokens", 0)
    if not changes:
        raise click.UsageError("Nothing to set: give at least one option.")
    with open_control(state) as book:
        record = set_account(book, account, changes)
    if as_json:
        return print_json(asdict(record))
    click.echo("\n".join(safe(line) for line in _lines(record)))


@accounts.command()
@click.argument("account")
@options.control_state
@options.as_json
def show(account: str, state: Path, as_json: bool) -> None:
    """Show ACCOUNT: what was agreed, its keys, what is held against it, decisions and appeals."""
    from stillwatch.app.control import open_control
    from stillwatch.app.standing import account_standing

    with open_control(state, new=False) as book:
        found = account_standing(book, state, account, time.time())
    if as_json:
        plain = asdict(found)
        for key in plain["keys"]:
            del key["digest"]
        return print_json(plain)
    lines = _lines(found.record)
    lines += [f"  key            {k.key_id}  {'good' if k.good_at(found.now) else 'ended'}  {k.label}".rstrip()
              for k in found.keys]  # fmt: skip
    for claim in found.claims:
        word = "accused" if claim.accused else "looked at, not accused"
        part = f", campaign {claim.campaign}" if claim.campaign else ""
        lines.append(f"  verdict        {word}, {claim.log_e:.1f} nats{part}, lapses {moment(claim.expires)}")
    if found.in_force:
        d = found.in_force
        lines.append(f"  in force       decision {d.id}: {d.verb} by {d.by} until {moment(d.expires)} ({d.reason})")
    lines += [f"  appeal         {a.id}  {a.state}, opened {moment(a.opened)}" for a in found.appeals]
    click.echo("\n".join(safe(line) for line in lines))


@accounts.command("list")
@click.option("--plan", help="Of this plan only.")
@options.control_state
@options.as_json
def list_accounts(plan: str | None, state: Path, as_json: bool) -> None:
    """List accounts by id."""
    from stillwatch.app.control import open_control

    with open_control(state, new=False) as book:
        found = [record for record in book.accounts() if plan in (None, record.plan)]
    if as_json:
        return print_json([asdict(record) for record in found])
    rows = [
        (r.account, r.organisation or "-", r.plan or "-", r.country or "-", "yes" if r.unmodified else "no",
         f"{r.workload} {r.workload_tokens:,}/day" if r.workload else "-", ", ".join(r.verified) or "-")
        for r in found
    ]  # fmt: skip
    head = ("account", "organisation", "plan", "country", "unmodified", "workload", "verified")
    click.echo(as_table(head, rows, "No accounts."))


def _lines(record: Any) -> list[str]:
    workload = f"{record.workload}, {record.workload_tokens:,} tokens a day" if record.workload else "none declared"
    pairs = {
        "organisation": record.organisation, "plan": record.plan, "payment": record.payment,
        "country": record.country, "unmodified": "yes: answers are never changed" if record.unmodified else "no",
        "workload": workload, "verified": ", ".join(record.verified),
    }  # fmt: skip
    return [f"account {record.account}", *(f"  {name:14} {value or '-'}" for name, value in pairs.items())]
