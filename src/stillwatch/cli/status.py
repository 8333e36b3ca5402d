"""`stillwatch status`: what a state folder holds, and what waits for a person."""

import sys
import time
from dataclasses import asdict
from pathlib import Path

import click

from stillwatch.cli import options
from stillwatch.cli.show import moment, print_json


@click.command()
@options.control_state
@options.as_json
def status(state: Path, as_json: bool) -> None:
    """Print keys, accounts and decisions in force, and what waits for a person.

    Exit code 0: nothing waits; 1: verdicts or appeals wait for a person.
    """
    from stillwatch.app.control import open_control
    from stillwatch.app.standing import overview
    from stillwatch.app.vaultseen import vault_line

    now = time.time()
    with open_control(state, new=False) as book:
        seen = overview(book, state, now)
    if as_json:
        print_json(asdict(seen))
    else:
        judged = f"{moment(seen.published_at)}, traffic judged until {moment(seen.judged_until)}"
        lines = [
            f"accounts   {seen.accounts:,}",
            f"keys       {seen.keys_good:,} good, {seen.keys_ending_soon:,} of them for 14 days or less; "
            f"{seen.keys_ended:,} ended",
            f"verdicts   {'never published' if seen.published_at is None else judged}; {seen.held:,} accounts accused",
            f"decisions  {seen.confirmed:,} accounts confirmed, {seen.cleared:,} cleared; "
            f"{seen.decisions_ending_soon:,} decisions end within 14 days",
            f"vault      {vault_line(seen.vault)} (stillwatch vault status)",
            f"waiting    {len(seen.waiting):,} verdicts (stillwatch decide list --waiting), "
            f"{len(seen.open_appeals):,} appeals (stillwatch appeal list)",
        ]
        click.echo("\n".join(lines))
    sys.exit(int(bool(seen.waiting or seen.open_appeals)))
