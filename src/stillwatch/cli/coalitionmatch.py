"""`stillwatch coalition match`: which accounts here other providers' warnings match."""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json


@click.command()
@click.option("--accounts", type=options.FILE, metavar="FILE.jsonl",
              help="Make tokens of this export first: one account a line.")  # fmt: skip
@options.config
@options.control_state
@options.quiet
@options.as_json
def match(accounts: Path | None, config: Path | None, state: Path, quiet: bool, as_json: bool) -> None:
    """Match what was pulled with the tokens of accounts here, and tell workers and analysts.

    A match is other providers' word, no evidence: it puts accounts into the queue of
    `stillwatch decide list --waiting`, and lets rules with needs = "coalition" mark, slow or challenge.
    Exit code 0: nothing matches; 1: accounts match; 2: a notary or a setting is wrong; 3: the export is.
    """
    from stillwatch.app.coalitionmatch import MatchRun
    from stillwatch.app.notaries import tokeniser_of
    from stillwatch.app.settings import load_settings
    from stillwatch.cli.progress import Ticker

    settings = load_settings(config)
    tokeniser = tokeniser_of(settings.matching) if accounts is not None else None
    with Ticker(quiet=quiet) as line:
        run = MatchRun(state, settings, tokeniser, line.show)
        if accounts is None:
            done = run.run(None, time.time())
        else:
            with accounts.open(encoding="utf-8", errors="surrogateescape") as lines:
                done = run.run(lines, time.time())
    if as_json:
        print_json(asdict(done))
    else:
        _print(done)
    sys.exit(int(bool(done.found.matches)))


def _print(done: Any) -> None:
    if done.accounts:
        click.echo(
            f"{done.accounts:,} accounts, {done.values:,} values, {done.passed_over:,} passed over; "
            f"{done.asked:,} made tokens now."
        )
    rows = [
        (m.account, len(m.organisations), ", ".join(m.organisations), ", ".join(m.kinds), len(m.campaigns),
         moment(m.until))
        for m in done.found.matches
    ]  # fmt: skip
    head = ("account", "by", "organisations", "kinds", "campaigns", "until")
    click.echo(as_table(head, rows, f"No account matches ({done.found.used} warnings looked at)."))
    for one in done.found.set_aside:
        click.echo(f"set aside {one.advisory} of {one.organisation}: {one.why}", err=True)
