"""Write scorecards of the lab as the tables of bench/RESULTS.md.

In: `scorecard.json` of one run or of several, whose rows are put together, as a plan may be run task by task. Out:
Markdown, one line for each cell but for its seed, and what the exams say of its students. Nothing is measured here.

    python -m bench.lab stillwatch-lab/standard/scorecard.json
"""

import sys
from pathlib import Path

import msgspec

from stillwatch.lab.scorecard.card import Line, Scorecard, label_of, lines_of
from stillwatch.lab.scorecard.page import dollars
from stillwatch.lab.scorecard.proof import details_of, proof_of
from stillwatch.lab.scorecard.table import percent, stopped, verdicts

HEAD = (
    "| task | defence | attack | thief | queries | rows | lead kept (95 %) | student | base | teacher | agrees | "
    "declines | dollars a point | stopped | honest accused | honest points | evidence on the student |\n"
    "| --- | --- | --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --- |"
)


def markdown(card: Scorecard) -> str:
    """Return the table, then one sentence a task on the lab's aims."""
    out = [HEAD, *(_line(line) for line in lines_of(card.rows)), ""]
    out += [f"* {one}" for one in verdicts(card)]
    out += [f"* left out: {name}: {why}" for name, why in card.skipped.items()]
    return "\n".join(out)


def _line(line: Line) -> str:
    rows, cell, n = line.rows, line.cell, len(line.rows)
    rates = [sum(getattr(row, name).value for row in rows) / n for name in ("student", "base", "teacher", "fidelity",
                                                                            "safeguards")]  # fmt: skip
    gained = 100.0 * (rates[0] - rates[1])
    cost = f"{sum(map(dollars, rows)) / n / gained:.4f}" if gained > 0.0 else "-"
    watched = [row.contained for row in rows if row.contained is not None]
    accused = f"{sum(w.honest_held for w in watched)} of {sum(w.honest_accounts for w in watched)}" if watched else "-"
    points = line.mean(lambda row: row.honest_points)
    lost = "-" if points is None else f"{points.value:+.1f} ({points.low:+.1f} to {points.high:+.1f})"
    said = " | ".join(f"{100 * rate:.1f} %" for rate in rates)
    return (
        f"| {cell.task} | {cell.defence} | {label_of(cell)} | {cell.thief} | "
        f"{sum(row.spent.queries for row in rows) / n:,.0f} | {sum(row.harvested for row in rows) / n:,.0f} | "
        f"{percent(line.retained)} | {said} | {cost} | {stopped(line)} | {accused} | {lost} | "
        f"{proof_of(line)} |"
    )


def exams(card: Scorecard) -> str:
    """Return what each exam found, or why it could say nothing."""
    out = ["| task | defence | attack | thief | exams |", "| --- | --- | --- | --- | --- |"]
    for line in lines_of(card.rows):
        cell = line.cell
        said = "; ".join(details_of(line)) or "-"
        out.append(f"| {cell.task} | {cell.defence} | {label_of(cell)} | {cell.thief} | {said} |")
    return "\n".join(out)


def joined(paths: list[str]) -> Scorecard:
    """Return one scorecard of all rows in these files."""
    cards = [msgspec.json.decode(Path(path).read_bytes(), type=Scorecard) for path in paths]
    return Scorecard(
        plan=cards[0].plan, rows=tuple(row for card in cards for row in card.rows),
        skipped={name: why for card in cards for name, why in card.skipped.items()},
    )  # fmt: skip


if __name__ == "__main__":
    found = joined(sys.argv[1:])
    print(markdown(found), exams(found), sep="\n\n")
