"""What the watcher costs: taking events in, and judging all that it keeps at the end of each block.

In: numbers of events kept. Out: processor time an event taken in; processor time and memory of one judgement of so
many events, and of the same judgement made again and again, which shows whether anything is left behind each time.
It is the watcher's own code in one process of its own: sealed segments, `LiveIntake`, `LiveJudge`, without the waits.
Memory is what is added to that of a process which holds the composed traffic. Gate: after the last of the repeated
judgements it is at most a tenth above that after the first of them.
Cost: some two minutes with the defaults.

Run: python -m bench.watching [--sizes 10000 30000 100000] [--repeats 8] [--seed 1] [--data FOLDER] [--json]
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench.detection import data_folder
from bench.layout import table
from bench.throughput import scaled
from stillwatch.app.addresses import packaged_addresses
from stillwatch.app.livefolder import LiveFolder
from stillwatch.app.livejudge import LiveJudge
from stillwatch.app.livetake import LiveIntake
from stillwatch.app.settings import load_settings
from stillwatch.app.state import master_key
from stillwatch.detect.grid import block_seconds
from stillwatch.gateway.segmentfiles import SpoolConfig
from stillwatch.gateway.segments import closed_segments
from stillwatch.gateway.spool import SpoolWriter
from stillwatch.lab.traffic import TrafficPlan, compose, default_campaigns, load_corpus
from stillwatch.sketch.keys import KeyRing
from stillwatch.sketch.reduce import Reducer
from stillwatch.store.clickhouse import Store
from stillwatch.store.serve import connect
from stillwatch.terms.exchange import Exchange
from stillwatch.terms.served import Served

SIZES: Final = (10_000, 30_000, 100_000)
REPEATS: Final = 8
MOST_GROWTH: Final = 1.1
_KEY: Final = bytes(range(32))
_GROUP: Final = 5_000


def served(exchange: Exchange) -> Served:
    """Return an exchange as a worker records it."""
    body: dict[str, Any] = {
        "model": exchange.model, **exchange.parameters,
        "messages": [{"role": message.role, "content": message.text} for message in exchange.messages],
    }  # fmt: skip
    answer = {"choices": [{"message": {"content": exchange.answer}, "finish_reason": exchange.finish or None}]}
    return Served(
        time=exchange.time, request_id="", endpoint="chat", account=exchange.account, status=exchange.status,
        organisation=exchange.organisation, plan=exchange.plan, key_id=exchange.key_id, payment=exchange.payment,
        address=exchange.address, agent=exchange.agent, tls=exchange.tls, latency=exchange.latency,
        request=json.dumps(body).encode(), answer=json.dumps(answer).encode(),
    )  # fmt: skip


def measure_here(sizes: Sequence[int], repeats: int, seed: int, data: Path | None) -> list[dict[str, float]]:
    """Take in and judge in this process; return a row a size, the last with the repeated judgements."""
    plan = TrafficPlan(seed=seed, honest=3_000, campaigns=default_campaigns(random.Random(seed), 5))
    exchanges = compose(plan, load_corpus(data)).exchanges
    # Copies of one request lie side by side, so the whole window is spread over every size.
    ordered = sorted(scaled(exchanges, sizes[-1], seed), key=lambda exchange: exchange.account)
    rows = []
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
        folder = LiveFolder(Path(name)).made()
        ring, settings = KeyRing(master_key(folder.state)), load_settings(None)
        judge = LiveJudge(folder, settings, ring)
        store = connect(folder.store)
        assert isinstance(store, Store)
        intake = LiveIntake.open(store, Reducer(ring, packaged_addresses()), folder, _KEY)
        latest = max(exchange.time for exchange in ordered)
        first = min(exchange.time for exchange in ordered)
        step = block_seconds(first, latest, longest=settings.detect.block_seconds)
        until = (latest // step + 1) * step
        done, before = 0, resident()

        def judged(until: float) -> dict[str, float]:
            begun = time.process_time()
            judge.run(store, store.snapshot(), until, intake.tally, until)
            return {"judge_s": time.process_time() - begun, "mib": resident() - before}

        for size in sizes:
            taken = sum(_taking(intake, folder, group) for group in _groups(ordered[done:size]))
            row = {"events": float(size), "take_ms": 1e3 * taken / (size - done)}
            done = size
            rows.append(row | judged(until))
        again = [judged(until + step * number) for number in range(repeats)]
        rows[-1] |= {
            "again_s": sum(one["judge_s"] for one in again) / repeats, "again_mib": again[0]["mib"],
            "last_mib": again[-1]["mib"],
        }  # fmt: skip
        store.close()
    return rows


def _groups(exchanges: Sequence[Exchange]) -> Iterator[list[Served]]:
    for start in range(0, len(exchanges), _GROUP):
        yield [served(exchange) for exchange in exchanges[start : start + _GROUP]]


def _taking(intake: LiveIntake, folder: LiveFolder, group: Sequence[Served]) -> float:
    """Write a group as a worker does, take it in, and return the processor seconds of taking it in."""
    writer = SpoolWriter(folder.spool, _KEY, "w0", SpoolConfig(max_buffer_bytes=1 << 30))
    for one in group:
        if not writer.record(replace(one)):
            raise SystemExit("the spool dropped an exchange")
    writer.close()
    begun = time.process_time()
    while paths := closed_segments(folder.spool):
        intake.take(paths)
    return time.process_time() - begun


def resident() -> float:
    """Return the memory of this process now, in MiB; Linux tells it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4_096 / 2**20


def render(rows: Sequence[dict[str, float]]) -> str:
    """Return the table."""
    head = ["events kept", "taking in, ms an event", "one judgement, s", "ms an event kept", "memory added, MiB"]
    lines = [
        [f"{row['events']:,.0f}", f"{row['take_ms']:.2f}", f"{row['judge_s']:.1f}",
         f"{1e3 * row['judge_s'] / row['events']:.2f}", f"{row['mib']:,.0f}"]
        for row in rows
    ]  # fmt: skip
    last = rows[-1]
    return table(head, lines) + (
        f"\n\nThe last judgement made again on the same events: {last['again_s']:.1f} s each; memory after the first "
        f"{last['again_mib']:,.0f} MiB, after the last {last['last_mib']:,.0f} MiB."
    )


def main() -> None:
    """Parse the arguments, measure in a child process, print; exit code 1 where memory grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="events kept, rising")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=data_folder(), help="data folder; default $STILLWATCH_DATA")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure_here(given.sizes, given.repeats, given.seed, given.data)))
        return
    command = [sys.executable, "-m", "bench.watching", "--child", "--seed", str(given.seed), "--repeats",
               str(given.repeats), *(["--data", str(given.data)] if given.data else []),
               "--sizes", *map(str, given.sizes)]  # fmt: skip
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    rows: list[dict[str, float]] = json.loads(told)
    print(told if given.json else render(rows))
    if rows[-1]["last_mib"] > MOST_GROWTH * rows[-1]["again_mib"]:
        raise SystemExit("memory grows with each judgement of the same events")


if __name__ == "__main__":
    main()
