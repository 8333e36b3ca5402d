"""`stillwatch economics`: what a theft costs the thief and the provider."""

from pathlib import Path

import click


@click.command()
@click.option("--scorecard", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="scorecard.json of a run of the lab; the packaged one when left out.")  # fmt: skip
@click.option("--constants", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="TOML file with constants of your own, laid over the packaged ones.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print figures, constants and assumptions as JSON.")
def economics(scorecard: Path | None, constants: Path | None, as_json: bool) -> None:
    """Reckon what a share of a teacher's lead costs the thief, and what defending it costs.

    Every constant is printed with its source, every figure with what it assumes.
    """
    from stillwatch.app import economics as room

    found = room.economics(scorecard, constants)
    click.echo(room.as_json(found) if as_json else room.as_text(found))
