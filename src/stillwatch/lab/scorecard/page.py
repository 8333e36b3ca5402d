"""The scorecard as one page that needs nothing else: no script, no network, readable without colour and on a phone.

In: a `Scorecard`. Out: HTML. Left to `plots`: the pictures; to `table`: the sentences on the lab's aims.
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from stillwatch.lab.cell import Measured, Row
from stillwatch.lab.economics.constants import load_constants
from stillwatch.lab.scorecard.card import Line, Scorecard, label_of, lines_of
from stillwatch.lab.scorecard.plots import bars_of, curve_plot, harvest_series, retention_plot
from stillwatch.lab.scorecard.proof import details_of, proof_of
from stillwatch.lab.scorecard.table import percent, stopped, verdicts

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#5b6570;--line:#d5dae0;--none:#8a94a0;--given:#2f6fb3;
--adaptive:#b3541e}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--paper:#14171b;--soft:#9aa4af;--line:#343a42;--none:#77818c;
--given:#6aa5e3;--adaptive:#e0894f}}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
main{max-width:74rem;margin:0 auto;padding:1rem}h1{font-size:1.5rem;margin:.5rem 0}
h2{font-size:1.15rem;margin:2rem 0 .5rem}
p,li{max-width:46rem}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;white-space:nowrap}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left}td.n,th.n{text-align:right;
font-variant-numeric:tabular-nums}th{position:sticky;top:0;background:var(--paper)}
svg{width:100%;min-width:32rem;max-width:46rem;height:auto;display:block}
svg text{fill:var(--ink);font:11px system-ui,sans-serif}
svg .tick{fill:var(--soft)}svg .grid{stroke:var(--line)}svg .whisker{stroke:var(--ink);stroke-width:1.5}
svg .none{fill:var(--none)}svg .given{fill:var(--given)}svg .adaptive{fill:var(--adaptive)}
svg .curve{fill:none;stroke:var(--given);stroke-width:2}svg .dot{fill:var(--given)}
.key span{display:inline-block;width:.8rem;height:.8rem;margin:0 .3rem 0 1rem;vertical-align:-1px}
.soft{color:var(--soft)}
"""

Cell = tuple[str, str]
"""What stands in a cell, and its class."""
COLUMNS: Final[tuple[tuple[str, Callable[[Line], str], bool], ...]] = (
    ("defence", lambda line: line.cell.defence, False),
    ("attack", lambda line: label_of(line.cell), False),
    ("thief", lambda line: line.cell.thief, False),
    ("seeds", lambda line: str(len(line.rows)), True),
    ("lead kept", lambda line: percent(line.retained), True),
    ("student", lambda line: _share(line.mean(lambda row: row.student)), True),
    ("base", lambda line: _share(line.mean(lambda row: row.base)), True),
    ("teacher", lambda line: _share(line.mean(lambda row: row.teacher)), True),
    ("agrees", lambda line: _share(line.mean(lambda row: row.fidelity)), True),
    ("declines", lambda line: _share(line.mean(lambda row: row.safeguards)), True),
    ("queries", lambda line: _number(line, lambda row: row.spent.queries), True),
    ("refused", lambda line: _number(line, lambda row: row.spent.refused), True),
    ("rows", lambda line: _number(line, lambda row: row.harvested), True),
    ("tokens", lambda line: _number(line, lambda row: row.spent.tokens_in + row.spent.tokens_out), True),
    ("queries a point", lambda line: _a_point(line, lambda row: row.spent.queries), True),
    ("dollars a point", lambda line: _a_point(line, dollars), True),
    ("stopped", lambda line: stopped(line), True),
    ("honest accused", lambda line: _accused(line), True),
    ("honest points lost", lambda line: _points(line.mean(lambda row: row.honest_points)), True),
    ("honest refused", lambda line: _share(line.mean(lambda row: row.honest_refused)), True),
    ("honest confidence off", lambda line: _plain(line.mean(lambda row: row.honest_confidence)), True),
    ("if hit by mistake", lambda line: _mistaken(line), False),
    ("evidence on the student", lambda line: proof_of(line), False),
    ("all exams", lambda line: "; ".join(details_of(line)) or "-", False),
)


def page_of(card: Scorecard) -> str:
    """Return the page."""
    lines = lines_of(card.rows)
    tasks = list(dict.fromkeys(line.cell.task for line in lines))
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        f"<title>Lab scorecard: {escape(card.plan)}</title><style>{STYLE}</style><main>",
        f"<h1>Lab scorecard: plan {escape(card.plan)}</h1>",
        "<p>Students were trained on what the thief got through the gateway. <em>Lead kept</em> is (student &minus; "
        "base) / (teacher &minus; base) on test items that nobody was trained on, with its 95 % interval.</p>",
        "<h2>What came of it</h2><ul>", *(f"<li>{escape(one)}</li>" for one in verdicts(card)), "</ul>",
        _left_out(card),
        '<p class=key>Bars:<span style="background:var(--none)"></span>no defence'
        '<span style="background:var(--given)"></span>defended<span style="background:var(--adaptive)"></span>'
        "defended, against a thief who knows it. Named: defence / attack / thief / queries.</p>",
    ]  # fmt: skip
    for task in tasks:
        parts.append(_task(task, [line for line in lines if line.cell.task == task]))
    parts.append(f"<p class=soft>Stillwatch {escape(card.version)}.</p></main></html>")
    return "".join(parts)


def _left_out(card: Scorecard) -> str:
    if not card.skipped and not card.waiting:
        return ""
    said = [f"<li>{escape(name)}: {escape(why)}</li>" for name, why in card.skipped.items()]
    waiting = f"<li>{card.waiting} cells wait for the next run.</li>" if card.waiting else ""
    return f"<h2>Left out</h2><ul>{''.join(said)}{waiting}</ul>"


def _task(task: str, lines: Sequence[Line]) -> str:
    head = "".join(f"<th scope=col{' class=n' if right else ''}>{escape(name)}</th>" for name, _, right in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f'<td{" class=n" if right else ""}>{escape(show(line))}</td>' for _, show, right in COLUMNS)
        + "</tr>"
        for line in lines
    )  # fmt: skip
    curves = "".join(curve_plot(series) for series in harvest_series(lines))
    return (
        f"<h2>{escape(task)}</h2><div class=wide>{retention_plot(task, bars_of(lines))}</div>"
        + (
            f"<p>The lead kept by the number of answers, undefended:</p><div class=wide>{curves}</div>"
            if curves
            else ""
        )
        + f'<div class=wide tabindex=0 role=region aria-label="{escape(task)}: all figures"><table><thead><tr>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _share(one: Measured | None) -> str:
    return "-" if one is None else f"{100 * one.value:.1f} %"


def _plain(one: Measured | None) -> str:
    return "-" if one is None else f"{one.value:.3f}"


def _points(one: Measured | None) -> str:
    return "-" if one is None else f"{one.value:+.2f} ({one.low:+.2f} to {one.high:+.2f})"


def _number(line: Line, figure: Callable[[Row], float]) -> str:
    return f"{sum(figure(row) for row in line.rows) / len(line.rows):,.0f}"


def _a_point(line: Line, cost: Callable[[Row], float]) -> str:
    """Return what one point of accuracy above the base cost, mean over seeds; `-` where nothing was gained."""
    gained = [100.0 * (row.student.value - row.base.value) for row in line.rows]
    if min(gained) <= 0.0:
        return "-"
    return f"{sum(cost(row) / points for row, points in zip(line.rows, gained, strict=True)) / len(gained):,.3g}"


def dollars(row: Row) -> float:
    """Return what a harvest's tokens cost at the packaged list price, in dollars."""
    prices = load_constants()
    tokens = row.spent.tokens_in * prices["price_input"].value + row.spent.tokens_out * prices["price_output"].value
    return tokens / 1e6


def _accused(line: Line) -> str:
    found = [row.contained for row in line.rows if row.contained is not None]
    if not found:
        return "-"
    return f"{sum(one.honest_held for one in found)} of {sum(one.honest_accounts for one in found)}"


def _mistaken(line: Line) -> str:
    figures = line.rows[0].figures
    if "mistaken_points" not in figures:
        return "-"
    moved = figures.get("mistaken_confidence")
    told = "" if moved is None else f", confidence off by {moved:.2f}"
    return f"{figures['mistaken_points']:+.1f} points, {100 * figures['mistaken_refused']:.0f} % refused{told}"
