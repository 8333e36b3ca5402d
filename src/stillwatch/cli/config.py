"""`stillwatch config`: check a settings file, explain a setting, print the schema."""

import os
import time
from dataclasses import MISSING, asdict, replace
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, print_json

SHOWN = 20
"""Accounts that a dry run names before the rest are counted."""


@click.group()
def config() -> None:
    """Check a settings file, explain what a setting does, print the schema."""


@config.command()
@click.argument("file", required=False, type=options.FILE)
@click.option("--dry-run", is_flag=True, help="Say whom the rules would order what, from the state folder.")
@click.option("--days", default=7.0, show_default=True, type=click.FloatRange(0, 400, min_open=True),
              help="With --dry-run: days of traffic to count requests of.")  # fmt: skip
@options.control_state
@options.as_json
def check(file: Path | None, dry_run: bool, days: float, state: Path, as_json: bool) -> None:
    """Check the settings file FILE, or the defaults, and say what its rules do.

    Exit code 0: it can be used (warnings may be printed); 2: it cannot. Nothing is changed.
    """
    from stillwatch.app.markring import mark_warnings
    from stillwatch.app.settings import load_settings
    from stillwatch.app.settingscheck import look_over

    now = time.time()
    settings = load_settings(file)
    found = look_over(settings, os.environ, now)
    found = replace(found, warnings=(*found.warnings, *mark_warnings(settings, state)))
    run = _dry_run(state, settings, now, days) if dry_run else None
    if as_json:
        return print_json({**asdict(found), "dry_run": asdict(run) if run else None})
    click.echo(f"{file or 'The defaults'}: can be used.")
    click.echo("Rules, first match first:")
    click.echo("\n".join(f"  {line}" for line in found.rules) or "  none")
    if found.disclosures:
        click.echo("What you owe your customers in words, since these rules bite:")
        click.echo("\n".join(f"  {line}" for line in found.disclosures))
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)
    if run:
        click.echo("\n".join(_dry_lines(run)))


def _dry_run(state: Path, settings: Any, now: float, days: float) -> Any:
    from stillwatch.app.control import open_control
    from stillwatch.app.dryrun import dry_run

    with open_control(state, new=False) as book:
        return dry_run(book, state, settings.policy, now, days=days)


def _dry_lines(run: Any) -> list[str]:
    lines = [f"Dry run over {run.accounts:,} accounts and {run.requests:,} requests of {run.days:g} days:"]
    rows = [
        (one.rule, one.kind, f"{when}, {'recorded only' if one.shadow else 'bites'}", f"{len(one.accounts):,}",
         f"{one.requests:,}")
        for when, touched in (("now", run.now), ("if confirmed", run.if_confirmed))
        for one in touched
        if one.rule and one.accounts
    ]  # fmt: skip
    lines.append(as_table(("rule", "action", "when", "accounts", "requests"), rows, "No rule reaches anybody."))
    if run.ordered:
        some = [(o.account, o.action, o.action_if_confirmed, o.requests) for o in run.ordered[:SHOWN]]
        lines += ["", as_table(("account", "now", "if confirmed", "requests"), some, "")]
        if len(run.ordered) > SHOWN:
            lines.append(f"and {len(run.ordered) - SHOWN} more; --json names them all.")
    return lines


@config.command()
@click.argument("name", default="")
@click.option("--config", "file", type=options.FILE, help="Settings file whose values are shown beside the defaults.")
@options.as_json
def explain(name: str, file: Path | None, as_json: bool) -> None:
    """Explain the setting NAME, such as detect.q, or all of a table; without NAME list every setting."""
    from stillwatch.app.settings import load_settings
    from stillwatch.app.settingsinfo import explained, find_settings, toml
    from stillwatch.app.settingvalues import said

    found = find_settings(name)
    settings = load_settings(file)
    if as_json:
        return print_json([
            {"name": s.name, "kind": said(s.kind), "meaning": s.meaning,
             "default": None if s.default is MISSING else toml(s.default), "must_be_given": s.default is MISSING}
            for s in found
        ])  # fmt: skip
    if name:
        click.echo("\n".join(explained(setting, settings) for setting in found))
    else:
        rows = [(s.name, said(s.kind), "-" if s.default is MISSING else toml(s.default)[:40]) for s in found]
        click.echo(as_table(("setting", "kind", "default"), rows, ""))


@config.command()
def schema() -> None:
    """Print the JSON Schema of the settings file, for editors that check TOML."""
    from stillwatch.app.settingsschema import settings_schema_text

    click.echo(settings_schema_text(), nl=False)
