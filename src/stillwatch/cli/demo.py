"""`stillwatch demo`: traffic composed here and now, scanned, and held against the truth."""

import os
import shutil
import sys
import time
from pathlib import Path

import click

from stillwatch.cli import options
from stillwatch.cli.progress import Ticker


@click.command()
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0), help="Draws accounts, campaigns and texts."
)
@click.option(
    "--out",
    default="stillwatch-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for logs and report.",
)
@options.quiet
def demo(seed: int, out: Path, quiet: bool) -> None:
    """Compose a week of traffic with three campaigns in it, scan it, and compare with the truth.

    Exit code 0 whatever was found: what was missed, and who was accused wrongly, is printed.
    """
    from stillwatch.app.demo import demo as run
    from stillwatch.console.terminal import render_text

    with Ticker(quiet=quiet or not sys.stderr.isatty()) as ticker:
        outcome, score = run(seed, out, time.time(), ticker.show)
    click.echo(render_text(outcome.report, min(shutil.get_terminal_size().columns, 100), sys.stdout.isatty()))
    click.echo(f"Against the truth (seed {seed}):")
    for campaign, members in score.members.items():
        click.echo(f"  {score.labels[campaign]:32s} {score.caught[campaign]:4d} of {members} accounts found")
    click.echo(f"  honest accounts accused: {len(score.honest_accused)} of {score.honest}")
    command = "stillwatch" if shutil.which("stillwatch") else os.path.relpath(sys.argv[0])
    click.echo(f"\nOpen {out / 'report' / 'report.html'} in a browser. Then try:")
    account = min(outcome.report.names.values(), default="ACCOUNT")
    click.echo(f"  {command} explain {account} --out {out / 'report'} --state {out / 'state'}")
    click.echo(f"  {command} scan YOUR_LOGS")
