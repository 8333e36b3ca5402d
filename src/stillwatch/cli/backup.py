"""`stillwatch backup` and `stillwatch restore`: a state folder, taken away and put back."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import moment, print_json


@click.command()
@click.argument("target", metavar="FOLDER|FILE.tar", type=click.Path(path_type=Path))
@click.option("--config", type=options.FILE, help="Settings file to take along.")
@click.option("--events/--no-events", default=True, show_default=True, help="Take the events of live traffic along.")
@options.control_state
@options.as_json
def backup(target: Path, config: Path | None, events: bool, state: Path, as_json: bool) -> None:
    """Back the state folder up into a new folder, or one new file that ends in .tar, while it is used.

    It may be a gateway's, a hub's or a notary's. The backup holds its secret: keep it as safe as the folder itself.
    """
    from stillwatch.app.backup import BackupRequest, back_up

    request = BackupRequest(state=state, target=target, config=config, events=events, now=time.time())
    manifest = back_up(request)
    if as_json:
        return print_json(asdict(manifest))
    size = sum(entry.size for entry in manifest.files.values())
    click.echo(f"Backup: {target}, {len(manifest.files)} files, {size:,} bytes ({_counted(manifest)}).")
    secret = "the master key" if "master.key" in manifest.files else "the notary's identity, and no key of an epoch"
    click.echo(f"It holds {secret}: keep it as safe as the state folder itself.", err=True)


@click.command()
@click.argument("source", metavar="FOLDER|FILE.tar", type=click.Path(exists=True, path_type=Path))
@click.option("--replace", is_flag=True, help="Move what the state folder holds aside, and go on.")
@options.control_state
@options.as_json
def restore(source: Path, replace: bool, state: Path, as_json: bool) -> None:
    """Put a backup back into a state folder that nothing uses; every file is checked first.

    Keys, tokens and people that were revoked or disabled since the backup are good again: look at them first.
    """
    from stillwatch.app.restore import RestoreRequest
    from stillwatch.app.restore import restore as run

    done = run(RestoreRequest(source=source, state=state, replace=replace, now=time.time()))
    if as_json:
        return print_json({"manifest": asdict(done.manifest), "events": done.events,
                           "aside": str(done.aside) if done.aside else None})  # fmt: skip
    click.echo(f"Restored {state} as it was on {moment(done.manifest.made_at)} ({_counted(done.manifest)}).")
    if done.aside:
        click.echo(f"What was there before is in {done.aside}; delete it when it is not needed any more.")


def _counted(manifest: Any) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in manifest.counts.items()) or "no control records"
