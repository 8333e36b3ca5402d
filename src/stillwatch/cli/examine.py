"""`stillwatch examine`: plan and run an examination of a suspect."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.progress import Ticker
from stillwatch.cli.show import as_table, print_json
from stillwatch.cli.vault import passphrase_of
from stillwatch.console.wording import safe

_AUTHORITIES = ("owner", "contract", "court")


@click.group()
def examine() -> None:
    """Examine a suspect: was it taught on our answers, and by whom?"""


@examine.command("exams")
@options.as_json
def exams(as_json: bool) -> None:
    """List the exams: what each needs of a suspect, and what it tests."""
    from stillwatch.forensics.exams import EXAMS

    if as_json:
        print_json([{"name": one.name, "kind": one.kind, "access": one.access, "null": one.null,
                     "statistic": one.statistic, "needs": [need.what for need in one.needs], "power": one.power,
                     "limits": one.limits} for one in EXAMS])  # fmt: skip
        return
    rows = [(one.name, one.kind, one.access, "yes" if any(n.vault for n in one.needs) else "no", one.unit)
            for one in EXAMS]  # fmt: skip
    click.echo(as_table(("exam", "kind", "access", "vault", "counts"), rows, "There is none."))


@examine.command()
@click.argument("plan_file", metavar="PLAN", type=options.FILE)
@click.option("--authority", required=True, type=click.Choice(_AUTHORITIES), help="On whose authority.")
@click.option("--reference", required=True, help="Of that authority: owner's name, contract or court order.")
@options.by
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the examination.")
@options.control_state
@options.as_json
def plan(plan_file: Path, as_json: bool, **given: Any) -> None:
    """Sign and log the protocol that PLAN makes; nothing is asked yet.

    PLAN is a TOML file that says who is suspected, which tests are run and how often what is asked. It needs a ledger:
    `stillwatch ledger init`.
    """
    from stillwatch.app.examineplan import PlanAsk
    from stillwatch.app.examineplan import plan as make

    done = make(PlanAsk(plan=plan_file, **given))
    if as_json:
        print_json({"folder": str(given["out"]), "protocol_sha256": done.digest,
                    "tests": [test.id for test in done.protocol.tests]})  # fmt: skip
        return
    click.echo(f"{len(done.protocol.tests)} tests planned, protocol {done.digest[:16]}..., signed and logged.")
    click.echo(safe(f"Run it with: stillwatch examine run {given['out']}"))


@examine.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--material", "pairs", multiple=True, metavar="NAME=FILE",
              help="Take FILE as the material NAME of the protocol; may be given again.")  # fmt: skip
@click.option("--vault-key", type=options.FILE, help="Private key of the vault, for withheld-sample.")
@click.option("--passphrase-file", type=options.FILE, help="Passphrase of that key, first line.")
@options.by
@options.control_state
@options.quiet
@options.as_json
def run(folder: Path, pairs: tuple[str, ...], quiet: bool, as_json: bool, **given: Any) -> None:
    """Ask the suspect, open the secrets, compute the findings and print what they come to.

    The same command goes on after a break. Answers are kept in FOLDER as evidence, and nowhere else.

    Exit code 1: copying is shown; 0: it is not shown; 3: too little to tell.
    """
    from stillwatch.app.examineask import RunAsk
    from stillwatch.app.examinerun import run as make

    if not all("=" in pair for pair in pairs):
        raise click.UsageError("Give --material as NAME=FILE.")
    files = {name: Path(path) for name, _, path in (pair.partition("=") for pair in pairs)}
    key = given["vault_key"]
    phrase = passphrase_of(key, given["passphrase_file"]) if key else ""
    ask = RunAsk(folder=folder, state=given["state"], by=given["by"], given=files, vault_key=key, passphrase=phrase)
    with Ticker(quiet=quiet) as ticker:
        done = make(ask, ticker.show)
    if as_json:
        print_json({"folder": str(folder), "conclusion": asdict(done.conclusion),
                    "findings": [asdict(one) for one in done.findings]})  # fmt: skip
    else:
        _print(done)
    sys.exit(done.conclusion.exit_code)


def _print(done: Any) -> None:
    adjusted = {(one.test, one.subject): one.adjusted_log_p for one in done.conclusion.judged}
    rows = [
        (one.test, one.exam, one.subject, f"{one.n:,} {one.unit}", _power_of_ten(one.log_p),
         _power_of_ten(adjusted.get((one.test, one.subject))), one.skipped or one.power)
        for one in done.findings
    ]  # fmt: skip
    head = ("test", "exam", "subject", "scored", "log10 p", "after Holm", "what it would take")
    click.echo(as_table(head, rows, "Nothing was tested."))
    click.echo(safe(done.conclusion.words))
    click.echo(safe(f"Findings {done.folder}/findings.json"))


def _power_of_ten(log_p: str | None) -> str:
    from math import log

    return "-" if log_p is None else f"{float.fromhex(log_p) / log(10.0):.1f}"
