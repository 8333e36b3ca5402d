"""Options that several commands share, each spelt in one place.

In: nothing. Out: decorators for click commands; `reading` adds those of every command that reads logs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from stillwatch.cli.when import WHEN

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file that is there."""


def state(what: str = "Folder for the key and the working store.") -> Callable[[F], F]:
    """Add `--state`; `what` says what this command wants of it."""
    return click.option("--state", default=".stillwatch", show_default=True, envvar="STILLWATCH_STATE",
                        type=click.Path(path_type=Path), help=what)  # fmt: skip


def control_state(function: F) -> F:
    """Add `--state` to a command on keys, accounts, decisions or appeals."""
    return state("Folder of the gateway's state.")(function)


config = click.option("--config", type=FILE, help="Settings file (TOML).")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
quiet = click.option("--quiet", is_flag=True, help="No progress on standard error.")
account_field = click.option("--account-field", help="Dotted path of the account, instead of user id, else key hash.")
by = click.option("--by", required=True, envvar="STILLWATCH_BY", help="Who decides: a person's name or address.")
reason = click.option("--reason", required=True, help="Why, in one line, for whoever reads it later.")
days = click.option("--days", default=30.0, show_default=True, type=float, help="How long it holds; at most 366.")
report = click.option("--out", default="stillwatch-report", show_default=True, type=click.Path(path_type=Path),
                      help="Folder of the scan's report.")  # fmt: skip
report_out = click.option("--out", default="stillwatch-report", show_default=True, type=click.Path(path_type=Path),
                          help="Folder for the report.")  # fmt: skip

from_report = click.option("--report", type=click.Path(exists=True, file_okay=False, path_type=Path),
                           help="Folder of a scan's report, to decide on what it says as well.")  # fmt: skip

_READING = (
    config,
    click.option("--importer", help="Read every file with this importer instead of telling by its rows."),
    click.option("--mapping", type=FILE, help="Mapping file of `stillwatch logs map`."),
    account_field,
    click.option("--since", type=WHEN, help="Read from this time on: ISO 8601, or seconds since 1970."),
    click.option("--until", type=WHEN, help="Read up to this time."),
    click.option("--max-bad", default=0.01, show_default=True, type=click.FloatRange(0, 1),
                 help="Share of bad rows above which the exit code is 3."),
)  # fmt: skip


def reading(function: F) -> F:
    """Add the options of every command that reads logs."""
    for option in reversed(_READING):
        function = option(function)
    return function
