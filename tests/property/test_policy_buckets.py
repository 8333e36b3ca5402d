"""Buckets let through no more than they promise, whatever comes and when."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.policy.buckets import DAY, MOST_DEBT, Meter, Rate, rate_of
from stillwatch.policy.config import PlanLimit, PolicyConfig

STEPS = st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 3_000.0)), min_size=1, max_size=60)
"""(seconds since the request before, tokens)"""


def _admitted(rate: Rate, steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    meter, now, found = Meter(), 1_000.0, []
    for pause, tokens in steps:
        now += pause
        if meter.take(rate, tokens, now) == 0.0:
            found.append((now, tokens))
    return found


@given(STEPS, st.floats(0.1, 50.0), st.floats(1.0, 2_000.0), st.floats(0.5, 30.0))
def test_no_span_of_time_lets_through_more_than_rate_times_span_and_burst(
    steps: list[tuple[float, float]], requests: float, tokens: float, burst: float
) -> None:
    taken = _admitted(Rate(requests=requests, tokens=tokens, burst=burst), steps)
    for i in range(len(taken)):
        total = 0.0
        for j in range(i, len(taken)):
            total += taken[j][1]
            span = taken[j][0] - taken[i][0]
            largest = max(one for _, one in taken[i : j + 1])
            assert j - i + 1 <= requests * (span + max(burst, 1.0 / requests)) * (1 + 1e-6) + 1e-3
            assert total <= tokens * (span + max(burst, largest / tokens)) * (1 + 1e-6) + tokens * 1e-5


@given(STEPS, st.floats(0.1, 50.0), st.floats(1.0, 2_000.0))
def test_who_waits_as_long_as_told_gets_through_and_is_charged_for_neither_when_refused(
    steps: list[tuple[float, float]], requests: float, tokens: float
) -> None:
    rate, meter, now = Rate(requests=requests, tokens=tokens, burst=5.0), Meter(), 0.0
    for pause, cost in steps:
        now += pause
        before = (meter.requests_at, meter.tokens_at)
        wait = meter.take(rate, cost, now)
        if wait:
            assert (meter.requests_at, meter.tokens_at) == before
            now += wait
            assert meter.take(rate, cost, now) == 0.0


@given(st.floats(1.0, 1e5), st.floats(0.0, 1e5))
def test_settling_charges_what_was_used_and_gives_back_the_rest(estimated: float, used: float) -> None:
    rate = Rate(tokens=1_000.0, burst=10.0)
    settled, direct = Meter(), Meter()
    settled.take(rate, estimated, 0.0)
    settled.settle(used - estimated, 0.0)
    direct.take(rate, used, 0.0)
    assert settled.tokens_at == pytest.approx(direct.tokens_at, abs=1e-6)


def test_an_answer_of_any_length_stops_an_account_for_an_hour_at_most() -> None:
    rate, meter = Rate(tokens=1.0, burst=10.0), Meter()
    meter.take(rate, 1.0, 0.0)
    meter.settle(1e9, 0.0)
    assert 0.0 < meter.take(rate, 1.0, 1.0) <= MOST_DEBT
    assert meter.take(rate, 1.0, MOST_DEBT) == 0.0


def test_nothing_is_limited_where_no_limit_is_set_and_a_slow_rule_limits_all_the_same() -> None:
    config = PolicyConfig()
    assert not rate_of("any", config).limited
    slowed = rate_of("any", config, keeps=0.5)
    assert slowed.requests == pytest.approx(5.0) and slowed.tokens == pytest.approx(400_000 / 120)


def test_the_first_limit_that_fits_the_plan_holds_in_the_worker_s_part() -> None:
    config = PolicyConfig(limits=(PlanLimit(plan="free*", requests_per_minute=60), PlanLimit(tokens_per_minute=600)))
    assert rate_of("free-trial", config, part=0.5) == Rate(requests=0.5, burst=10.0)
    assert rate_of("paid", config) == Rate(tokens=10.0, burst=10.0)
    assert math.isinf(rate_of("paid", config, keeps=1.0).requests)


def test_a_declared_workload_has_its_quota_anew_each_day() -> None:
    meter = Meter()
    assert meter.workload_left(100, DAY) and not meter.workload_left(0, DAY)
    meter.spend_workload(100, DAY + 5)
    assert not meter.workload_left(100, DAY + 6)
    assert meter.workload_left(100, 2 * DAY)
    meter.spend_workload(1, 2 * DAY)
    assert meter.workload_tokens == 1
