"""Detection of one kind of campaign alone, with and without payers' groups.

In: an evasion, an infrastructure, seeds. Out: a table: campaigns found and members named, by what is collected, and
honest accounts accused beside them, each also for the detector without `detect.payergroups` on the same events. The
mixed benchmark holds a handful of any one kind; here are four campaigns a seed.
Cost: for 1,000 honest accounts about half a minute a seed on one core.

Run: python -m bench.onekind [--evasion E2] [--infrastructure proxy] [--seed 9101] [--seeds 8] [--data FOLDER] [--json]
"""

import argparse
import json
import random
import sys
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest import mock

from bench.detection import data_folder
from bench.layout import down, table
from bench.seeds import SeedPlan, accused_in, reduced_of
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.judge import judge
from stillwatch.lab.traffic.corpus import load_corpus
from stillwatch.lab.traffic.plan import EVASIONS, INFRASTRUCTURES, PRESETS, CampaignPlan, TrafficPlan
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.store.memory import MemoryStore

CAMPAIGNS: Final = 4
SMALLEST, LARGEST = 50, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class OneKind(SeedPlan):
    """A seed whose campaigns are all of one kind and of 50 to 200 accounts."""

    evasion: str
    infrastructure: str

    def traffic(self) -> TrafficPlan:
        """Return the plan of the seed's traffic."""
        rng, plans = random.Random(self.seed), []
        for _ in range(CAMPAIGNS):
            days = rng.uniform(2.0, 10.0)
            plans.append(
                CampaignPlan(
                    preset=rng.choice(PRESETS),
                    accounts=round(SMALLEST * (LARGEST / SMALLEST) ** rng.random()),
                    requests=rng.randint(10, 20),
                    evasion=self.evasion,
                    start_day=rng.uniform(0.0, 14.0 - days),
                    days=days,
                    infrastructure=self.infrastructure,
                )
            )
        return TrafficPlan(seed=self.seed, honest=self.honest, campaigns=tuple(plans), persistent=self.persistent)


def run_seed(plan: OneKind, corpus: Any) -> list[dict[str, Any]]:
    """Judge one seed with and without payers' groups; return a record of each."""
    reduced = reduced_of(plan, corpus)
    store = MemoryStore(reduced.events)
    epoch = max(store.epochs(), key=lambda number: store.span(number).n_events)
    presets = {what.campaign: what.habit.split(" ")[0] for what in reduced.truth.values() if what.campaign is not None}
    records = []
    for groups in (False, True):
        with nullcontext() if groups else mock.patch("stillwatch.detect.search.payer_candidates", return_value=[]):
            verdicts = judge(store, DetectConfig(), epoch=epoch)
        accused = accused_in(verdicts, reduced.names)
        members: dict[str, list[bool]] = defaultdict(list)
        for name, what in reduced.truth.items():
            if what.campaign is not None:
                members[what.campaign].append(name in accused)
        honest = [name in accused for name, what in reduced.truth.items() if what.campaign is None]
        records.append(
            {
                "seed": plan.seed, "groups": groups, "honest": len(honest), "honest_accused": sum(honest),
                "campaigns": {name: [len(found), sum(found)] for name, found in members.items()},
                "presets": presets,
            }
        )  # fmt: skip
    return records


def render(records: list[dict[str, Any]]) -> str:
    """Return the table of every seed's records."""
    rows = []
    for preset in (*sorted({p for r in records for p in r["presets"].values()}), "all"):
        row = [preset]
        for groups in (False, True):
            mine = [
                counts
                for record in records
                if record["groups"] is groups
                for name, counts in record["campaigns"].items()
                if preset in ("all", record["presets"][name])
            ]
            found = sum(2 * caught >= members for members, caught in mine)
            low, high = clopper_pearson(found, len(mine))
            share = sum(caught for _, caught in mine) / max(sum(members for members, _ in mine), 1)
            row += [f"{found} of {len(mine)} ({100 * low:.1f}-{100 * high:.1f})", down(share)]
        rows.append(row)
    harm = []
    for groups in (False, True):
        mine = [record for record in records if record["groups"] is groups]
        harm.append(f"{sum(r['honest_accused'] for r in mine)} of {sum(r['honest'] for r in mine)}")
    rows.append(["honest accounts accused", harm[0], "", harm[1], ""])
    head = ["collects", "campaigns, without groups", "members", "campaigns, with groups", "members"]
    return table(head, rows)


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evasion", choices=EVASIONS, default="E2")
    parser.add_argument("--infrastructure", choices=INFRASTRUCTURES, default="proxy")
    parser.add_argument("--seed", type=int, default=9101, help="first seed")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--honest", type=int, default=1_000, help="honest accounts a seed")
    parser.add_argument("--data", type=Path, default=data_folder(), help="data folder; default $STILLWATCH_DATA")
    parser.add_argument("--json", action="store_true", help="print the records instead of a table")
    given = parser.parse_args()
    corpus, records = load_corpus(given.data), []
    for seed in range(given.seed, given.seed + given.seeds):
        plan = OneKind(seed=seed, honest=given.honest, evasion=given.evasion, infrastructure=given.infrastructure)
        records += run_seed(plan, corpus)
        print(f"seed {seed}", file=sys.stderr)
    print(json.dumps(records) if given.json else render(records))


if __name__ == "__main__":
    main()
