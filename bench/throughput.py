"""Measure a whole scan: log file to report, in a process of its own.

In: sizes in requests. One composition is re-sent under other accounts, keys, payments, addresses
and times, each copy in letters of its own, so that copies share no text with one another and lengths,
word statistics and the mix of habits stay. Out: wall and processor seconds, requests a second by
stage, peak memory; a growth table. Logs go to a temporary folder and are removed.
Gate: peak memory at most `BUDGET_GIB` up to a million requests. Recorded: the times.
Cost: some 30 s for 100,000 requests, 10 times that with --large.

Run: python -m bench.throughput [--sizes 100000] [--large] [--seed 1] [--data FOLDER] [--json]
"""

import argparse
import json
import os
import random
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bench.detection import data_folder
from bench.layout import table
from stillwatch.app.scan import ScanRequest, scan
from stillwatch.app.settings import load_settings
from stillwatch.lab.traffic import TrafficPlan, compose, default_campaigns, load_corpus, write_litellm
from stillwatch.logs.read import ReadOptions
from stillwatch.terms.exchange import Exchange, Message

BUDGET_GIB: Final = 4.0
BUDGET_UP_TO: Final = 1_000_000
DEFAULT: Final = 100_000
LARGE: Final = 1_000_000
HONEST: Final = 3_000
SHIFT: Final = 397.0
"""Seconds between one copy of a request and the next."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of the traffic: its number, and its letters."""

    number: int
    letters: dict[int, int]

    @classmethod
    def of(cls, number: int, seed: int) -> "Copy":
        """Return copy `number`; number 0 keeps its letters."""
        low = list(string.ascii_lowercase)
        if number:
            random.Random(f"{seed} {number}").shuffle(low)
        drawn = "".join(low)
        return cls(number, str.maketrans(string.ascii_letters, drawn + drawn.upper()))

    def send(self, exchange: Exchange) -> Exchange:
        """Return the exchange as this copy's account sends it."""
        if not self.number:
            return exchange
        messages = tuple(
            Message(role=m.role, text=m.text.translate(self.letters), images=m.images) for m in exchange.messages
        )
        return replace(
            exchange,
            time=round(exchange.time + self.number * SHIFT, 3),
            account=self._own(exchange.account),
            organisation=self._own(exchange.organisation),
            key_id=self._own(exchange.key_id),
            payment=self._own(exchange.payment),
            session=self._own(exchange.session),
            address=self._moved(exchange.address),
            messages=messages,
            answer=exchange.answer.translate(self.letters),
        )

    def _own(self, value: str) -> str:
        return f"{value}-{self.number}" if value else ""

    def _moved(self, address: str) -> str:
        """Return an address in another /24 of the same /16, so mostly of the same kind."""
        parts = address.split(".")
        if len(parts) != 4:
            return address
        return ".".join((parts[0], parts[1], str(int(parts[2]) ^ (self.number & 255)), parts[3]))


def scaled(exchanges: Sequence[Exchange], size: int, seed: int) -> Iterator[Exchange]:
    """Yield `size` exchanges, about in time order: each request, then its copies; the last copy stops early."""
    whole, rest = divmod(size, len(exchanges))
    copies = [Copy.of(number, seed) for number in range(whole + 1)]
    for place, exchange in enumerate(exchanges):
        for copy in copies[: whole + (place < rest)]:
            yield copy.send(exchange)


def measure(log: Path, folder: Path) -> dict[str, Any]:
    """Scan `log` in a child process and return its figures; processor time and memory are the child's own."""
    told = folder / "stages.json"
    command = [sys.executable, "-m", "bench.throughput", "--child", str(log), str(folder)]
    begun = time.perf_counter()
    with subprocess.Popen(command) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begun
    if child.returncode:
        raise SystemExit(f"the scan of {log.name} ended with {child.returncode}; its own message stands above.")
    # Linux counts the peak in KiB, macOS in bytes.
    peak = usage.ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    return {
        "wall": round(wall, 1),
        "processor": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_gib": round(peak, 3),
        **json.loads(told.read_text(encoding="utf-8")),
    }


def scan_here(log: Path, folder: Path) -> None:
    """Scan in this process and write what each stage took; what the child does."""
    begun = time.perf_counter()
    judging: list[float] = []

    def note(message: str) -> None:
        if message == "judging":
            judging.append(time.perf_counter())

    request = ScanRequest(
        paths=(str(log),), state=folder / "state", out=folder / "report",
        reading=ReadOptions(), settings=load_settings(None), now=0.0,
    )  # fmt: skip
    outcome = scan(request, note)
    done = time.perf_counter()
    verdicts = outcome.report.verdicts
    figures = {
        "requests": verdicts.figures["events"] if "events" in verdicts.figures else 0,
        "reading": round(judging[0] - begun, 1),
        "judging": round(done - judging[0], 1),
        "campaigns": sum(c.accused for c in verdicts.campaigns),
        "bad_share": outcome.bad_share,
    }
    (folder / "stages.json").write_text(json.dumps(figures), encoding="utf-8")


def run(sizes: Sequence[int], seed: int, data: Path | None, honest: int = HONEST) -> list[dict[str, Any]]:
    """Return the figures of each size, smallest first."""
    plan = TrafficPlan(seed=seed, honest=honest, campaigns=default_campaigns(random.Random(seed), 5))
    exchanges = compose(plan, load_corpus(data)).exchanges
    rows = []
    for size in sorted(sizes):
        with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
            folder = Path(name)
            log = folder / "traffic.jsonl.zst"
            write_litellm(scaled(exchanges, size, seed), log)
            rows.append({"size": size, "log_mib": round(log.stat().st_size / 2**20, 1), **measure(log, folder)})
        print(f"scan of {size:,}: {rows[-1]['wall']} s", file=sys.stderr)
    return rows


def render(rows: Sequence[dict[str, Any]]) -> str:
    """Return the growth table."""
    head = [
        "requests", "wall s", "processor s", "peak GiB", "reading s", "judging s",
        "reading /s", "judging /s", "whole /s", "campaigns",
    ]  # fmt: skip
    lines = [
        [
            f"{row['size']:,}", str(row["wall"]), str(row["processor"]), str(row["peak_gib"]),
            str(row["reading"]), str(row["judging"]),
            _rate(row, "reading"), _rate(row, "judging"), _rate(row, "wall"), str(row["campaigns"]),
        ]
        for row in rows
    ]  # fmt: skip
    return "### Scan, log file to report\n\n" + table(head, lines)


def _rate(row: dict[str, Any], stage: str) -> str:
    return f"{int(row['size'] / max(row[stage], 0.1)):,}"


def over_budget(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what broke the memory budget, in words."""
    return [
        f"a scan of {row['size']:,} requests took {row['peak_gib']} GiB; at most {BUDGET_GIB}"
        for row in rows
        if row["size"] <= BUDGET_UP_TO and row["peak_gib"] > BUDGET_GIB
    ]


def main() -> None:
    """Parse the arguments, measure, print; exit code 1 where memory is over budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[DEFAULT], help="requests")
    parser.add_argument("--large", action="store_true", help=f"also {LARGE:,} requests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=data_folder(), help="data folder; default $STILLWATCH_DATA")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        scan_here(*given.child)
        return
    rows = run([*given.sizes, *([LARGE] if given.large else [])], given.seed, given.data)
    print(json.dumps(rows) if given.json else render(rows))
    if broken := over_budget(rows):
        raise SystemExit("\n".join(broken))


if __name__ == "__main__":
    main()
