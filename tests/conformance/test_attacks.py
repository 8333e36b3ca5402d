"""Every attack of the catalogue: deterministic under its chance, within its budget, and it sees nothing it must not."""

import asyncio
from functools import cache

import numpy as np
import pytest

from stillwatch.lab.attacks import ATTACKS
from stillwatch.lab.manifest import digest_of
from stillwatch.lab.task import Attack, HarvestRow, Job
from stillwatch.lab.tasks.labels import LabelBench
from tests.lab_toy import DirectClient, toy_bench

BUDGET = 60


@cache
def bench() -> LabelBench:
    return toy_bench()


def runnable() -> list[str]:
    """Return the attacks that a classifier can be asked by; the others ask for reasoning."""
    return [attack.name for attack in ATTACKS if attack.needs <= bench().forms]


every_attack = pytest.mark.parametrize("name", runnable())


def run(attack: Attack, client: DirectClient) -> list[HarvestRow]:
    job = Job(thief="passive", start="base", rng=np.random.default_rng(3))

    async def collect() -> list[HarvestRow]:
        return await attack.collect(client, client.bench, job)

    return asyncio.run(collect())


@cache
def once(name: str) -> tuple[tuple[HarvestRow, ...], DirectClient]:
    client = DirectClient(bench(), BUDGET)
    return tuple(run(ATTACKS.get(name), client)), client


@every_attack
def test_the_same_chance_asks_the_same_and_brings_home_the_same(name: str) -> None:
    rows, client = once(name)
    again = DirectClient(bench(), BUDGET)
    assert digest_of(run(ATTACKS.get(name), again)) == digest_of(rows)
    assert again.asked == client.asked


@every_attack
@pytest.mark.parametrize("budget", [1, 7])
def test_no_more_is_asked_than_the_budget_allows(name: str, budget: int) -> None:
    client = DirectClient(bench(), budget)
    run(ATTACKS.get(name), client)
    assert len(client.asked) <= budget
    assert len(once(name)[1].asked) <= BUDGET


@every_attack
def test_a_thief_that_is_turned_away_brings_home_what_it_had(name: str) -> None:
    client = DirectClient(bench(), 30, refuse_after=10)
    rows = run(ATTACKS.get(name), client)
    assert len(rows) <= 10 + 15  # what was answered, and what another provider gave to `mixed`
    assert all(row.answer for row in rows)


@every_attack
def test_right_answers_of_the_pool_are_in_no_row(name: str) -> None:
    owned = {item.id for item in bench().seeds}
    assert all(row.item.answer == "" or row.item.id in owned for row in once(name)[0])


@every_attack
def test_what_is_brought_home_does_not_unteach(name: str) -> None:
    """Five standard errors of 200 paired items are 11 points."""
    rows, _ = once(name)
    student = bench().train(rows, "base", np.random.default_rng(0))
    right = [bench().right(item, said) for item, said in zip(bench().test, student.answers(bench().test), strict=True)]
    base = bench().base("base").answers(bench().test)
    before = [bench().right(item, said) for item, said in zip(bench().test, base, strict=True)]
    assert sum(right) >= sum(before) - 0.11 * len(right)
