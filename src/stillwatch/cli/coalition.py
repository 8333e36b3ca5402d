"""`stillwatch coalition`: warn other providers, and hear them, without showing customers."""

import asyncio
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.coalitionhub import members, serve
from stillwatch.cli.coalitionmatch import match
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.console.wording import safe


@click.group()
def coalition() -> None:
    """Warn other providers of campaigns that a person confirmed, and hear them, without showing customers.

    Start with docs/howto/coalition.md.
    """


coalition.add_command(serve)
coalition.add_command(members)
coalition.add_command(match)


@coalition.command()
@click.argument("subject", metavar="CAMPAIGN|ACCOUNT")
@click.option("--tokens", type=options.FILE, help="JSON lines: account, kind, epoch, token; or kind network and value.")
@click.option("--name", help="What it is called; said to every member.")
@click.option("--description", default="", help="What they do, without prices, volumes or customers.")
@click.option(
    "--technique", "techniques", multiple=True, metavar="ID", help="ATLAS technique.  [default: AML.T0024.002]"
)
@click.option("--dry-run", is_flag=True, help="Print what would be told, and tell nothing.")
@options.by
@options.config
@options.control_state
@options.as_json
def publish(subject: str, config: Path | None, state: Path, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Tell the coalition of a campaign that a person confirmed: blinded tokens, never customers.

    Without a confirmation in force nothing is told. Addresses, bands of templates and networks are told only where
    20 or more of the campaign's accounts share them.
    """
    from stillwatch.app.coalition import Desk
    from stillwatch.app.coalitionpublish import NAME, Ask

    ask = Ask(subject=subject, by=given["by"], name=given["name"] or NAME, description=given["description"],
              techniques=given["techniques"] or ("AML.T0024.002",))  # fmt: skip
    with Desk.of(config, state) as desk:
        told = asyncio.run(desk.publish(ask, given["tokens"], time.time(), dry_run=dry_run))
    if as_json:
        return print_json(asdict(told))
    click.echo(f"{'Told' if told.sent else 'Would tell'} {told.campaign}, on decision {told.decision}.")
    for kind, count in sorted(told.tokens.items()):
        click.echo(f"  tokens     {kind}: {count}")
    click.echo(f"  networks   {told.networks}")
    if told.left_out:
        click.echo(f"  left out   {told.left_out} accounts that a person dismissed or released since")
    if told.sent:
        click.echo(f"To withdraw it: stillwatch coalition revoke {told.campaign} --by NAME")


@coalition.command()
@click.option("--follow", is_flag=True, help="Go on pulling every `coalition.poll_seconds` until stopped.")
@options.config
@options.control_state
@options.as_json
def pull(config: Path | None, state: Path, follow: bool, as_json: bool) -> None:
    """Read what members tell, from where the last reading ended, and forget what was withdrawn."""
    from stillwatch.app.coalition import Desk

    with Desk.of(config, state) as desk:
        for done in desk.pulls(follow=follow):
            if isinstance(done, str):
                click.echo(f"stillwatch: {done}", err=True)
            elif as_json:
                print_json(asdict(done))
            else:
                click.echo(
                    f"{done.objects} objects new, {done.sets} token sets fetched. In force: {done.in_force}; revoked "
                    f"{done.revoked}, disputed {done.disputed}, expired {done.expired}."
                )
                for line in done.unsupported:
                    click.echo(safe(f"stillwatch: {line}: withdraw it, or publish again"), err=True)
                for line in done.unsupported:
                    click.echo(safe(f"stillwatch: {line}: withdraw it, or publish again"), err=True)


@coalition.command("list")
@click.option("--own", is_flag=True, help="What was published from here instead.")
@options.config
@options.control_state
@options.as_json
def list_warnings(config: Path | None, state: Path, own: bool, as_json: bool) -> None:
    """List the warnings that were pulled, and how each stands."""
    from stillwatch.app.coalition import Desk

    with Desk.of(config, state) as desk:
        rows = desk.own() if own else desk.warnings(time.time())
    if as_json:
        return print_json(rows)
    names = ("subject", "type", "id", "state") if own else ("organisation", "kind", "epoch", "until", "state", "id")
    cells = [[moment(row[name]) if name == "until" else row[name] for name in names] for row in rows]
    click.echo(as_table(names, cells, "No warnings."))


@coalition.command()
@click.argument("indicator", metavar="INDICATOR")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1), help="Accounts; told as 1, 10, 100, ...")
@click.option("--own-evidence", is_flag=True, help="One of them was accused on evidence of this provider's own.")
@options.by
@options.config
@options.control_state
@options.as_json
def sight(indicator: str, count: int, own_evidence: bool, by: str, **given: Any) -> None:
    """Tell that INDICATOR was seen here too, and nothing of whom."""
    from stillwatch.app.coalition import Desk
    from stillwatch.app.coalitionsay import Sight

    said = Sight(indicator=indicator, count=count, own_evidence=own_evidence)
    with Desk.of(given["config"], given["state"]) as desk:
        sent = asyncio.run(desk.sight(said, by, time.time()))
    _print_sent(sent, given["as_json"], "Told that it was seen")


@coalition.command()
@click.argument("subject", metavar="CAMPAIGN|INDICATOR")
@options.reason
@click.option("--case", default="", help="Number of the appeal, the same at every member.")
@options.by
@options.config
@options.control_state
@options.as_json
def dispute(subject: str, reason: str, case: str, by: str, **given: Any) -> None:
    """Disagree with a warning: it is out of force at every member until that is settled."""
    from stillwatch.app.coalition import Desk
    from stillwatch.app.coalitionsay import Dispute

    with Desk.of(given["config"], given["state"]) as desk:
        sent = asyncio.run(desk.dispute(Dispute(subject=subject, why=reason, case=case), by, time.time()))
    _print_sent(sent, given["as_json"], "Disputed")


@coalition.command()
@click.argument("name", metavar="CAMPAIGN|ID")
@options.by
@options.config
@options.control_state
@options.as_json
def revoke(name: str, by: str, **given: Any) -> None:
    """Withdraw what was published of CAMPAIGN, or the one object ID; members hear of it with their next pull."""
    from stillwatch.app.coalition import Desk

    with Desk.of(given["config"], given["state"]) as desk:
        sent = asyncio.run(desk.revoke(name, by, time.time()))
    _print_sent(sent, given["as_json"], "Withdrawn")


def _print_sent(sent: Any, as_json: bool, what: str) -> None:
    if as_json:
        return print_json(list(sent))
    for item in sent:
        click.echo(safe(f"{what}: {item['id']}"))
    sys.stdout.flush()
