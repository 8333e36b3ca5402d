"""`stillwatch canary`: harmless free choices by which a copy gives itself away."""

import math
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.console.wording import plural, safe

_RULE = """A rule must order it, and its file name who approved that:
  [[policy.rule]]
  name = "plant"
  action = "perturb"
  needs = "confirmed"
  treatments = ["canary"]
  approved_by = "NAME"
  shadow = false
  expires_days = 30"""


@click.group()
def canary() -> None:
    """Plan canaries for confirmed accounts, ask a suspect about them, and read its answers."""


@canary.command()
@click.argument("subject", metavar="ACCOUNT|CAMPAIGN")
@click.option("--count", default=32, show_default=True, type=int, help="How many; one a template at most.")
@click.option("--alternatives", default=16, show_default=True, type=int, help="Values that each is drawn from.")
@options.by
@options.reason
@options.days
@click.option("--dry-run", is_flag=True, help="Say what would be planned, and keep nothing.")
@options.control_state
@options.as_json
def plan(**given: Any) -> None:
    """Register canaries for ACCOUNT or CAMPAIGN, whose verdict a person has confirmed.

    Values are drawn here and committed to before any is served. Accounts of a campaign share theirs.
    """
    from stillwatch.app.canaries import CanaryAsk
    from stillwatch.app.canaries import plan as run
    from stillwatch.app.control import canary_secret, open_control

    names = ("subject", "by", "reason", "count", "alternatives", "days")
    ask = CanaryAsk(**{name: given[name] for name in names})
    with open_control(given["state"], new=False) as book:
        done = run(book, ask, canary_secret(given["state"]), time.time(), dry_run=given["dry_run"])
    if given["as_json"]:
        return print_json(asdict(done))
    lead = "Would register" if given["dry_run"] else "Registered"
    what = f"{lead} {plural(len(done.canaries), 'canary', 'canaries')} of {ask.alternatives} alternatives each"
    lines = [
        f"{what} for {plural(len(done.accounts), 'account')}, until {moment(done.expires)}, by {ask.by.strip()}.",
        f"You owe your customers: {done.disclosure}",
    ]
    if done.unmodified:
        lines.append(f"Left out, promised unchanged answers: {', '.join(done.unmodified)}.")
    click.echo("\n".join(map(safe, lines)))
    click.echo(_RULE)


@canary.command("list")
@click.option("--subject", help="Of this account or campaign only.")
@click.option("--all", "every", is_flag=True, help="Retired and expired ones too.")
@options.control_state
@options.as_json
def list_canaries(subject: str | None, every: bool, state: Path, as_json: bool) -> None:
    """List canaries that are planted; never what they say."""
    from stillwatch.app.canaries import state_of
    from stillwatch.app.control import open_control

    now = time.time()
    with open_control(state, new=False) as book:
        found = [c for c in book.canaries() if subject in (None, c.subject) and (every or c.good_at(now))]
    if as_json:
        return print_json([{**asdict(c), "state": state_of(c, now)} for c in found])
    rows = [
        (c.id, c.subject, len(c.accounts), c.template, c.alternatives, moment(c.made), moment(c.expires),
         state_of(c, now), c.by, c.commitment[:16])
        for c in found
    ]  # fmt: skip
    head = ("id", "subject", "accounts", "template", "of", "made", "until", "state", "by", "commitment")
    click.echo(as_table(head, rows, "No canaries."))


@canary.command()
@click.argument("subject", metavar="CANARY|ACCOUNT|CAMPAIGN")
@options.by
@options.control_state
@options.as_json
def retire(subject: str, by: str, state: Path, as_json: bool) -> None:
    """Plant one canary, or all of an account or campaign, no more; they stay on record for tests."""
    from stillwatch.app.canaries import retire as run
    from stillwatch.app.control import open_control

    with open_control(state, new=False) as book:
        ids = run(book, subject, by, time.time())
    if as_json:
        return print_json({"retired": ids})
    click.echo(f"Retired {plural(len(ids), 'canary', 'canaries')}; workers plant no more of them within seconds.")


@canary.command()
@click.option("--repeat", default=1, show_default=True, type=click.IntRange(1, 100), help="Rows for each question.")
@click.option("--pool", is_flag=True, help="Add every value that a question can have, to score log-probabilities.")
def probes(repeat: int, pool: bool) -> None:
    """Print the questions for a suspect, one JSON object a line.

    All templates, planted or not: the questions tell nobody which are.
    """
    import orjson

    from stillwatch.app.canaries import probes as rows

    for row in rows(pool=pool, repeat=repeat):
        click.echo(orjson.dumps(row).decode())


@canary.command()
@click.argument("answers", type=options.FILE, metavar="FILE")
@click.option("--alpha", default=1e-6, show_default=True, type=float, help="Family-wise error rate over all subjects.")
@click.option("--open", "opening", is_flag=True, help="Show what lets a third party check the canaries that were hit.")
@options.control_state
@options.as_json
def test(answers: Path, alpha: float, opening: bool, state: Path, as_json: bool) -> None:
    """Read a suspect's answers in FILE: rows of `probes`, each with its `answer`, `log_p` or both.

    Exit code 0: no copying shown; 1: copying shown; 3: too little to tell.
    """
    from stillwatch.app.canaries import opened, read_suspect
    from stillwatch.app.control import canary_secret, open_control
    from stillwatch.app.suspectanswers import read_answers

    secret = canary_secret(state)
    with open_control(state, new=False) as book:
        records = book.canaries()
    done = read_suspect(records, read_answers(answers), secret, alpha)
    hit = {one for reading in done.readings if reading.subject in done.shown for one in reading.hit}
    shown = [opened(record, secret) for record in records if record.id in hit] if opening else []
    if as_json:
        print_json({**asdict(done), "opened": shown})
    else:
        _print_tested(done, shown)
    sys.exit(1 if done.shown else 0 if done.enough else 3)


def _print_tested(done: Any, shown: list[dict[str, Any]]) -> None:
    rows = [
        (r.subject, f"{r.hits} of {r.trials}", f"{r.expected:.1f}", max(r.control_hits, default=0),
         f"{r.rank_sum / r.ranked:.1f}" if r.ranked else "-", _p(r.log_p), _p(log_p),
         "yes" if r.subject in done.shown else r.why or "no")
        for r, log_p in zip(done.readings, done.adjusted_log_p, strict=True)
    ]  # fmt: skip
    head = ("subject", "hits", "by chance", "worst control", "mean rank", "p", f"p over {len(rows)}", "shown")
    click.echo(as_table(head, rows, ""))
    for one in shown:
        click.echo(safe(f"{one['id']}  {one['template']}  {one['value']}  opening {one['opening']}"))
    if done.unsound:
        click.echo(f"Not tested, their commitment does not hold: {', '.join(done.unsound)}.", err=True)
    if not done.shown and not done.enough:
        click.echo(f"Too few answers to show anything at {done.alpha:g}.", err=True)


def _p(log_p: float) -> str:
    """Write a p-value from its natural log, also below any float.

    >>> _p(-22.46), _p(-1e5), _p(0.0)
    ('1.8e-10', '1e-43429.4', '1')
    """
    tens = log_p / math.log(10.0)
    return f"{math.exp(log_p):.2g}" if tens > -300 else f"1e{tens:.1f}"
