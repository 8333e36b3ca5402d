"""Promises of `stats.multiplicity`: the rate promised is the rate kept, whatever the dependence."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, norm

from stillwatch.stats.evalues import log_e_from_p, mean_log_e
from stillwatch.stats.multiplicity import benjamini_hochberg, e_bh, e_holm, holm, holm_adjusted

nats = st.lists(st.floats(-5, 12) | st.sampled_from([3.0, 4.0, math.inf, -math.inf]), max_size=9)
ps = st.lists(st.floats(0, 1) | st.sampled_from([0.01, 0.02, 0.05]), max_size=9)
levels = st.sampled_from([0.01, 0.05, 0.2])


@given(log_e=nats, q=levels, more=st.integers(0, 5))
def test_e_bh_rejects_the_largest_self_consistent_set(log_e: list[float], q: float, more: int) -> None:
    # Brute force: among all sets in which each e-value is at least K / (q |set|), the largest one.
    total, best = len(log_e) + more, set()
    for size in range(1, len(log_e) + 1):
        for chosen in itertools.combinations(range(len(log_e)), size):
            if all(log_e[i] >= math.log(total / q) - np.log(size) for i in chosen):
                best |= set(chosen)
    assert set(np.flatnonzero(e_bh(log_e, q, looked_at=total))) == best


@given(log_e=nats.filter(bool), alpha=levels)
def test_e_holm_is_closed_testing_by_averages(log_e: list[float], alpha: float) -> None:
    n = len(log_e)
    groups = [g for size in range(1, n + 1) for g in itertools.combinations(range(n), size)]
    gap = {g: float(mean_log_e([log_e[i] for i in g])) + math.log(alpha) for g in groups}
    if any(abs(v) < 1e-9 for v in gap.values()):
        return  # on the threshold to the last digit either answer is right
    expected = [all(gap[g] >= 0 for g in groups if i in g) for i in range(n)]
    assert e_holm(log_e, alpha).tolist() == expected


@given(log_e=nats.filter(bool), alpha=levels)
def test_e_holm_never_rejects_less_than_holm_on_one_over_e(log_e: list[float], alpha: float) -> None:
    p = np.minimum(np.exp(-np.array(log_e)), 1.0)
    assert np.all(e_holm(np.array(log_e) + 1e-9, alpha) >= holm(p, alpha))


@given(p=ps.filter(bool), alpha=levels)
def test_holm_is_closed_testing_by_bonferroni(p: list[float], alpha: float) -> None:
    n = len(p)
    adjusted = [
        max(
            min(1.0, min(p[j] for j in g) * len(g))
            for size in range(1, n + 1)
            for g in itertools.combinations(range(n), size)
            if i in g
        )
        for i in range(n)
    ]
    assert holm_adjusted(p) == pytest.approx(adjusted, abs=1e-12)
    assert holm(p, alpha).tolist() == (holm_adjusted(p) <= alpha).tolist()


@given(p=ps.filter(bool), q=levels)
def test_benjamini_hochberg_agrees_with_scipy(p: list[float], q: float) -> None:
    adjusted = false_discovery_control(p, method="bh")
    clear = np.abs(adjusted - q) > 1e-12
    assert np.array_equal(benjamini_hochberg(p, q)[clear], (adjusted <= q)[clear])


@pytest.mark.parametrize("q", [0.05, 0.2])
@pytest.mark.parametrize("n_true", [0, 3])
def test_e_bh_keeps_its_rate_when_all_honest_share_one_e_value(q: float, n_true: int) -> None:
    # Exact: the honest all have e = v with chance 1/v and 0 otherwise, the worst a shared e-value can do.
    honest, real = 20, [math.inf] * n_true
    for v in np.geomspace(1.0, 1e5, 60):
        wrong = e_bh(real + [math.log(v)] * honest, q)
        rate = 1 / v * wrong[n_true:].sum() / max(wrong.sum(), 1)
        assert rate <= q + 1e-12


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.99, -1.0])
def test_e_bh_keeps_its_rate_under_shared_and_opposed_noise(shared: float) -> None:
    rng = np.random.default_rng(20240607)
    runs, honest, real, q = 4000, 40, 10, 0.1
    common, own = rng.normal(size=(runs, 1)), rng.normal(size=(runs, honest + real))
    if shared < 0:
        noise = common * np.where(np.arange(honest + real) % 2, 1.0, -1.0)
    else:
        noise = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
    p = norm.sf(noise + 3.0 * (np.arange(honest + real) >= honest))
    wrong = np.array([e_bh(row, q) for row in log_e_from_p(p)])
    share = wrong[:, :honest].sum(axis=1) / np.maximum(wrong.sum(axis=1), 1)
    assert wrong[:, honest:].any()
    assert share.mean() <= q + 4 * share.std() / math.sqrt(runs)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_e_holm_keeps_its_rate_when_all_honest_share_one_e_value(alpha: float) -> None:
    for v in np.geomspace(1.0, 1e5, 60):
        wrong = e_holm([math.inf, 8.0] + [math.log(v)] * 20, alpha)
        assert 1 / v * wrong[2:].any() <= alpha + 1e-9


@pytest.mark.parametrize("method", [e_bh, e_holm, holm, benjamini_hochberg])
def test_nothing_to_judge_rejects_nothing_and_tables_are_refused(method: object) -> None:
    assert method([], 0.05).shape == (0,)  # type: ignore[operator]
    with pytest.raises(ValueError, match="dimensions"):
        method([[0.5]], 0.05)  # type: ignore[operator]
    with pytest.raises(ValueError, match="strictly between"):
        method([0.5], 1.0)  # type: ignore[operator]


def test_hypotheses_looked_at_cannot_be_fewer_than_those_given() -> None:
    with pytest.raises(ValueError, match="looked_at = 1"):
        e_bh([1.0, 2.0], 0.05, looked_at=1)
