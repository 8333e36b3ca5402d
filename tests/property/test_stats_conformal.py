"""Promises of `stats.conformal` and `stats.permutation`: exchangeable units are rarely called strange."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from stillwatch.stats.conformal import (
    conformal_log_e,
    conformal_log_e_by,
    conformal_p,
    conformal_p_by,
    worst_conformal_p,
)
from stillwatch.stats.permutation import monte_carlo_p, permutation_p

scores = st.lists(st.integers(0, 6).map(float) | st.floats(0, 10), min_size=1, max_size=20)
clusters = st.lists(st.lists(st.integers(0, 6).map(float), min_size=1, max_size=5), min_size=1, max_size=8)


@given(pool=scores, alpha=st.floats(0.01, 0.99))
def test_honest_unit_is_called_strange_no_more_often_than_stated(pool: list[float], alpha: float) -> None:
    # Any of the pool is equally likely to be the one judged: every case, ties included.
    values = np.array(pool)
    p = np.array([float(conformal_p(values[i], np.delete(values, i))) for i in range(len(values))])
    assert np.mean(p <= alpha) <= alpha + 1e-12


@given(pool=scores)
def test_honest_unit_has_a_mean_e_value_of_one(pool: list[float]) -> None:
    values = np.array(pool)
    e = [math.exp(float(conformal_log_e(values[i], np.delete(values, i)))) for i in range(len(values))]
    assert np.mean(e) == pytest.approx(1.0, abs=1e-9)


def clustered_cases(pool: list[list[float]]) -> list[tuple[float, float, np.ndarray, np.ndarray]]:
    """Chance, score, calibration and its accounts, for each score that an honest account could show first."""
    cases = []
    for i, own in enumerate(pool):
        rest = [(v, j) for j, other in enumerate(pool) if j != i for v in other]
        history, account = np.array([v for v, _ in rest]), np.array([j for _, j in rest], dtype=np.int64)
        cases += [(1 / len(pool) / len(own), score, history, account) for score in own]
    return cases


@given(pool=clusters, alpha=st.floats(0.01, 0.99))
def test_account_with_many_scores_counts_once(pool: list[list[float]], alpha: float) -> None:
    cases = clustered_cases(pool)
    false = sum(w for w, s, h, a in cases if conformal_p(s, h, cluster=a) <= alpha)
    mean_e = sum(w * math.exp(float(conformal_log_e(s, h, cluster=a))) for w, s, h, a in cases)
    assert false <= alpha + 1e-9
    assert mean_e <= 1 + 1e-9


def test_pooling_an_accounts_scores_as_if_independent_would_break_the_promise() -> None:
    # Why `cluster` is there: one odd account holds most scores, so that pooled p-values forgive it
    # and the rare score of a small account looks as strange as one in a hundred.
    pool = [[0.0] * 99, [5.0], [5.0]]
    cases = clustered_cases(pool)
    pooled = sum(w for w, s, h, _ in cases if conformal_p(s, h) <= 0.05)
    by_account = sum(w for w, s, h, a in cases if conformal_p(s, h, cluster=a) <= 0.05)
    assert pooled > 0.5 and by_account == 0.0


def test_random_ties_make_the_p_value_uniform() -> None:
    rng, n = np.random.default_rng(7), 20_000
    pool = rng.integers(0, 3, size=12).astype(float)
    judged = rng.integers(0, pool.size, size=n)
    p = np.array([float(conformal_p(pool[i], np.delete(pool, i), rng=rng)) for i in judged])
    gap = np.max(np.abs(np.sort(p) - (np.arange(n) + 0.5) / n))
    assert gap <= math.sqrt(math.log(2 / 1e-6) / (2 * n)) + 0.5 / n  # Dvoretzky-Kiefer-Wolfowitz at one in a million


@given(pool=scores, judged=scores)
def test_many_scores_are_judged_each_alone(pool: list[float], judged: list[float]) -> None:
    each = [(1 + sum(c >= s for c in pool)) / (len(pool) + 1) for s in judged]
    assert conformal_p(judged, pool) == pytest.approx(each)
    own = np.arange(len(pool))
    assert conformal_p(judged, pool, cluster=own) == pytest.approx(each)
    assert conformal_log_e(judged, pool, cluster=own) == pytest.approx(conformal_log_e(judged, pool))


@given(pool=scores, judged=scores, data=st.data())
def test_strata_are_judged_apart_and_the_worst_forgives_most(
    pool: list[float], judged: list[float], data: st.DataObject
) -> None:
    s = np.array([data.draw(st.integers(0, 3)) for _ in judged])
    c = np.array([data.draw(st.integers(0, 2)) for _ in pool])
    history = np.array(pool)
    p, nats = conformal_p_by(judged, s, pool, c), conformal_log_e_by(judged, s, pool, c)
    for i, score in enumerate(judged):
        assert p[i] == conformal_p(score, history[c == s[i]])
        assert nats[i] == conformal_log_e(score, history[c == s[i]])
    worst = worst_conformal_p(judged, [history[c == g] for g in range(3)])
    assert np.all(worst >= np.where(s < 3, p, 0.0))


def test_without_history_nothing_is_strange() -> None:
    assert float(conformal_p(9.0, [])) == 1.0
    assert float(conformal_log_e(9.0, [])) == 0.0
    assert float(conformal_log_e(0.0, [0.0, 0.0])) == 0.0


def test_conformal_refuses_what_it_cannot_judge() -> None:
    with pytest.raises(ValueError, match="score"):
        conformal_log_e(-1.0, [1.0])
    with pytest.raises(ValueError, match="cluster"):
        conformal_p(1.0, [1.0, 2.0], cluster=np.array([1]))
    with pytest.raises(ValueError, match="rng"):
        conformal_p(1.0, [1.0], cluster=np.array([1]), rng=np.random.default_rng(1))
    with pytest.raises(ValueError, match="strata"):
        worst_conformal_p(1.0, [])


@given(pool=st.lists(st.integers(0, 5).map(float), min_size=2, max_size=7), alpha=st.floats(0.01, 0.99))
def test_permutation_p_value_is_valid_over_every_labelling(pool: list[float], alpha: float) -> None:
    values = np.array(pool)
    n = len(pool) // 2
    p = []
    for chosen in itertools.combinations(range(len(pool)), n):
        rest = [i for i in range(len(pool)) if i not in chosen]
        p.append(permutation_p(values[list(chosen)], values[rest], lambda v: float(v.mean())))
    assert np.mean(np.array(p) <= alpha) <= alpha + 1e-12


def test_permutation_p_value_agrees_with_scipy_and_its_own_draws() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.8, 1, 6), rng.normal(0, 1, 7)
    exact = permutation_p(a, b, lambda v: float(v.mean()))
    theirs = permutation_test((a, b), lambda x, y: x.mean() - y.mean(), alternative="greater", n_resamples=np.inf)
    assert exact == pytest.approx(theirs.pvalue, abs=1e-12)
    drawn = permutation_p(a, b, lambda v: float(v.mean()), rng=rng, draws=4000)
    assert abs(drawn - exact) <= 5 * math.sqrt(exact * (1 - exact) / 4000) + 1 / 4000


@given(pool=scores, alpha=st.floats(0.01, 0.99))
def test_monte_carlo_p_value_is_valid_for_any_number_of_draws(pool: list[float], alpha: float) -> None:
    values = np.array(pool)
    p = np.array([float(monte_carlo_p(values[i], np.delete(values, i))) for i in range(len(values))])
    assert np.mean(p <= alpha) <= alpha + 1e-12 and p.min() >= 1 / len(values)


def test_permutation_refuses_nobody_and_far_too_many() -> None:
    with pytest.raises(ValueError, match="members: 0"):
        permutation_p(np.array([]), np.array([1.0]), lambda v: float(v.sum()))
    with pytest.raises(ValueError, match="pass rng"):
        permutation_p(np.arange(20.0), np.arange(20.0), lambda v: float(v.sum()))
