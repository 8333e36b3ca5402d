"""`stillwatch run`: see a campaign caught live, confirm it, and see it bite."""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final

import click

LOG_SECONDS: Final = 5.0
"""Where standard error is no terminal, what the run is at is said this often, a line each."""
TERMINAL_SECONDS: Final = 0.2


class Voice:
    """What is said for good goes to standard output; what the run is at, to standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._next = 0.0
        self._width = 0

    def say(self, text: str) -> None:
        """Say `text` for good."""
        self.clear()
        click.echo(text.rstrip("\n"))

    def tick(self, text: str) -> None:
        """Say what the run is at: over the last time in a terminal, on a line of its own elsewhere."""
        now = time.monotonic()
        if self._quiet or now < self._next:
            return
        if self._terminal:
            self._next = now + TERMINAL_SECONDS
            columns = max(shutil.get_terminal_size().columns - 1, 20)
            click.echo("\r" + text[:columns].ljust(self._width), nl=False, err=True)
            self._width = len(text[:columns])
        else:
            self._next = now + LOG_SECONDS
            click.echo(f"  {text}", err=True)

    def clear(self) -> None:
        """Take away what stands for the moment."""
        if self._width:
            click.echo("\r" + " " * self._width + "\r", nl=False, err=True)
            self._width = 0


@click.command()
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0),
              help="Draws accounts, campaign and texts.")  # fmt: skip
@click.option("--out", default="stillwatch-run", show_default=True, type=click.Path(file_okay=False, path_type=Path),
              help="Folder; each seed has its own below it.")  # fmt: skip
@click.option("--port", default=8170, show_default=True, type=click.IntRange(1, 65_535),
              help="Port of the gateway on 127.0.0.1; another where it is taken.")  # fmt: skip
@click.option("--console-port", default=8190, show_default=True, type=click.IntRange(1, 65_535),
              help="Port of the console on 127.0.0.1; another where it is taken.")  # fmt: skip
@click.option("--seconds", default=40.0, show_default=True, type=click.FloatRange(10, 3600),
              help="Seconds in which the seven days pass.")  # fmt: skip
@click.option("--once", is_flag=True, help="End once the verdict was shown.")
@click.option("--no-teacher", is_flag=True, help="Let recorded answers stand in for the embedded model.")
@click.option("--fresh", is_flag=True, help="Delete what an earlier run of this seed left, and begin anew.")
@click.option("--quiet", is_flag=True, help="No progress on standard error.")
def run(**asked: Any) -> None:
    """Start teacher, gateway, watcher and console, and send honest accounts and one campaign through them.

    It shows the campaign with its receipt, the action in shadow, and the command that confirms it. Ctrl-C
    stops everything; the same command goes on where it was.

    Exit code 0: the campaign was shown, or the run was stopped; 1: no campaign was accused.
    """
    from stillwatch.app.runrequest import RunRequest, Told
    from stillwatch.app.show import run as show

    request = RunRequest(
        seed=asked["seed"], folder=asked["out"] / f"seed-{asked['seed']}", port=asked["port"],
        console_port=asked["console_port"], seconds=asked["seconds"],
        teacher=not asked["no_teacher"], once=asked["once"], fresh=asked["fresh"],
        command=_program(),
        width=min(shutil.get_terminal_size().columns, 100), colour=sys.stdout.isatty(),
    )  # fmt: skip
    voice = Voice(quiet=asked["quiet"])
    sys.exit(show(request, Told(say=voice.say, tick=voice.tick)))


def _program() -> str:
    """Return how the reader calls this program."""
    path = Path(sys.argv[0])
    return "stillwatch" if shutil.which("stillwatch") or not path.is_file() else os.path.relpath(path)
