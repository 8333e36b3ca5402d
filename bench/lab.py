"""Write a scorecard of the lab as the table of bench/RESULTS.md.

In: `scorecard.json` of a run. Out: Markdown, one line for each cell but for its seed. Nothing is measured here.

    python -m bench.lab stillwatch-lab/standard/scorecard.json
"""

import sys
from pathlib import Path

import msgspec

from stillwatch.lab.scorecard.card import Line, Scorecard, label_of, lines_of
from stillwatch.lab.scorecard.page import dollars
from stillwatch.lab.scorecard.proof import proof_of
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


if __name__ == "__main__":
    print(markdown(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Scorecard)))
