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
@click.option(
    "--state",
    default=".stillwatch",
    show_default=True,
    envvar="STILLWATCH_STATE",
    type=click.Path(path_type=Path),
    help="Folder for the key and the working store.",
)
def explain(entity: str, out: Path, state: Path) -> None:
    """Explain what the last scan says of ENTITY: an account as the input names it, or a campaign id."""
    from stillwatch.app.explain import explain as explained

    click.echo(explained(out, state, entity, min(shutil.get_terminal_size().columns, 100)))
