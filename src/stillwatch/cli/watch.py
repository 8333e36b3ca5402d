"""`stillwatch watch`: events and verdicts of servers that have Stillwatch as a middleware."""

from pathlib import Path

import click

from stillwatch.cli import options


@click.command()
@options.config
@options.state("Folder for keys, events and verdicts; the one that the servers use.")
@click.option("--log-json", is_flag=True, help="Say what happens as JSON, one object a line.")
def watch(config: Path | None, state: Path, log_json: bool) -> None:
    """Take in and judge what middlewares record; `stillwatch serve` does this by itself.

    Stop it with Ctrl-C or SIGTERM: no event is lost. Exit code 0: stopped; 2: it could not start.
    """
    from stillwatch.app.settings import load_settings
    from stillwatch.app.watchalone import watch as run

    run(load_settings(config), state, as_json=log_json)
