"""Take from the results page the error rates that reports show, so that the two cannot differ.

In: RESULTS.md as `page` writes it. Out: `measured.json` of the package, one rate a line. Counts are read
from the tables; rates and exact one-sided 95 % upper bounds are computed from them and rounded up.
Left to `stillwatch.app.measured`: reading it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.layout import ceiling
from bench.page import PAGE
from stillwatch.detect.config import DetectConfig
from stillwatch.stats.intervals import ratio_upper

MEASURED: Final = PAGE.parents[1] / "src" / "stillwatch" / "app" / "data" / "measured.json"
PLACES: Final = 4
"""Decimal places of a rate."""
ACCOUNTS: Final = {
    "chat": "honest chat accounts accused",
    "batch": "honest batch accounts accused",
    "evaluation": "honest evaluators and judges accused",
}
"""Stratum -> what its rate is called; agents are too few in one run to state a rate."""


def rates(page: str) -> list[dict[str, Any]]:
    """Return the rates that a results page holds; those of accounts are from seeds with persistent habits.

    Args:
        page: The Markdown text.

    Raises:
        SystemExit: a table or the seeds are missing.
    """
    seeds = re.search(r"^\d+ seeds \((\d+) to (\d+)", page, re.MULTILINE)
    if seeds is None:
        raise SystemExit("RESULTS.md: names no seeds; write it with `python -m bench --write`.")
    source = f"bench/RESULTS.md, seeds {seeds[1]} to {seeds[2]}"
    config = DetectConfig()
    reported = {row["habits"]: row for row in _rows(page, "### Campaigns that Stillwatch reports")}["all"]
    what = "reported campaigns that are honest groups"
    found = [_rate(what, config.q, (int(reported["false"]), int(reported["reported"])), source)]
    accused = {
        row["stratum"]: row for row in _rows(page, "### Honest accounts accused") if row["habits"] == "persistent"
    }
    for stratum, name in ACCOUNTS.items():
        if row := accused.get(stratum):
            found.append(_rate(name, config.alpha, (int(row["accused"]), int(row["honest"])), source))
    return found


def _rate(what: str, promised: float, count: tuple[int, int], source: str) -> dict[str, Any]:
    k, n = count
    upper = min(ceiling(float(ratio_upper(k, n, 1.0)), PLACES), 1.0) if n else 1.0
    measured = ceiling(k / n, PLACES) if n else 0.0
    return {"what": what, "promised": promised, "measured": measured, "upper": upper, "n": n, "source": source}


def _rows(page: str, heading: str) -> Iterator[dict[str, str]]:
    """Yield the rows of the table below a heading, by column."""
    _, found, rest = page.partition(f"{heading}\n")
    lines = [line for line in re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0].splitlines() if line[:1] == "|"]
    if not found or len(lines) < 2:
        raise SystemExit(f"RESULTS.md: has no table under {heading!r}; write it with `python -m bench --write`.")
    head, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    yield from (dict(zip(head, cells, strict=True)) for cells in body)


def text(found: list[dict[str, Any]]) -> str:
    """Return the file that holds the rates."""
    return "[\n" + ",\n".join(f"  {json.dumps(rate)}" for rate in found) + "\n]\n"


def write(page: Path = PAGE, measured: Path = MEASURED) -> None:
    """Make the package's rates anew from the page."""
    measured.write_text(text(rates(page.read_text(encoding="utf-8"))), encoding="utf-8")
