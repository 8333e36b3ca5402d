"""Detection on composed traffic, over seeds, against three rules in the same run.

In: seeds, honest accounts a seed, a corpus. Out: one record a seed, in memory and as JSON lines under
build/bench, so that an interrupted run goes on: a record counts only while the code that made it
and what it was asked are the same. Cost: about a minute a seed on one core, one seed in memory at a time.

Run: python -m bench.detection [--seed 1] [--seeds 30] [--honest 3000] [--data FOLDER] [--json]
"""

import argparse
import hashlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import stillwatch
from bench.seeds import SeedPlan, run_seed
from bench.tables import render
from stillwatch.lab.traffic.corpus import load_corpus

ROOT: Final = Path(__file__).parents[1]
KEPT: Final = ROOT / "build" / "bench" / "detection.jsonl"
ROOMS: Final = ("terms", "stats", "sketch", "detect", "store", "lab")
"""What decides a record, next to this benchmark."""
SEEDS: Final = 30
HONEST: Final = 3_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run of the detection benchmark was asked."""

    seed: int = 1
    seeds: int = SEEDS
    honest: int = HONEST
    data: Path | None = None
    """Data folder; None for the packaged sample."""
    kept: Path = KEPT
    largest: int = 1_000
    """Accounts of the largest campaign."""

    def key(self) -> str:
        """Return what a kept record must agree on: the code, the corpus and the sizes."""
        package = Path(stillwatch.__file__).parent
        rooms = [path for room in ROOMS for path in (package / room).rglob("*")]
        code = [p for p in rooms if p.suffix != ".pyc" and p.is_file()]
        code += [ROOT / "bench" / name for name in ("seeds.py", "mmd.py", "phrases.py")]
        digest = hashlib.blake2b(digest_size=8)
        for path in sorted(code):
            digest.update(path.read_bytes())
        digest.update(f"{self.honest} {self.largest} {'sample' if self.data is None else 'folder'}".encode())
        return digest.hexdigest()


def run(asked: Asked) -> list[dict[str, Any]]:
    """Return the record of every seed asked; those kept by the same code are read back."""
    key = asked.key()
    known = _kept(asked.kept, key)
    wanted = range(asked.seed, asked.seed + asked.seeds)
    if any(seed not in known for seed in wanted):
        corpus = load_corpus(asked.data)
    for seed in wanted:
        if seed in known:
            continue
        begun = time.perf_counter()
        record = {"key": key, **run_seed(SeedPlan(seed=seed, honest=asked.honest, largest=asked.largest), corpus)}
        known[seed] = record
        asked.kept.parent.mkdir(parents=True, exist_ok=True)
        with asked.kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(f"seed {seed}: {record['events']:,} events, {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return [known[seed] for seed in wanted]


def _kept(path: Path, key: str) -> dict[int, dict[str, Any]]:
    """Return the records of this key; a last line cut short by an interruption is left out."""
    records = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if record["key"] == key:
            records[record["seed"]] = record
    return records


def data_folder() -> Path | None:
    """Return the data folder that STILLWATCH_DATA names, if any."""
    named = os.environ.get("STILLWATCH_DATA")
    return Path(named) if named else None


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="first seed")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many seeds")
    parser.add_argument("--honest", type=int, default=HONEST, help="honest accounts a seed")
    parser.add_argument("--largest", type=int, default=1_000, help="accounts of the largest campaign")
    parser.add_argument("--data", type=Path, default=data_folder(), help="data folder; default $STILLWATCH_DATA")
    parser.add_argument("--json", action="store_true", help="print the records instead of tables")
    given = parser.parse_args()
    records = run(
        Asked(seed=given.seed, seeds=given.seeds, honest=given.honest, data=given.data, largest=given.largest)
    )
    print(json.dumps(records) if given.json else render(records))


if __name__ == "__main__":
    main()
