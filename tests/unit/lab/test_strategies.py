"""Strategies of an adaptive thief: each keeps its budget and does what its name says."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stillwatch.lab.attacks.plain import SOFT
from stillwatch.lab.cell import Budget
from stillwatch.lab.client import DAY, ThiefClient
from stillwatch.lab.manifest import digest_of
from stillwatch.lab.plan import pace_of, packaged_folder, read_plan
from stillwatch.lab.slots import Pace, Slot, thief_waves
from stillwatch.lab.strategies import PROBES, STRATEGIES, collect
from stillwatch.lab.task import Answer, Ask, Body, HarvestRow, Item, Job
from stillwatch.lab.traffic import load_corpus
from tests.lab_toy import DirectClient, toy_bench

BUDGET = 60


def run(name: str, client: DirectClient) -> tuple[list[HarvestRow], Job]:
    job = Job(thief="adaptive", start="base", rng=np.random.default_rng(3))

    async def collected() -> list[HarvestRow]:
        return await collect(name, SOFT, client, client.bench, job)

    return asyncio.run(collected()), job


class NoisyClient(DirectClient):
    """Tells probabilities that hang on the wording."""

    async def ask(self, item: Item, how: Ask) -> Answer | None:
        answer = await super().ask(item, how)
        if answer is None or not answer.logprobs:
            return answer
        shift = 0.1 + (hash_of(how.before) % 7) / 10.0
        told = {name: log - shift * (at == 0) for at, (name, log) in enumerate(answer.logprobs[0].items())}
        return replace(answer, logprobs=(told,))


def hash_of(text: str) -> int:
    return sum(ord(one) for one in text)


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy_keeps_its_budget_and_repeats_itself(name: str) -> None:
    bench = toy_bench()
    first, again = (DirectClient(bench, BUDGET) for _ in range(2))
    (rows, _), (same, _) = run(name, first), run(name, again)
    assert rows and len(first.asked) <= BUDGET
    assert digest_of(rows) == digest_of(same) and first.asked == again.asked


def test_bare_asks_for_nothing_that_a_treatment_of_probabilities_touches() -> None:
    client = DirectClient(toy_bench(), BUDGET)
    rows, _ = run("bare", client)
    assert all(how.logprobs == 0 and not how.reasoning for _, how in client.asked)
    assert all(row.answer and not row.logprobs for row in rows)


def test_averaging_pays_for_several_wordings_only_where_answers_move() -> None:
    quiet, noisy = DirectClient(toy_bench(), BUDGET), NoisyClient(toy_bench(), BUDGET)
    (still, calm), (mean, seen) = run("average", quiet), run("average", noisy)
    assert calm.found["noise_seen"] == 0 and seen.found["noise_seen"] == 1
    assert len(still) == PROBES + (BUDGET - 3 * PROBES)
    assert len(mean) == BUDGET // 3


class FakeWire:
    """Answers everybody but the accounts that are turned away."""

    def __init__(self, refused: frozenset[str]) -> None:
        self.refused, self.asked = refused, [("", 0.0)]

    async def send(self, slot: Slot, body: Body) -> Answer:
        self.asked.append((slot.account, slot.time))
        return Answer(status=403 if slot.account in self.refused else 200, texts=("alarm",))


def slots(names: Sequence[str], turns: int) -> list[Slot]:
    return [Slot(time=60.0 * (turn * len(names) + at), account=name, headers={})
            for turn in range(turns) for at, name in enumerate(names)]  # fmt: skip


def test_moving_gives_up_every_account_in_use_and_goes_on_a_day_later_with_others() -> None:
    wire, bench = FakeWire(frozenset(("a", "b", "c"))), toy_bench()

    async def advance(to: float) -> None:
        return None

    client = ThiefClient(wire, bench, slots("abcd", 20), 40, advance)  # type: ignore[arg-type]
    client.drops, client.reserve = True, [slots("wxyz", 20)]

    async def ask() -> None:
        while await client.ask(bench.pool[0], Ask()) is not None:
            pass

    asyncio.run(ask())
    (moved,) = client.moved
    before = [name for name, _ in wire.asked[1:] if name in "abcd"]
    assert {name for name, _ in wire.asked[len(before) + 1 :]} == set("wxyz")
    assert len(before) < 10 and client.ledger.queries == 40
    assert min(at for name, at in wire.asked if name in tuple("wxyz")) == moved + DAY


def test_parts_of_a_thiefs_accounts_have_nothing_in_common() -> None:
    first, second = thief_waves(Budget(queries=60, accounts=12), "E2", Pace(a_day=8.0), (1, load_corpus()), 2)
    for what in ("name", "payment", "key_id"):
        mine, other = ({getattr(caller, what) for caller in wave.callers} for wave in (first, second))
        assert not mine & other
    assert len(first.callers) == len(second.callers) == 6
    assert min(len(first.slots), len(second.slots)) >= 60


def test_a_plan_gives_every_adaptive_cell_each_strategy_and_no_passive_one(tmp_path: Path) -> None:
    text = (
        '[[defence]]\nname = "none"\nsettings = "none.toml"\nverdict = "none"\n[[cells]]\ntasks = ["toy"]\n'
        'defences = ["none"]\nattacks = ["soft"]\nthieves = ["passive", "adaptive"]\naccounts = 10\n'
        'strategies = ["clean", "cover", "slow"]\n'
    )
    (tmp_path / "none.toml").write_text((packaged_folder() / "none.toml").read_text())
    (tmp_path / "plan.toml").write_text(text)
    plan = read_plan(tmp_path / "plan.toml")
    assert [cell.strategy for cell in plan.cells] == ["", "clean", "cover", "slow"]
    assert [cell.evasion for cell in plan.cells] == ["E0", "E2", "E3-50", "E2"]
    assert [cell.budget.accounts for cell in plan.cells] == [10, 10, 10, 20]
    paces = [pace_of(cell, plan) for cell in plan.cells]
    assert [pace.infrastructure for pace in paces] == ["shared", "clean", "clean", "proxy"]
    assert paces[3].a_day == paces[2].a_day / 2
