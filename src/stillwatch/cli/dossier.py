"""`stillwatch dossier`: what an examination came to, for a stranger to check."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import print_json
from stillwatch.console.wording import safe

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def dossier() -> None:
    """Build, check and show the signed dossier of an examination."""


@dossier.command()
@click.argument("examination", type=_FOLDER)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the dossier.")
@click.option("--by", required=True, envvar="STILLWATCH_BY", help="Who makes it: a person's name or address.")
@options.config
@click.option("--open-protocols", is_flag=True,
              help="Show which suspects the ledger's other protocols are about, so that they are not counted "
              "against this one.")  # fmt: skip
@click.option("--tsa", default="", metavar="URL", help="Timestamp authority to ask for the dossier (RFC 3161).")
@click.option("--tsa-roots", "roots", type=options.FILE, help="The authority's root certificates, PEM.")
@options.control_state
@options.as_json
def build(examination: Path, roots: Path | None, as_json: bool, **given: Any) -> None:
    """Put the dossier of EXAMINATION together, check it as a stranger would, and write it.

    Exit code 1: copying is shown; 0: it is not shown; 3: too little to tell.
    """
    from stillwatch.app.dossier import DossierAsk
    from stillwatch.app.dossier import build as make

    ask = DossierAsk(examination=examination, roots=roots.read_bytes() if roots else b"", **given)
    done = make(ask)
    assert done.conclusion is not None  # what does not hold raises
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(safe(done.conclusion.words))
        click.echo(safe(f"Dossier {given['out']}, key {done.fingerprint}."))
        click.echo(f"To check it: stillwatch dossier verify {given['out']} --key {done.fingerprint}", err=True)
    sys.exit(done.conclusion.exit_code)


@dossier.command()
@click.argument("folder", type=_FOLDER)
@click.option("--key", default="", metavar="HEX", help="Fingerprint of the key that must have sealed it.")
@click.option("--without-pages", is_flag=True, help="Do not compare HTML and PDF, for a dossier of another version.")
@options.as_json
def verify(folder: Path, key: str, without_pages: bool, as_json: bool) -> None:
    """Check the dossier in FOLDER: seal, signatures, ledger, protocol, every number computed again, every page.

    Exit code 0: everything holds; 1: it is rejected.
    """
    from stillwatch.app.dossiercheck import check_dossier

    done = check_dossier(folder, key, compare=not without_pages)
    if as_json:
        print_json(asdict(done))
    else:
        lines = [f"holds     {one}" for one in done.checked] + [f"broken    {one}" for one in done.problems]
        lines += [f"note      {one}" for one in done.notes] + [f"key       {done.fingerprint or '-'}"]
        end = "Rejected." if done.problems else f"Everything holds. {done.conclusion.words if done.conclusion else ''}"
        click.echo("\n".join(safe(line) for line in [*lines, end]))
    sys.exit(int(bool(done.problems)))


@dossier.command()
@click.argument("folder", type=_FOLDER)
@options.as_json
def show(folder: Path, as_json: bool) -> None:
    """Show what the dossier in FOLDER says, without checking it.

    Exit code 1: copying is shown; 0: it is not shown; 3: too little to tell.
    """
    from stillwatch.app.dossier import shown

    facts = shown(folder)
    if as_json:
        print_json(asdict(facts))
    else:
        said = facts.ledger
        stamped = "; ".join(f"{one.at} by {one.by}" for one in said.timed) or "no third-party timestamp"
        lines = [
            facts.conclusion.words, f"made       {facts.made} by {facts.by}",
            f"ledger     {said.origin}, {said.size} entries, {stamped}", f"key        {said.fingerprint}",
            f"page       {folder / 'dossier.html'}", "Not checked. To check it: stillwatch dossier verify",
        ]  # fmt: skip
        click.echo("\n".join(map(safe, lines)))
    sys.exit(facts.conclusion.exit_code)
