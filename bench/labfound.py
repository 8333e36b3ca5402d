"""Which thief is found, when, and with whom: strategies on every task against the full policy, no student trained.

In: tasks, strategies, seeds. Out: Markdown, one line each: the day a person confirmed the campaign, answers had then,
thief's accounts held, honest accounts accused. The teacher says one word to everything; requests, accounts, clock,
policy and judging are those of `stillwatch lab run`.
Cost: 10 s to 40 s of a core a line; a line is printed as soon as it is there.

    STILLWATCH_DATA=data python -m bench.labfound --tasks sst2 toolcall --strategies passive clean moving --seeds 1
"""

import argparse
import asyncio
import os
import tempfile
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from stillwatch.app.labcell import CellSetup, stopped_when
from stillwatch.app.settings import load_settings
from stillwatch.lab.cell import Budget, Cell
from stillwatch.lab.loopback import listening
from stillwatch.lab.plan import find_plan, pace_of, packaged_folder, read_plan
from stillwatch.lab.strategies import STRATEGIES
from stillwatch.lab.task import Bench, Body
from stillwatch.lab.tasks import TASKS
from stillwatch.lab.traffic import Corpus, load_corpus

PASSIVE: Final = "passive"
"""The thief without a strategy: shared infrastructure, one wording."""
HEAD: Final = (
    "| task | thief | seed | queries | stopped | answers by then | accounts held | honest accused |\n"
    "| --- | --- | --: | --: | --: | --: | --: | --: |"
)
REASONING: Final = ("addition", "machine", "toolcall")
"""Tasks whose full policy is the one for models that reason, with the budget of plan `sequences`."""


class Silent:
    """A bench whose teacher says one word; everything else is the bench's own."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bench, name)

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Serve the one word."""
        return listening(_word)


def _word(body: Body) -> Body:
    said = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}, "logprobs": None}
    return {
        "id": "chatcmpl-lab", "object": "chat.completion", "created": 0, "model": body.get("model", "lab"),
        "choices": [said], "usage": {"prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 21},
    }  # fmt: skip


def line(task: str, thief: str, seed: int, corpus: Corpus) -> str:
    """Return the line of one thief on one task."""
    reasons = task in REASONING
    budget = Budget(queries=1_500, accounts=40) if reasons else Budget(queries=2_000, accounts=50)
    cell = Cell(task=task, defence="full", attack="answers", seed=seed, budget=budget)
    if thief != PASSIVE:
        way = STRATEGIES.get(thief)
        cell = replace(cell, thief="adaptive", strategy=thief, evasion=way.evasion,
                       budget=replace(budget, accounts=round(budget.accounts * way.spread)))  # fmt: skip
    plan = read_plan(find_plan("adaptive"))
    data = os.environ.get("STILLWATCH_DATA")
    bench: Any = Silent(TASKS.get(task).bench(seed, Path(data) if data else None, 1.0 if reasons else plan.size))
    with tempfile.TemporaryDirectory() as folder:
        settings = packaged_folder() / ("full_reasoning.toml" if reasons else "full.toml")
        setup = CellSetup(
            bench=bench, settings=load_settings(settings),
            verdict="earned", pace=pace_of(cell, plan), judge_hours=plan.watching.judge_hours,
            decide_hours=plan.watching.decide_hours, background=plan.watching.background, corpus=corpus,
            folder=Path(folder) / "state", key=bytes(32),
        )  # fmt: skip
        spent, found = asyncio.run(stopped_when(cell, setup))
    assert found is not None
    when = f"day {found.confirmed_days:.1f}" if found.confirmed_days >= 0.0 else "never"
    return (
        f"| {task} | {thief} | {seed} | {spent.queries:,} | {when} | {found.harvest_before:,} | "
        f"{100 * found.members_held:.0f} % | {found.honest_held} of {found.honest_accounts} |"
    )


def main() -> None:
    """Print the table."""
    given = argparse.ArgumentParser(description="Which thief is found, when, and with whom.")
    given.add_argument("--tasks", nargs="+", default=["banking", "clinc", "sst2", "ag_news", *REASONING])
    given.add_argument("--strategies", nargs="+", default=[PASSIVE, "clean", "cover", "slow", "moving"])
    given.add_argument("--seeds", nargs="+", type=int, default=[1])
    asked = given.parse_args()
    corpus = load_corpus(None)
    print(HEAD, flush=True)
    for task in asked.tasks:
        for thief in asked.strategies:
            for seed in asked.seeds:
                print(line(task, thief, seed, corpus), flush=True)


if __name__ == "__main__":
    main()
