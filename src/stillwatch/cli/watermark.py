"""`stillwatch watermark`: keys of marks; reading marks."""

import time
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.cli.watermarkdetect import detect
from stillwatch.cli.watermarkserved import served


@click.group()
def watermark() -> None:
    """Make and rotate the keys of marks, and read marks in texts."""


watermark.add_command(detect)
watermark.add_command(served)


@watermark.group()
def keys() -> None:
    """Make, rotate and list the keys of marks; no key is printed."""


@keys.command("new")
@options.config
@options.control_state
@options.as_json
def new_keys(config: Path | None, state: Path, as_json: bool) -> None:
    """Make the first epoch's keys, as the section `[mark]` of the settings says."""
    from stillwatch.app.markring import new_ring
    from stillwatch.app.settings import load_settings

    _print_ring(new_ring(state, load_settings(config).mark, time.time()), as_json, state)


@keys.command("rotate")
@options.config
@options.control_state
@options.as_json
def rotate_keys(config: Path | None, state: Path, as_json: bool) -> None:
    """Add an epoch with new keys; earlier ones stay, for reading.

    The gateway uses it within seconds. Give engines the new file at once: one that does not know an epoch leaves
    answers unmarked, and counts them.
    """
    from stillwatch.app.markring import rotate_ring
    from stillwatch.app.settings import load_settings

    _print_ring(rotate_ring(state, load_settings(config).mark, time.time()), as_json, state)


@keys.command("list")
@options.control_state
@options.as_json
def list_keys(state: Path, as_json: bool) -> None:
    """List epochs with their settings and commitments, oldest first."""
    from stillwatch.app.markring import load_ring

    _print_ring(load_ring(state), as_json, state)


def _print_ring(ring: Any, as_json: bool, state: Path) -> None:
    from stillwatch.app.markring import marked_in, ring_path

    marked: dict[int, set[str]] = {}
    for one in marked_in(state):
        marked.setdefault(one.epoch, set()).add(one.account)
    if as_json:
        return print_json([{**_plain(epoch), "accounts_marked": len(marked.get(epoch.number, ()))}
                           for epoch in ring.epochs])  # fmt: skip
    rows = [
        (epoch.number, moment(epoch.made), epoch.scheme, epoch.width, f"{epoch.delta:g}", f"{epoch.spare:g}",
         "/".join(f"{100 * share:g}" for share in epoch.shares), len(marked.get(epoch.number, ())),
         epoch.commitment)
        for epoch in ring.epochs
    ]  # fmt: skip
    head = ("epoch", "made", "scheme", "width", "delta", "spare", "provider/campaign/account %", "marked", "commitment")
    click.echo(as_table(head, rows, "No keys."))
    click.echo(f"Engines need a copy of {ring_path(state)}; nobody else may have one. A commitment may be published.",
               err=True)  # fmt: skip


def _plain(epoch: Any) -> dict[str, Any]:
    names = ("number", "made", "scheme", "width", "shares", "delta", "spare", "vocab", "commitment")
    return {name: getattr(epoch, name) for name in names}
