"""Limits of the desk: who is over them is told when to come back, and is let through then."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.gateway.desk import ORDER_SECONDS
from stillwatch.gateway.meters import MemoryMeters
from stillwatch.policy.config import PlanLimit, PolicyConfig, read_policy
from stillwatch.terms.account import AccountRecord
from stillwatch.terms.action import ALLOW, Action
from tests.desk_office import NOW, Office, accused


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, PolicyConfig())
    made.key()
    made.desk.refresh(NOW)
    yield made


def test_an_account_over_its_limit_is_told_when_to_come_back_and_gets_through_then(tmp_path: Path) -> None:
    office = Office(tmp_path, PolicyConfig(limits=(PlanLimit(requests_per_minute=60, tokens_per_minute=6_000),)))
    office.key()
    office.desk.refresh(NOW)
    caller = office.caller()
    taken = [office.desk.admit(caller, ALLOW, 10, NOW) for _ in range(11)]
    assert taken[:10] == [None] * 10
    refusal = taken[10]
    assert refusal is not None and (refusal.status, refusal.code) == (429, "rate_limit_exceeded")
    assert (
        refusal.retry_after == pytest.approx(1.0, abs=0.01)
        and "60 requests and 6000 tokens a minute" in refusal.message
    )
    assert office.desk.admit(caller, ALLOW, 10, NOW + 1.0) is None


def test_settling_makes_the_next_request_wait_for_the_tokens_that_were_used(tmp_path: Path) -> None:
    office = Office(tmp_path, PolicyConfig(limits=(PlanLimit(tokens_per_minute=600),)))
    office.key()
    office.desk.refresh(NOW)
    caller = office.caller()
    assert office.desk.admit(caller, ALLOW, 10, NOW) is None
    office.desk.settle(caller, 10, 300, NOW)
    refusal = office.desk.admit(caller, ALLOW, 10, NOW)
    assert refusal is not None and refusal.retry_after == pytest.approx(21.0, abs=0.01)


def test_a_slow_rule_that_bites_limits_an_account_without_a_limit(office: Office) -> None:
    slow = Action(kind="slow", rule="s", rate_share=0.01)
    caller = office.caller()
    assert office.desk.admit(caller, slow, 1, NOW) is None
    refusal = office.desk.admit(caller, slow, 1, NOW)
    assert refusal is not None and "lowered" in refusal.message
    assert office.desk.admit(caller, replace(slow, shadow=True), 1, NOW) is None
    assert office.desk.admit(caller, ALLOW, 1, NOW) is None


def test_a_clock_that_runs_backwards_locks_nobody_out(tmp_path: Path) -> None:
    office = Office(tmp_path, PolicyConfig(limits=(PlanLimit(requests_per_minute=6),)))
    office.key()
    office.desk.refresh(NOW)
    assert office.desk.admit(office.caller(), ALLOW, 1, NOW) is None
    assert office.desk.admit(office.caller(), ALLOW, 1, NOW - 86_400) is None
    assert office.desk.admit(office.caller(), ALLOW, 1, NOW - 86_400) is not None


def test_accounts_that_others_vouch_for_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.gateway.meters.MOST_METERS", 20)
    office = Office(tmp_path, PolicyConfig(limits=(PlanLimit(requests_per_minute=6),)))
    office.desk.refresh(NOW)
    meters = office.desk.meters
    assert isinstance(meters, MemoryMeters)
    busy = office.desk.holder("busy")
    for i in range(100):
        now = NOW + 11.0 * i
        assert office.desk.admit(office.desk.holder(f"once-{i}"), ALLOW, 1, now) is None
        assert (office.desk.admit(busy, ALLOW, 1, now) is None) and office.desk.admit(busy, ALLOW, 1, now) is not None
    assert len(meters) <= 20 and office.desk.counters["meters_dropped"] == 0
    for i in range(100):
        office.desk.admit(office.desk.holder(f"flood-{i}"), ALLOW, 1, now)
    assert len(meters) <= 20 and office.desk.counters["meters_dropped"] > 0


def test_each_of_several_workers_that_count_alone_gives_its_part_of_a_limit(tmp_path: Path) -> None:
    office = Office(tmp_path, PolicyConfig(limits=(PlanLimit(requests_per_minute=120),)), meters=MemoryMeters(0.5))
    office.key()
    office.desk.refresh(NOW)
    taken = [office.desk.admit(office.caller(), ALLOW, 1, NOW) for _ in range(11)]
    assert sum(one is None for one in taken) == 10
    assert taken[-1] is not None and "120 requests" in taken[-1].message


def test_a_declared_workload_is_apart_until_its_quota_is_used(tmp_path: Path) -> None:
    rule = {"name": "m", "action": "coarsen", "shadow": False, "expires_days": 30}
    office = Office(tmp_path, read_policy({"rule": [rule]}))
    office.key()
    office.control.put_account(AccountRecord(account="acme", workload="research", workload_tokens=1_000))
    office.publish(accused())
    office.desk.refresh(NOW)
    assert office.act() == ALLOW
    office.desk.settle(office.caller(), 0, 1_000, NOW)
    later = office.act(NOW + 2 * ORDER_SECONDS)
    assert (later.kind, later.reason) == ("coarsen", "quota")
    office.desk.refresh(NOW + 86_400)
    assert office.act(NOW + 86_400) == ALLOW
