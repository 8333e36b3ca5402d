"""Promises of `stats.intervals` and `stats.correlation`: they cover, and habits are told from chance."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from stillwatch.stats.correlation import (
    Realised,
    intraclass_correlation,
    intraclass_interval,
    realised_after,
)
from stillwatch.stats.intervals import BootstrapConfig, bootstrap_interval, clopper_pearson, ratio_upper, wilson

FEW = BootstrapConfig(resamples=400)


@given(n=st.integers(1, 200), rate=st.floats(0.001, 0.999), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_exact_interval_covers_every_rate(n: int, rate: float, confidence: float) -> None:
    k = np.arange(n + 1)
    low, high = clopper_pearson(k, n, confidence=confidence)
    assert binom.pmf(k, n, rate)[(low <= rate) & (rate <= high)].sum() >= confidence - 1e-12


@given(n=st.integers(1, 200), rate=st.floats(0.001, 0.999), nominal=st.sampled_from([0.001, 0.01, 0.1]))
def test_upper_ratio_is_too_low_at_most_one_time_in_twenty(n: int, rate: float, nominal: float) -> None:
    k = np.arange(n + 1)
    assert binom.pmf(k, n, rate)[ratio_upper(k, n, nominal) * nominal < rate].sum() <= 0.05 + 1e-12


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_rate_intervals_agree_with_scipy(n: int, share: float) -> None:
    k = round(share * n)
    for mine, name in [(clopper_pearson, "exact"), (wilson, "wilson")]:
        theirs = binomtest(k, n).proportion_ci(0.95, method=name)
        assert [float(end) for end in mine(k, n)] == pytest.approx([theirs.low, theirs.high], abs=1e-9)


def test_wilson_covers_on_average() -> None:
    k, n = np.arange(61), 60
    low, high = wilson(k, n)
    rates = np.linspace(0.02, 0.98, 193)
    covered = [binom.pmf(k, n, r)[(low <= r) & (r <= high)].sum() for r in rates]
    assert 0.94 <= np.mean(covered) <= 0.97


def test_no_trials_say_nothing() -> None:
    assert [float(e) for e in clopper_pearson(0, 0)] == [0.0, 1.0]
    assert [float(e) for e in wilson(0, 0)] == [0.0, 1.0]


def habits(rng: np.random.Generator, accounts: int, blocks: int, share: float) -> np.ndarray:
    """Normal block scores in which `share` of the variance is the account's habit; shape (accounts, blocks)."""
    own = rng.normal(size=(accounts, 1))
    return math.sqrt(share) * own + math.sqrt(1 - share) * rng.normal(size=(accounts, blocks))


def test_cluster_bootstrap_covers_where_the_plain_one_does_not() -> None:
    rng = np.random.default_rng(11)
    runs, accounts, blocks = 100, 40, 10
    name = np.repeat(np.arange(accounts), blocks)
    hits = {True: 0, False: 0}
    for _ in range(runs):
        values = habits(rng, accounts, blocks, 0.5).ravel()
        for clustered in hits:
            low, high = bootstrap_interval(
                values,
                lambda v: float(v.mean()),
                rng,
                cluster=name if clustered else None,
                config=BootstrapConfig(resamples=150),
            )
            hits[clustered] += low <= 0 <= high
    assert hits[True] >= runs * (0.93 - 4 * math.sqrt(0.93 * 0.07 / runs))
    assert hits[False] < hits[True]


def textbook_icc(groups: list[np.ndarray]) -> float:
    values, k, n = np.concatenate(groups), len(groups), sum(map(len, groups))
    between = sum(len(g) * (g.mean() - values.mean()) ** 2 for g in groups) / (k - 1)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (n - k)
    typical = (n - sum(len(g) ** 2 for g in groups) / n) / (k - 1)
    return float((between - within) / (between + (typical - 1) * within))


ragged = st.lists(st.integers(1, 6), min_size=2, max_size=8).filter(lambda sizes: max(sizes) > 1)


@given(seed=st.integers(0, 10**6), sizes=ragged)
def test_correlation_is_the_textbook_estimate_whatever_the_order(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    groups = [rng.normal(100 + 3 * rng.normal(), 1, n) for n in sizes]
    values, account = np.concatenate(groups), np.repeat(np.arange(len(sizes)) * 7, sizes)
    order = rng.permutation(values.size)
    assert intraclass_correlation(values[order], account[order]) == pytest.approx(textbook_icc(groups), abs=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_correlation_finds_the_share_of_habit(share: float) -> None:
    rng = np.random.default_rng(5)
    values = habits(rng, 400, 6, share)
    kept = rng.random(values.shape) < 0.8
    account = np.repeat(np.arange(400), 6).reshape(values.shape)[kept]
    found = intraclass_correlation(values[kept], account)
    low, high = intraclass_interval(values[kept], account, rng, config=FEW)
    assert low <= found <= high and high - low < 0.15
    assert abs(found - share) <= high - low  # twice the half width: four standard errors


def test_correlation_interval_is_the_bootstrap_of_whole_accounts() -> None:
    rng = np.random.default_rng(8)
    values = habits(rng, 30, 4, 0.4)
    table = np.column_stack([values.ravel(), np.repeat(np.arange(30), 4)])
    fast = intraclass_interval(table[:, 0], table[:, 1].astype(int), rng, config=BootstrapConfig(resamples=4000))
    drawn = []
    for _ in range(2000):
        chosen = values[rng.integers(30, size=30)]
        drawn.append(textbook_icc(list(chosen)))
    slow = np.quantile(drawn, [0.025, 0.975])
    assert fast == pytest.approx(slow.tolist(), abs=0.05)


def test_correlation_of_too_little_is_not_a_number() -> None:
    assert math.isnan(intraclass_correlation([1.0, 2.0], np.array([1, 1])))
    assert math.isnan(intraclass_correlation([1.0, 2.0], np.array([1, 2])))
    assert math.isnan(intraclass_correlation([1.0, 1.0, 1.0, 1.0], np.array([1, 1, 2, 2])))


def rows(found: list[Realised]) -> dict[tuple[str, int], Realised]:
    return {(row.combination, row.blocks): row for row in found}


def test_averaging_keeps_the_promise_for_odd_accounts_and_multiplying_breaks_it() -> None:
    rng = np.random.default_rng(13)
    accounts, alpha = 20_000, 0.01
    name = np.repeat(np.arange(accounts), 30)
    table = rows(realised_after(norm.sf(habits(rng, accounts, 30, 0.3)).ravel(), name, alpha=alpha))
    slack = alpha + 4 * math.sqrt(alpha / accounts)
    assert all(table["average", h].rate <= slack for h in (1, 7, 30))
    assert table["product", 30].rate > 5 * alpha
    assert table["product", 1].alarms == table["average", 1].alarms


def test_multiplying_keeps_the_promise_at_any_time_when_blocks_are_independent() -> None:
    rng = np.random.default_rng(17)
    accounts, alpha = 20_000, 0.02
    name = np.repeat(np.arange(accounts), 30)
    table = rows(realised_after(rng.random(accounts * 30), name, alpha=alpha))
    assert table["product", 30].alarms_ever / accounts <= alpha + 4 * math.sqrt(alpha / accounts)


def test_horizons_leave_out_accounts_with_fewer_blocks() -> None:
    found = rows(realised_after([1e-9, 1.0, 1e-9, 1.0, 1.0], np.array([5, 2, 5, 2, 2]), alpha=0.01, horizons=(2, 3, 4)))
    assert [found["product", h].accounts for h in (2, 3, 4)] == [2, 1, 0]
    assert [found["product", h].alarms for h in (2, 3, 4)] == [1, 0, 0]
    assert math.isnan(found["average", 4].rate) and found["average", 4].ratio_upper == 100.0


def test_alarm_that_has_faded_still_counts_as_raised() -> None:
    found = rows(realised_after([1.0, 1e-9, 1.0, 1.0], np.ones(4, dtype=np.int64), alpha=0.0005, horizons=(4,)))
    assert (found["product", 4].alarms, found["product", 4].alarms_ever) == (0, 1)
    assert (found["average", 4].alarms, found["average", 4].alarms_ever) == (1, 1)  # 15,811 / 4 is above 2,000


def test_intervals_refuse_what_has_no_answer() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(ValueError, match="values: has no rows"):
        bootstrap_interval(np.zeros(0), lambda v: 0.0, rng)
    with pytest.raises(ValueError, match="cluster"):
        bootstrap_interval(np.zeros(3), lambda v: 0.0, rng, cluster=np.zeros(2, dtype=np.int64))
    with pytest.raises(ValueError, match="statistic: was NaN"):
        bootstrap_interval(np.zeros(3), lambda v: math.nan, rng, config=FEW)
    with pytest.raises(ValueError, match="k: exceeds n"):
        clopper_pearson(3, 2)
    with pytest.raises(ValueError, match="nominal"):
        ratio_upper(1, 2, 0.0)
    with pytest.raises(ValueError, match="resamples"):
        BootstrapConfig(resamples=3)
    with pytest.raises(ValueError, match="infinite"):
        intraclass_correlation([math.inf, 0.0], np.array([1, 2]))
    with pytest.raises(ValueError, match="account: has shape"):
        realised_after([0.5], np.array([1, 2]), alpha=0.1)
