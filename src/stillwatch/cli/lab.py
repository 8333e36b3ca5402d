"""`stillwatch lab`: what the laboratory can make; so far, traffic."""

from collections import Counter
from pathlib import Path

import click


@click.group()
def lab() -> None:
    """Make traffic with a known truth, to try a detector on."""


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
