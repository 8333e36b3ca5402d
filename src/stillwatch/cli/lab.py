"""`stillwatch lab`: compose traffic with a known truth, and attack the product with real students."""

import sys
from collections import Counter
from pathlib import Path

import click

from stillwatch.cli import options
from stillwatch.cli.progress import Ticker


@click.group()
def lab() -> None:
    """Make traffic with a known truth, and attack a teacher of our own through the gateway."""


@lab.command()
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0), help="Draws accounts, campaigns and texts."
)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="STILLWATCH_DATA",
              help="Data folder; the packaged sample when left out.")  # fmt: skip
@click.option("--honest", default=200, show_default=True, type=click.IntRange(1), help="Honest accounts.")
@click.option("--campaigns", default=3, show_default=True, type=click.IntRange(0), help="Campaigns.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the log here (.jsonl, .gz, .zst) and the truth beside it.",
)
def traffic(seed: int, data: Path | None, honest: int, campaigns: int, out: Path | None) -> None:
    """Compose traffic and print what is in it."""
    from stillwatch.app.demo import compose_traffic

    composed = compose_traffic(seed, data, honest, campaigns, out)
    kinds = Counter((t.kind, t.stratum, t.habit) for t in composed.truth.values())
    sent = Counter(x.account for x in composed.exchanges)
    requests: Counter[tuple[str, str, str]] = Counter()
    for name, t in composed.truth.items():
        requests[t.kind, t.stratum, t.habit] += sent[name]
    click.echo(f"{'kind':8s} {'stratum':11s} {'habit':28s} {'accounts':>8s} {'requests':>8s}")
    for (kind, stratum, habit), n in sorted(kinds.items()):
        click.echo(f"{kind:8s} {stratum:11s} {habit:28s} {n:8d} {requests[kind, stratum, habit]:8d}")
    if out:
        click.echo(f"Log: {out}; truth: {out}.truth.json")


@lab.command()
@click.option("--out", default="stillwatch-lab/licensed", show_default=True, type=click.Path(path_type=Path),
              help="New folder for the student and its card.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Draws teacher and items.")
@click.option("--tokens", default=60_000, show_default=True, type=click.IntRange(1), help="Tokens that are granted.")
@options.as_json
@options.quiet
def licensed(out: Path, seed: int, tokens: int, as_json: bool, quiet: bool) -> None:
    """Train an official student under a grant, through the gateway, and sign its model card.

    The account is under a confirmed verdict: without the grant it is refused, under it it is not.
    """
    import asyncio
    from dataclasses import asdict

    from stillwatch.app.licensed import licensed_student
    from stillwatch.cli.show import print_json

    with Ticker(quiet=quiet or not sys.stderr.isatty()) as ticker:
        done = asyncio.run(licensed_student(out, seed, tokens, ticker.show))
    if as_json:
        return print_json({**asdict(done), "student": str(done.student), "card": str(done.card)})
    click.echo(
        f"{done.asked:,} answers under grant {done.grant}, {done.tokens:,} tokens; without it status "
        f"{done.refused_without}.\n"
        f"Right answers: {100 * done.base:.1f} % before, {100 * done.trained:.1f} % after; its teacher "
        f"{100 * done.teacher:.1f} %.\nStudent: {done.student}; signed card: {done.card}"
    )


@lab.command()
@click.argument("plan")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Run folder; stillwatch-lab/PLAN when left out."
)
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="STILLWATCH_DATA",
              help="Data folder with the sets that are not packaged; their tasks are left out without it.")  # fmt: skip
@click.option("--only", multiple=True, metavar="TASK", help="Run the cells of this task only; can be given again.")
@click.option("--cells", default=0, show_default=True, type=click.IntRange(0), help="Compute so many cells at most.")
@click.option("--json", "as_json", is_flag=True, help="Print the scorecard as JSON.")
@options.quiet
def run(
    plan: str, out: Path | None, data: Path | None, only: tuple[str, ...], cells: int, as_json: bool, quiet: bool
) -> None:
    """Run PLAN (a TOML file, or quick, standard, large) and print its scorecard.

    Cells that were computed before are taken from the run folder. Ctrl-C loses only the cell under way.

    Exit code 0: every cell of the plan stands in the scorecard; 3: some are left for the next run.
    """
    from stillwatch.app.labrun import LabRequest, run_lab, shown

    folder = out or Path("stillwatch-lab") / Path(plan).stem.removeprefix("plan-")
    with Ticker(quiet=quiet or not sys.stderr.isatty()) as ticker:
        card = run_lab(LabRequest(plan=plan, out=folder, data=data, only=only, cells=cells, say=ticker.show))
    click.echo(shown(card, as_json=as_json))
    if not as_json:
        click.echo(f"Page: {folder / 'scorecard.html'}; figures: {folder / 'scorecard.json'}")
    if card.waiting:
        sys.exit(3)
