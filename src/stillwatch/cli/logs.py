"""`stillwatch logs`: look at log files before they are scanned."""

from pathlib import Path

import click


@click.group()
def logs() -> None:
    """Look at log files: which importer reads them, and how to map others."""


@logs.command("map")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def map_file(file: Path) -> None:
    """Print a mapping file for FILE, a CSV or JSONL that no importer knows; edit it, then scan with --mapping."""
    from stillwatch.logs.propose import propose_mapping

    click.echo(propose_mapping(file))
