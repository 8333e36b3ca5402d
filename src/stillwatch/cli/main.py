"""The `stillwatch` command: its groups, and one place where errors become messages and exit codes."""

import sys

import click

from stillwatch import __version__
from stillwatch.app.systemuser import system_user
from stillwatch.cli.accounts import accounts
from stillwatch.cli.appeal import appeal
from stillwatch.cli.attribute import attribute
from stillwatch.cli.backup import backup, restore
from stillwatch.cli.calibrate import calibrate
from stillwatch.cli.canary import canary
from stillwatch.cli.coalition import coalition
from stillwatch.cli.compliance import compliance
from stillwatch.cli.config import config
from stillwatch.cli.console import console
from stillwatch.cli.decide import decide
from stillwatch.cli.demo import demo
from stillwatch.cli.dossier import dossier
from stillwatch.cli.economics import economics
from stillwatch.cli.examine import examine
from stillwatch.cli.explain import explain
from stillwatch.cli.grant import grant
from stillwatch.cli.keys import keys
from stillwatch.cli.lab import lab
from stillwatch.cli.ledger import ledger
from stillwatch.cli.logs import logs
from stillwatch.cli.notary import notary
from stillwatch.cli.privacy import privacy
from stillwatch.cli.run import run
from stillwatch.cli.scan import scan
from stillwatch.cli.serve import serve
from stillwatch.cli.status import status
from stillwatch.cli.vault import vault
from stillwatch.cli.watch import watch
from stillwatch.cli.watermark import watermark
from stillwatch.console.wording import safe
from stillwatch.terms.errors import StillwatchError
from stillwatch.terms.person import Actor, acting_as


class Doors(click.Group):
    """A group that prints what people can put right as a message, not as a trace."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a `StillwatchError` is printed and becomes its exit code."""
        try:
            with acting_as(Actor(f"system user {system_user()}")):
                return super().invoke(ctx)
        except StillwatchError as problem:
            # A message may name a file or an account that somebody else named.
            click.echo("\n".join(map(safe, f"stillwatch: {problem}".split("\n"))), err=True)
            sys.exit(problem.exit_code)
        except BrokenPipeError:
            raise  # whoever read our output is gone, which click knows
        except OSError as problem:
            if problem.errno is None:
                raise  # not of a file
            where = f"{problem.filename}: " if problem.filename else ""
            told = f"stillwatch: {where}{problem.strerror}; look at its path, its owner and the room on the disk."
            click.echo(safe(told), err=True)
            sys.exit(2)


@click.group(cls=Doors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="stillwatch")
def main() -> None:
    """Find campaigns that distil a model sold through an API, and keep no text.

    Start with `stillwatch demo`, then `stillwatch scan YOUR_LOGS`.
    """


for command in (
    serve, watch, console,
    scan, explain, calibrate, logs,
    keys, accounts, decide, appeal, grant,
    watermark, canary, vault,
    examine, ledger, dossier,
    coalition, notary, attribute,
    privacy, compliance,
    lab, economics,
    status, config, backup, restore, run, demo,
):  # fmt: skip
    main.add_command(command)
