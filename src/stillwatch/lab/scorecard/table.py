"""The scorecard for a terminal.

In: a `Scorecard`, a price. Out: lines of text. Left to `page`: plots and the rest of the figures.
"""

from stillwatch.lab.cell import Measured
from stillwatch.lab.scorecard.card import Best, Line, Scorecard, best_of, claims_of, label_of, lines_of
from stillwatch.lab.scorecard.proof import proof_of, reasons

HEAD = (
    f"{'task':11s} {'defence':9s} {'attack':20s} {'thief':8s} {'retained':>19s} {'fidelity':>8s} {'refuses':>7s} "
    f"{'queries':>7s} {'harvest':>7s} {'stopped':>8s} {'honest':>12s} evidence on the student"
)


def table_of(card: Scorecard) -> str:
    """Return the table, what was left out, and what came of the lab's aims."""
    out = [HEAD]
    out += [_line(line) for line in lines_of(card.rows)]
    out.append("")
    out += [f"no exam where {why}" for why in reasons(lines_of(card.rows))]
    out += [f"left out: {name}: {why}" for name, why in card.skipped.items()]
    if card.waiting:
        out.append(f"{card.waiting} cells wait for the next run.")
    out += verdicts(card)
    return "\n".join(out)


def verdicts(card: Scorecard) -> list[str]:
    """Return one sentence a task on the aims: what is kept without a defence, and whether `full` halves it."""
    out = []
    for claim in claims_of(card.rows):
        said = f"{claim.task}: without a defence {percent(claim.undefended)} of the lead is kept"
        if claim.adaptive is None:
            out.append(f"{said}; no adaptive thief was run against the full defence.")
            continue
        cost = f"{claim.honest_points.value:+.1f} points" if claim.honest_points else "an unknown cost"
        won = "halved" if claim.halved else "NOT halved"
        by = f" by strategy `{claim.strategy}`" if claim.strategy else ""
        out.append(f"{said}; the adaptive thief keeps {percent(claim.adaptive)} against full{by}: {won}, at {cost}.")
    return out + [best_said(one) for one in best_of(lines_of(card.rows))]


def best_said(one: Best) -> str:
    """Return which strategy won, and that it was chosen afterwards."""
    return (
        f"{one.task}, {one.attack} against {one.defence}: of {', '.join(one.tried)} the adaptive thief does best by "
        f"`{one.strategy}`: {percent(one.retained)} of the lead; chosen by its outcome, so an upper bound."
    )


def percent(one: Measured | None) -> str:
    """Return a share with its interval, such as `85 % (80-90)`."""
    if one is None:
        return "-"
    return f"{100 * one.value:.0f} % ({100 * one.low:.0f}-{100 * one.high:.0f})"


def _line(line: Line) -> str:
    cell = line.cell
    spent = sum(row.spent.queries for row in line.rows) / len(line.rows)
    harvest = sum(row.harvested for row in line.rows) / len(line.rows)
    fidelity, refuses = line.mean(lambda r: r.fidelity), line.mean(lambda r: r.safeguards)
    points = line.mean(lambda row: row.honest_points)
    return (
        f"{cell.task:11s} {cell.defence:9s} {label_of(cell):20s} {cell.thief:8s} {percent(line.retained):>19s} "
        f"{_whole(fidelity):>8s} {_whole(refuses):>7s} {spent:7.0f} {harvest:7.0f} {stopped(line):>8s} "
        f"{_points(points):>12s} {proof_of(line)}"
    )


def _whole(one: Measured | None) -> str:
    return "-" if one is None else f"{100 * one.value:.0f} %"


def stopped(line: Line) -> str:
    """Return when the campaign was stopped, in days since its first request; `never`, or `-` without a watch."""
    found = [row.contained for row in line.rows]
    if any(one is None for one in found):
        return "-"
    days = [one.confirmed_days for one in found if one is not None and one.confirmed_days >= 0.0]
    if not days:
        return "never"
    said = f"day {sum(days) / len(days):.1f}"
    return said if len(days) == len(found) else f"{said} ({len(days)}/{len(found)})"


def _points(one: Measured | None) -> str:
    return "-" if one is None else f"{one.value:+.1f} pt"
