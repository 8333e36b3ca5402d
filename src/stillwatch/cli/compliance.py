"""`stillwatch compliance`: what is configured and measured here, held against controls."""

import time
from dataclasses import asdict
from pathlib import Path

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, print_json


@click.group()
def compliance() -> None:
    """Hold this installation against the controls that auditors cite; every mapping is ours."""


@compliance.command()
@click.option("--control", "controls", multiple=True, help="Of this control only; repeatable. An unknown id fails.")
@click.option("--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Settings file (TOML).")
@options.control_state
@options.as_json
def report(controls: tuple[str, ...], config: Path | None, state: Path, as_json: bool) -> None:
    """Print a row for each control: release, status, what answers it here, and the evidence for that.

    Evidence is read from the settings and the state folder as the command runs. A row says what is so here; it
    is no certificate, and whether a control applies is for counsel.
    """
    from stillwatch.app.compliance import catalogue
    from stillwatch.app.compliancereport import compliance_rows

    found = compliance_rows(config, state, controls, time.time())
    if as_json:
        return print_json({"catalogue_read": catalogue()[0], "rows": [asdict(row) for row in found]})
    for row in found:
        click.echo(f"{row.control}  {row.name}")
        click.echo(f"  {row.framework} {row.release} ({row.published}, {row.status}); mapping: {row.mapping}")
        click.echo(f"  {row.capability}: {row.state}")
        for line in row.evidence:
            click.echo(f"  - {line}")
    click.echo(f"The catalogue was read on {catalogue()[0]}: check releases before you cite them.", err=True)


@compliance.command("controls")
@options.as_json
def list_controls(as_json: bool) -> None:
    """List the controls of the catalogue, with release and status."""
    from stillwatch.app.compliance import catalogue

    read, frameworks = catalogue()
    pairs = [(f, control, name) for f in frameworks for control, name in f.controls.items()]
    if as_json:
        return print_json({"catalogue_read": read, "controls": [
            {"control": c, "name": name, "framework": f.name, "release": f.release, "status": f.status, "note": f.note}
            for f, c, name in pairs
        ]})  # fmt: skip
    rows = [(control, name, f"{f.name} {f.release}", f.status) for f, control, name in pairs]
    click.echo(as_table(("control", "name", "framework", "status"), rows, "None."))
