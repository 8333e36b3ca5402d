"""`stillwatch watermark detect`: read texts for marks, and name whose they are."""

import math
import sys
from dataclasses import asdict
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, print_json

SCHEMES = ("ours", "surface", "vllm", "kgw", "synthid")


@click.command()
@click.argument("files", nargs=-1, required=True, type=options.FILE)
@click.option("--tokenizer", type=options.FILE,
              help="tokenizer.json or .gguf of the model that was marked; else the embedded teacher's.")  # fmt: skip
@click.option("--scheme", default="ours", show_default=True, type=click.Choice(SCHEMES),
              help="Whose mark: ours in tokens, ours in wording, vLLM's, or Transformers' KGW or SynthID.")  # fmt: skip
@click.option("--account", "suspects", multiple=True, help="Try this account and no others; may be given again.")
@click.option("--all-accounts", is_flag=True, help="Try every account, not only those noted as marked.")
@click.option("--key", "keys", multiple=True, type=int, envvar="STILLWATCH_MARK_KEY",
              help="Key of the other engine; SynthID has several. Better in the environment.")  # fmt: skip
@click.option(
    "--set", "others", multiple=True, metavar="NAME=VALUE", help="A setting of the other engine, by its name."
)
@click.option("--alpha", default=1e-6, show_default=True, type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="Chance to find anything where there is nothing, over all that is tried.")  # fmt: skip
@options.control_state
@options.as_json
def detect(as_json: bool, all_accounts: bool, keys: tuple[int, ...], others: tuple[str, ...], **asked: Any) -> None:
    """Read FILES for marks: plain text, JSON lines, stored answers, or token ids (.npy, JSON `tokens`).

    Exit code 0: no mark; 1: a mark; 3: too little text to tell, or chance is not what it must be on it.
    """
    from stillwatch.app.othermarks import Settings
    from stillwatch.app.readmarks import MarkRequest, read_marks

    if not all("=" in pair for pair in others):
        raise click.UsageError("Give --set as NAME=VALUE.")
    settings = Settings(keys=keys, others={name: value for name, _, value in (pair.partition("=") for pair in others)})
    report = read_marks(MarkRequest(everyone=all_accounts, settings=settings, **asked))
    if as_json:
        print_json({**asdict(report), "lines": [_plain(line) for line in report.lines]})
    else:
        _print(report)
    sys.exit(report.exit_code)


def _print(report: Any) -> None:
    tokens = f", {report.tokens:,} tokens" if report.tokens else ""
    by = f" ({report.tokenizer})" if report.tokenizer else ""
    click.echo(f"{report.texts} texts{tokens}{by}; {report.tried} hypotheses tried.")
    rows = [
        (line.epoch or "-", line.key, line.who or "-", line.scored, _count(line.hits),
         _power(line.log_p) if line.fits else "-", _power(line.log_p_adjusted),
         f"{line.dummy_mean:+.2f}/{line.dummy_sd:.2f}" if line.fits else "misfit")
        for line in report.lines
    ]  # fmt: skip
    head = ("epoch", "key", "whose", "scored", "hits", "log10 p", "after Holm", "random keys")
    click.echo(as_table(head, rows, "Nothing was tried."))
    click.echo(report.conclusion)


def _count(hits: float) -> str:
    return "-" if math.isnan(hits) else f"{hits:.0f}"


def _power(log_p: float) -> str:
    return f"{log_p / math.log(10.0):.1f}"


def _plain(line: Any) -> dict[str, Any]:
    ten = math.log(10.0)
    kept = {name: value for name, value in asdict(line).items() if not name.startswith("log_p")}
    return {**kept, "log10_p": line.log_p / ten if line.fits else None, "log10_p_adjusted": line.log_p_adjusted / ten}
