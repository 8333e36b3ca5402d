"""`stillwatch explain`: all that is held against one account or campaign, and what would clear it."""

import shutil
from pathlib import Path

import click

from stillwatch.cli import options


@click.command()
@click.argument("entity")
@options.report
@options.state()
def explain(entity: str, out: Path, state: Path) -> None:
    """Explain what the last scan says of ENTITY: an account as the input names it, or a campaign id."""
    from stillwatch.app.explain import explain as explained

    click.echo(explained(out, state, entity, min(shutil.get_terminal_size().columns, 100)))
