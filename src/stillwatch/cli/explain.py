"""`stillwatch explain`: all that is held against one account or campaign, and what would clear it."""

import shutil
from pathlib import Path

import click


@click.command()
@click.argument("entity")
@click.option(
    "--out",
    default="stillwatch-report",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of the scan's report.",
)
def explain(entity: str, out: Path) -> None:
    """Explain what the last scan says of ENTITY: an account as the input names it, or a campaign id."""
    from stillwatch.app.scan import read_report
    from stillwatch.console.explain import render_explain

    click.echo(render_explain(read_report(out), entity, min(shutil.get_terminal_size().columns, 100)))
