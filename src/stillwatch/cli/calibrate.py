"""`stillwatch calibrate`: honest logs in, a calibration file out."""

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from stillwatch.cli import options
from stillwatch.cli.progress import Ticker


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--out", default="calibration.json", show_default=True, type=click.Path(dir_okay=False, path_type=Path),
              help="File to write.")  # fmt: skip
@options.state()
@options.reading
@click.option("--seed", type=int, help="Seed of the draws; overrides the settings file.")
@click.option("--json", "as_json", is_flag=True, help="Print what was learnt as JSON.")
@options.quiet
def calibrate(**given: Any) -> None:
    """Learn from the log files or folders PATHS what honest traffic looks like.

    Accounts that look linked are left out. Prints how alike the blocks of one honest account are, and
    what multiplying or averaging them would do to false alarms after 1, 7 and 30 blocks. The file holds
    scores and rates: no text, no names, no hashes. Use it with `stillwatch scan --calibration FILE`.

    Exit code 0: learnt; 2: wrong use; 3: too many bad rows.
    """
    from stillwatch.app.calibrate import CalibrateRequest, describe, plain
    from stillwatch.app.calibrate import calibrate as run
    from stillwatch.app.settings import load_settings
    from stillwatch.logs.read import ReadOptions

    reading = ReadOptions(
        importer=given["importer"], mapping=given["mapping"], account_field=given["account_field"],
        since=given["since"], until=given["until"],
    )  # fmt: skip
    request = CalibrateRequest(
        paths=given["paths"], state=given["state"], out=given["out"], reading=reading,
        settings=load_settings(given["config"], seed=given["seed"]), max_bad=given["max_bad"],
    )  # fmt: skip
    with Ticker(quiet=given["quiet"] or not sys.stderr.isatty()) as ticker:
        outcome = run(request, ticker.show)
    if given["as_json"]:
        click.echo(orjson.dumps(plain(outcome.calibration), option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n".join(describe(outcome.calibration)))
        click.echo(f"\nCalibration: {given['out']}; use it with `stillwatch scan PATH --calibration {given['out']}`.")
    if outcome.too_bad:
        share = f"{outcome.bad_share:.2%} of the rows are bad"
        click.echo(f"stillwatch: {share}, more than --max-bad; see the quarantine files.", err=True)
    sys.exit(outcome.exit_code)
