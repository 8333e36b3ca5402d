"""Campaigns that hide what they ask, and honest clients that change their history: what detection makes of both.

In: seeds. Out: members found of campaigns worded as E1 and hidden in three places, and honest accounts accused, as
composed and with clients that cut, shorten and edit what they send back. Cost: about a minute a seed and run.

Run: python -m bench.turns [--seed 1] [--seeds 4] [--honest 3000] [--data FOLDER] [--json]
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bench.detection import data_folder
from bench.layout import table, up
from bench.seeds import SeedPlan, run_seed
from stillwatch.lab.traffic.corpus import load_corpus
from stillwatch.lab.traffic.plan import PRESETS, CampaignPlan, Traffic, TrafficPlan
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.terms.exchange import Exchange, Message

HIDDEN: Final = ("E1", "E4-turn", "E4-answer", "E4-system")
"""The same campaigns plain, and hidden in each place."""
SIZES: Final = (60, 200)
HABITS: Final = ("whole", "window", "trims", "context", "examples")
"""What an honest client does with its history; see `changed`."""
EXAMPLES: Final = 20
"""Public sets of worked examples, each used by many honest accounts in every request."""
_KEPT: Final = 4
_LENGTH: Final = 200
_LONGEST: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsPlan(SeedPlan):
    """A seed with one campaign an evasion, all of one preset and size, which share nothing but what they ask."""

    clients: bool
    """Honest clients change their history."""

    def traffic(self) -> TrafficPlan:
        """Return the plan: as `SeedPlan` has it, with other campaigns."""
        rng = random.Random(f"turns {self.seed}")
        preset, accounts = rng.choice([p for p in PRESETS if p not in ("replay", "tools")]), rng.randint(*SIZES)
        days = rng.uniform(4.0, 10.0)
        campaigns = tuple(
            CampaignPlan(
                preset=preset, accounts=accounts, requests=16, evasion=evasion, start_day=1.0, days=days,
                infrastructure="clean",
            )
            for evasion in HIDDEN
        )  # fmt: skip
        return replace(SeedPlan.traffic(self), campaigns=campaigns)

    def sent(self, traffic: Traffic) -> Traffic:
        """Return the traffic with the histories of honest accounts as their clients send them."""
        if not self.clients:
            return traffic
        honest = {name for name, what in traffic.truth.items() if what.campaign is None}
        shown = examples([x for x in traffic.exchanges if x.account in honest], self.seed)
        exchanges = [changed(x, self.seed, shown) if x.account in honest else x for x in traffic.exchanges]
        return Traffic(exchanges=exchanges, truth=traffic.truth)


def examples(exchanges: Sequence[Exchange], seed: int) -> list[tuple[Message, ...]]:
    """Return public sets of worked examples: two questions and their answers each, of honest accounts."""
    rng = random.Random(f"examples {seed}")
    usable = [x for x in exchanges if x.messages and x.answer and len(x.messages[-1].text) < _LONGEST]
    return [
        tuple(
            turn for x in rng.sample(usable, 2) for turn in (x.messages[-1], Message(role="assistant", text=x.answer))
        )
        for _ in range(EXAMPLES)
    ]


def changed(exchange: Exchange, seed: int, shown: Sequence[tuple[Message, ...]]) -> Exchange:
    """Return an honest request as the client of its account sends it: an account keeps to one habit.

    `window` sends the last four turns, `trims` cuts answers short, `context` puts a passage before the newest turn
    only, `examples` puts one of the public sets `shown` first, `whole` changes nothing.
    """
    rng = random.Random(f"client {seed} {exchange.account}")
    habit = rng.choice(HABITS)
    head = tuple(m for m in exchange.messages if m.role == "system")
    turns = tuple(m for m in exchange.messages if m.role != "system")
    if habit == "window":
        turns = turns[-_KEPT:]
    elif habit == "trims":
        turns = tuple(replace(m, text=m.text[:_LENGTH]) if m.role == "assistant" else m for m in turns)
    elif habit == "context" and turns:
        passage = f"Use what follows.\n{exchange.answer[:_LENGTH]}\nQuestion:\n"
        turns = (*turns[:-1], replace(turns[-1], text=passage + turns[-1].text))
    elif habit == "examples":
        turns = (*rng.choice(shown), *turns)
    return replace(exchange, messages=head + turns)


def run(seeds: Sequence[int], honest: int, data: Path | None) -> dict[str, list[dict[str, Any]]]:
    """Return the records of every seed, as composed and with clients of other habits."""
    corpus = load_corpus(data)
    found: dict[str, list[dict[str, Any]]] = {"as composed": [], "clients edit": []}
    for seed in seeds:
        for name, clients in (("as composed", False), ("clients edit", True)):
            plan = TurnsPlan(seed=seed, honest=honest, clients=clients)
            found[name].append(run_seed(plan, corpus))
            print(f"seed {seed}, {name}: {found[name][-1]['events']:,} events", file=sys.stderr)
    return found


def render(found: dict[str, list[dict[str, Any]]]) -> str:
    """Return the tables as Markdown."""
    recall = [[name, *(_recall(records, evasion) for evasion in HIDDEN)] for name, records in found.items()]
    alarms = []
    for name, records in found.items():
        rows = [row for record in records for row in record["honest"]]
        accused, of = sum(row["accused"]["stillwatch"] for row in rows), sum(row["accounts"] for row in rows)
        reported = [one for record in records for one in record["reported"]]
        wrong = sum(2 * one["hostile"] < one["accounts"] for one in reported)
        bound = up(float(clopper_pearson(accused, of, confidence=0.9)[1]), 2)
        alarms.append([name, f"{accused} of {of:,} (up to {bound})", f"{wrong} of {len(reported)}"])
    return "\n\n".join(
        (
            table(["traffic", *HIDDEN], recall),
            table(["traffic", "honest accounts accused", "reported campaigns that were honest"], alarms),
        )
    )


def _recall(records: Sequence[dict[str, Any]], evasion: str) -> str:
    rows = [c for record in records for c in record["campaigns"] if c["evasion"] == evasion]
    members, caught = sum(c["members"] for c in rows), sum(c["caught"]["stillwatch"] for c in rows)
    found = sum(2 * c["caught"]["stillwatch"] >= c["members"] for c in rows)
    return f"{caught} of {members:,} members, {found} of {len(rows)} campaigns"


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="first seed")
    parser.add_argument("--seeds", type=int, default=4, help="how many seeds")
    parser.add_argument("--honest", type=int, default=3_000, help="honest accounts a seed")
    parser.add_argument("--data", type=Path, default=data_folder(), help="data folder; default $STILLWATCH_DATA")
    parser.add_argument("--json", action="store_true", help="print the records instead of tables")
    given = parser.parse_args()
    found = run(range(given.seed, given.seed + given.seeds), given.honest, given.data)
    print(json.dumps(found) if given.json else render(found))


if __name__ == "__main__":
    main()
