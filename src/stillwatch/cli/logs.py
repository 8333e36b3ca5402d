"""`stillwatch logs`: look at log files before they are scanned, or reduce them to events."""

import sys
from pathlib import Path

import click

from stillwatch.cli import options
from stillwatch.cli.progress import Ticker


@click.group()
def logs() -> None:
    """Look at log files: how to map those no importer knows, and how to reduce them to events."""


@logs.command("map")
@click.argument("file", type=options.FILE)
def map_file(file: Path) -> None:
    """Print a mapping file for FILE, a CSV or JSONL that no importer knows; edit it, then scan with --mapping."""
    from stillwatch.logs.propose import propose_mapping

    click.echo(propose_mapping(file))


@logs.command("reduce")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="Event file to write: .jsonl, .jsonl.gz, .jsonl.zst or .parquet.")  # fmt: skip
@options.state("Folder for the key.")
@options.account_field
@options.quiet
def reduce_files(paths: tuple[str, ...], out: Path, state: Path, account_field: str | None, quiet: bool) -> None:
    """Reduce the log files or folders PATHS to one file of events, without text or names.

    `stillwatch scan FILE` reads it. Bad rows are listed in a quarantine file beside it.
    """
    from stillwatch.app.reduce import ReduceRequest, reduce_logs
    from stillwatch.logs.read import ReadOptions

    request = ReduceRequest(paths=paths, out=out, state=state, reading=ReadOptions(account_field=account_field))
    with Ticker(quiet=quiet or not sys.stderr.isatty()) as ticker:
        done = reduce_logs(request, ticker.show)
    tally = done.tally
    click.echo(f"{done.files:,} files, {tally.rows:,} rows: {tally.good:,} good, {tally.bad:,} bad.")
    click.echo(f"{done.events:,} events: {out}")
    if tally.bad:
        click.echo(f"Bad rows: {done.quarantine}")
    for why in done.skipped:
        click.echo(f"passed over: {why}", err=True)
