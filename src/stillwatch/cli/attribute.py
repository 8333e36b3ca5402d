"""`stillwatch attribute`: which earlier campaigns a pool of accounts continues."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, print_json

_KINDS = ("payment", "device", "address", "template")


@click.command()
@click.argument("campaign", required=False)
@click.option(
    "--accounts", type=options.FILE, metavar="FILE", help="Pool of accounts, one id a line, instead of CAMPAIGN."
)
@click.option("--q", default=0.05, show_default=True, type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="False discoveries among what is attributed, at most this share.")  # fmt: skip
@click.option("--without", multiple=True, type=click.Choice(_KINDS),
              help="Leave a kind of token out: the one that linked the pool.")  # fmt: skip
@options.control_state
@options.as_json
def attribute(
    campaign: str | None, accounts: Path | None, q: float, without: tuple[str, ...], state: Path, as_json: bool
) -> None:
    """Hold the pool CAMPAIGN against campaigns of before, ours and other providers'.

    The evidence is in nats against "the pool's values are drawn from the same store as everybody's"; the unit is the
    distinct value. It says that two campaigns share means, not who is behind them; a nationality is never looked at.
    Exit code 0: none is attributed; 1: some are; 2: the pool is unknown or carries no tokens.
    """
    from stillwatch.app.attribute import AttributeAsk, attribute_pool

    lines = accounts.read_text(encoding="utf-8").splitlines() if accounts is not None else []
    pool = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    done = attribute_pool(AttributeAsk(state=state, subject=campaign or "", accounts=pool, q=q, left_out=without))
    found = done.result.found
    if as_json:
        print_json(asdict(done))
    else:
        result = done.result
        click.echo(
            f"Pool of {result.pool:,} accounts against {done.compared:,} campaigns of before; {result.others:,} other "
            f"accounts to compare with; false discoveries at most {q:.0%}."
        )
        rows = [
            ("yes" if one.attributed else "no", one.campaign, one.organisation, f"{one.log_e:+.1f}",
             "; ".join(f"{e.unit} {e.detail['pool_hits']} of {e.detail['pool']}" for e in one.evidence))
            for one in found
        ]  # fmt: skip
        head = ("attributed", "campaign", "of", "nats", "its values in the pool")
        click.echo(as_table(head, rows, "No campaign of before has tokens of this epoch."))
    sys.exit(int(any(one.attributed for one in found)))
