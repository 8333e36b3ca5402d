"""`stillwatch decide`: what a person says of a verdict."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import options
from stillwatch.cli.show import as_table, moment, print_json
from stillwatch.console.wording import safe

SHOWN = 12
"""Accounts that are named before the rest are counted."""


@click.group()
def decide() -> None:
    """Confirm a verdict so that it may bite, dismiss it as wrong, or release an account from it."""


def _verb(name: str, about: str) -> None:
    @decide.command(name.replace("_", "-"), help=about)
    @click.argument("subject", metavar="ACCOUNT|CAMPAIGN")
    @options.by
    @options.reason
    @options.days
    @click.option("--kind", default="", type=click.Choice(["", "account", "campaign"]), show_choices=False,
                  help="account or campaign, where the id could be either.")  # fmt: skip
    @options.from_report
    @click.option("--without-verdict", is_flag=True, help="Decide although no verdict in force speaks of it.")
    @click.option("--include-cleared", is_flag=True,
                  help="With a campaign: also accounts that a person dismissed or released on their own.")  # fmt: skip
    @click.option("--dry-run", is_flag=True, help="Say what would be decided, and keep nothing.")
    @options.control_state
    @options.as_json
    def command(**given: Any) -> None:
        _decide(name, given)


_verb("confirm", "Confirm the verdict on ACCOUNT or CAMPAIGN: rules that wait for a person may now act.")
_verb("dismiss", "Dismiss the verdict on ACCOUNT or CAMPAIGN as wrong: no rule acts on it while this holds.")
_verb("step_up", "Ask ACCOUNT or CAMPAIGN to prove who it is before the next answer, without saying that it is guilty.")
_verb("release", "Release ACCOUNT or CAMPAIGN from what was decided or ordered, whether the verdict was right or not.")


def _decide(verb: str, given: dict[str, Any]) -> None:
    from stillwatch.app.claims import claims_of
    from stillwatch.app.control import open_control
    from stillwatch.app.decide import Ask
    from stillwatch.app.shelldesk import decide_at_shell

    names = ("subject", "by", "reason", "days", "kind", "without_verdict", "include_cleared")
    ask = Ask(verb=verb, **{name: given[name] for name in names})
    claims = claims_of(given["state"], given["report"])
    with open_control(given["state"]) as book:
        done, proposed = decide_at_shell(book, ask, claims, time.time(), dry_run=given["dry_run"])
    if given["as_json"]:
        return print_json({**asdict(done), **({"proposed": asdict(proposed)} if proposed else {})})
    lines = _told(done, given["dry_run"] or proposed is not None)
    if proposed is not None:
        lines.append(proposed_line(proposed.number, proposed.why))
    click.echo("\n".join(safe(line) for line in lines))


def proposed_line(number: int, why: str) -> str:
    """Return what is said of a proposal; its number is 0 where it was only tried."""
    lead = f"Proposed, number {number}" if number else "It would be a proposal"
    return f"{lead}: {why}, so an approver has to agree at the console."


def _told(done: Any, dry_run: bool) -> list[str]:
    decision, claim = done.decision, done.claim
    lead = f"Would {decision.verb}" if dry_run else f"Decision {decision.id}: {decision.verb}"
    lines = [f"{lead} {decision.kind} {decision.subject}, until {moment(decision.expires)}, by {decision.by}."]
    if claim:
        since = f"since {moment(claim.since)}" if claim.source == "published" else f"report of {moment(claim.since)}"
        lines.append(f"  verdict    {claim.log_e:.1f} nats, {since}, receipt {claim.receipt}")
    if decision.kind == "campaign" or len(decision.accounts) > 1:
        lines.append(f"  accounts   {len(decision.accounts)}: {_some(decision.accounts)}")
    if done.cleared:
        lines.append(f"  left out   {len(done.cleared)} cleared by a person (--include-cleared takes them in): "
                     f"{_some(done.cleared)}")  # fmt: skip
    for old in done.replaced:
        until = moment(old.expires)
        lines.append(f"  replaces   decision {old.id}: {old.verb} {old.subject} by {old.by}, until {until}")
    if done.unmodified:
        lines.append(f"  untouched  {len(done.unmodified)} promised unchanged answers, which beats every rule: "
                     f"{_some(done.unmodified)}")  # fmt: skip
    lines += [f"  note       {note}" for note in done.notes]
    if not dry_run and decision.verb == "confirm":
        lines.append(f"Workers act on it within seconds, as the rules say. To undo: stillwatch decide release "
                     f"{decision.subject} --by NAME --reason WHY")  # fmt: skip
    return lines


@decide.command("list")
@click.option("--account", help="Decisions that hold for this account.")
@click.option("--all", "every", is_flag=True, help="Expired and replaced decisions too.")
@click.option("--waiting", is_flag=True, help="Verdicts that wait for a person instead.")
@options.from_report
@options.control_state
@options.as_json
def list_decisions(
    account: str | None, every: bool, waiting: bool, report: Path | None, state: Path, as_json: bool
) -> None:
    """List decisions in force, oldest first, or the verdicts that wait for one."""
    from stillwatch.app.claims import claims_of
    from stillwatch.app.control import open_control
    from stillwatch.app.decide import waiting as waiting_claims
    from stillwatch.policy.decisions import in_force

    now = time.time()
    with open_control(state) as book:
        decisions = book.decisions()
    if waiting:
        return _print_waiting(waiting_claims(claims_of(state, report), decisions, now), as_json)
    force = {decision.id for decision in in_force(decisions, now).values()}
    found = [d for d in decisions if (every or d.id in force) and (account is None or account in d.accounts)]
    if as_json:
        return print_json([{**asdict(d), "in_force": d.id in force} for d in found])
    rows = [
        (d.id, d.verb, d.subject, len(d.accounts), d.by, moment(d.at), moment(d.expires),
         "yes" if d.id in force else "no", d.reason)
        for d in found
    ]  # fmt: skip
    head = ("id", "verb", "subject", "accounts", "by", "at", "until", "in force", "reason")
    click.echo(as_table(head, rows, "No decisions." if every else "No decisions in force."))


def _print_waiting(claims: Any, as_json: bool) -> None:
    if as_json:
        return print_json([asdict(claim) for claim in claims])
    rows = [
        (c.kind, c.subject, len(c.accounts), f"{c.log_e:.1f}", moment(c.since), moment(c.expires), c.source)
        for c in claims
    ]
    head = ("kind", "id", "accounts", "nats", "since", "lapses", "from")
    click.echo(as_table(head, rows, "No verdict waits for a person."))


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
