"""`stillwatch appeal`: what accounts say against a verdict, and how it is answered."""

import time
from dataclasses import asdict
from pathlib import Path

import click

from stillwatch.cli import options
from stillwatch.cli.decide import proposed_line
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.console.wording import plural


@click.group()
def appeal() -> None:
    """Open, list and answer appeals; to grant one releases the account."""


@appeal.command("open")
@click.argument("account", metavar="ACCOUNT|APPEAL")
@click.option("--statement", default="", help="What the account says, in one line.")
@options.control_state
@options.as_json
def open_one(account: str, statement: str, state: Path, as_json: bool) -> None:
    """Open an appeal in the name of ACCOUNT, or of the account that was told the id APPEAL.

    An account is told its appeal id with a refusal, and by GET /v1/account/standing.
    """
    from stillwatch.app.appeals import account_told, open_appeal
    from stillwatch.app.claims import read_live
    from stillwatch.app.control import key_secret, open_control

    with open_control(state, new=False) as book:
        told = account if account.startswith("ap_") else ""
        if told:
            account = account_told(told, book, read_live(state).held, key_secret(state))
        opened = open_appeal(book, account, statement, time.time(), told)
    if as_json:
        return print_json(asdict(opened))
    click.echo(f"Appeal {opened.id} of account {account} is open.")
    click.echo(f"To answer it: stillwatch appeal answer {opened.id} --grant|--refuse --by NAME --reason WHY", err=True)


@appeal.command("list")
@click.option("--account", help="Of this account only.")
@click.option("--all", "every", is_flag=True, help="Answered ones too.")
@options.control_state
@options.as_json
def list_appeals(account: str | None, every: bool, state: Path, as_json: bool) -> None:
    """List open appeals, oldest first."""
    from stillwatch.app.control import open_control

    with open_control(state, new=False) as book:
        found = [a for a in book.appeals() if account in (None, a.account) and (every or a.state == "open")]
    if as_json:
        return print_json([asdict(item) for item in found])
    rows = [
        (a.id, a.account, a.state, moment(a.opened), moment(a.answered), a.by or "-", a.statement or "-",
         a.reason or "-")
        for a in found
    ]  # fmt: skip
    head = ("id", "account", "state", "opened", "answered", "by", "statement", "reason")
    click.echo(as_table(head, rows, "No appeals." if every else "No open appeals."))


@appeal.command("answer")
@click.argument("appeal_id", metavar="APPEAL")
@click.option("--grant", is_flag=True, help="Release the account.")
@click.option("--refuse", is_flag=True, help="Let the verdict stand.")
@options.by
@options.reason
@options.days
@options.control_state
@options.as_json
def answer_one(
    appeal_id: str, grant: bool, refuse: bool, by: str, reason: str, days: float, state: Path, as_json: bool
) -> None:
    """Answer APPEAL with --grant or --refuse; --grant also releases the account for --days."""
    from stillwatch.app.appeals import Answer
    from stillwatch.app.control import open_control
    from stillwatch.app.shelldesk import Proposed, answer_at_shell

    if grant == refuse:
        raise click.UsageError("give exactly one of --grant and --refuse.")
    with open_control(state, new=False) as book:
        done = answer_at_shell(book, Answer(id=appeal_id, grant=grant, by=by, reason=reason, days=days), time.time())
    if as_json:
        return print_json({"proposed": asdict(done)} if isinstance(done, Proposed) else asdict(done))
    if isinstance(done, Proposed):
        return click.echo(proposed_line(done.number, done.why))
    click.echo(f"Appeal {done.appeal.id} of account {done.appeal.account}: {done.appeal.state} by {done.appeal.by}.")
    if done.release:
        click.echo(f"Decision {done.release.id} releases the account until {moment(done.release.expires)}.")
    if done.also:
        stay = "stays" if len(done.also) == 1 else "stay"
        click.echo(f"{plural(len(done.also), 'other account')} {stay} under the same decision.")
