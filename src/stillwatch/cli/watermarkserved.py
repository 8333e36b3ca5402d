"""`stillwatch watermark served`: how much of marked text an account was served."""

from dataclasses import asdict
from pathlib import Path

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, print_json


@click.command()
@click.option("--account", required=True, help="Account that was served.")
@click.option("--forget", is_flag=True, help="Delete what is kept of it, for every epoch.")
@options.control_state
@options.as_json
def served(account: str, forget: bool, state: Path, as_json: bool) -> None:
    """Print how many distinct contexts an account was served with the mark, by epoch of the keys.

    They are kept as keyed digests where the settings say `vault.served_contexts`; a student is tested on them alone.
    """
    from stillwatch.app.servedindex import forget_served, served_counts

    found = served_counts(state, account)
    if forget:
        forget_served(state, account)
    if as_json:
        return print_json([asdict(one) for one in found])
    rows = [(one.epoch, f"{one.contexts:,}", f"{one.estimate:,.0f}") for one in found]
    click.echo(as_table(("epoch", "contexts kept", "contexts served"), rows, "None kept of this account."))
    if forget:
        click.echo("Deleted.")
