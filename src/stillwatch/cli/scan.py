"""`stillwatch scan`: logs in, campaigns out."""

import shutil
import sys
import time
from typing import Any

import click
import orjson

from stillwatch.cli import options
from stillwatch.cli.progress import Ticker


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
@options.report_out
@options.state()
@options.reading
@click.option("--calibration", type=options.FILE,
              help="File of `stillwatch calibrate`; without one the first half of the logs stands in.")  # fmt: skip
@click.option("--q", type=float, help="False discovery rate over campaigns; overrides the settings file.")
@click.option("--seed", type=int, help="Seed of the reference draw; overrides the settings file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of a summary.")
@options.quiet
def scan(**given: Any) -> None:
    """Find distillation campaigns in the log files or folders PATHS.

    Exit code 0: nothing found; 1: campaigns found, or accounts accused alone (only with --calibration);
    2: wrong use; 3: too many bad rows. Nothing is blocked and no text is kept. The same command again
    goes on where it stopped.
    """
    from stillwatch.app.scan import ScanRequest
    from stillwatch.app.scan import scan as run
    from stillwatch.app.settings import load_settings
    from stillwatch.console.export import to_json
    from stillwatch.console.terminal import render_text
    from stillwatch.logs.read import ReadOptions

    reading = ReadOptions(
        importer=given["importer"], mapping=given["mapping"], account_field=given["account_field"],
        since=given["since"], until=given["until"],
    )  # fmt: skip
    request = ScanRequest(
        paths=given["paths"], state=given["state"], out=given["out"], reading=reading,
        settings=load_settings(given["config"], q=given["q"], seed=given["seed"]),
        max_bad=given["max_bad"], now=time.time(), calibration=given["calibration"],
    )  # fmt: skip
    with Ticker(quiet=given["quiet"] or not sys.stderr.isatty()) as ticker:
        outcome = run(request, ticker.show)
    if given["as_json"]:
        click.echo(orjson.dumps(to_json(outcome.report), option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(render_text(outcome.report, min(shutil.get_terminal_size().columns, 100), sys.stdout.isatty()))
        click.echo(f"Report: {outcome.out / 'report.html'} (also report.json, accounts.csv)")
    if outcome.too_bad:
        click.echo(
            f"stillwatch: {outcome.bad_share:.2%} of the rows are bad, more than --max-bad; see the quarantine files.",
            err=True,
        )
    sys.exit(outcome.exit_code)
