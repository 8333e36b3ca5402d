"""Promises of `stats.evalues`: e-values stay e-values, and the logs say what the plain numbers say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom

from stillwatch.stats.evalues import (
    log_e_all_or_nothing,
    log_e_from_log_p,
    log_e_from_p,
    log_threshold,
    mean_log_e,
    mean_log_e_by,
    min_log_e,
    sum_log_e,
)
from stillwatch.stats.exact import binomial_tail

KAPPAS = [0.01, 0.1, 0.5, 0.9, 0.99, None]
nats = st.floats(-300, 300)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_calibrator_of_a_uniform_p_value_has_expectation_one(kappa: float | None) -> None:
    # Over x = -log p, whose density is exp(-x); the tail of the mixture is 1 / x**2, added in closed form.
    def integrand(x: float) -> float:
        return math.exp(float(log_e_from_log_p(-x, kappa=kappa)) - x)

    end = 5000.0
    body = sum(quad(integrand, a, b, limit=200)[0] for a, b in [(0, 0.25), (0.25, 5), (5, 100), (100, end)])
    tail = 1.0 / end if kappa is None else math.exp(-kappa * end)
    assert body + tail == pytest.approx(1.0, abs=1e-6)


@given(n=st.integers(1, 80), p0=st.floats(0.01, 0.99), kappa=st.sampled_from(KAPPAS))
def test_calibrated_exact_p_value_has_expectation_at_most_one(n: int, p0: float, kappa: float | None) -> None:
    k = np.arange(n + 1)
    e = np.exp(log_e_from_log_p(binomial_tail(k, n, p0), kappa=kappa))
    assert float(binom.pmf(k, n, p0) @ e) <= 1 + 1e-9


@given(n=st.integers(1, 80), p0=st.floats(0.01, 0.99), alpha=st.floats(1e-6, 0.5))
def test_all_or_nothing_rejects_when_the_p_value_does_and_has_expectation_at_most_one(
    n: int, p0: float, alpha: float
) -> None:
    k = np.arange(n + 1)
    log_p = binomial_tail(k, n, p0)
    log_e = log_e_all_or_nothing(log_p, alpha)
    assert ((log_e >= log_threshold(alpha)) == (log_p <= math.log(alpha))).all()
    assert float(binom.pmf(k, n, p0) @ np.exp(log_e)) <= 1 + 1e-9


@given(p=st.floats(1e-12, 1.0))
def test_mixture_calibrator_is_the_average_over_kappa(p: float) -> None:
    direct = quad(lambda k: k * p ** (k - 1), 0, 1, epsabs=0, epsrel=1e-11)[0]
    assert float(log_e_from_p(p, kappa=None)) == pytest.approx(math.log(direct), abs=1e-8)


@given(a=st.floats(-900, 0), b=st.floats(-900, 0), kappa=st.sampled_from(KAPPAS))
def test_smaller_p_values_never_earn_fewer_nats(a: float, b: float, kappa: float | None) -> None:
    low, high = log_e_from_log_p([min(a, b), max(a, b)], kappa=kappa)
    assert low >= high - 1e-12


@pytest.mark.parametrize("kappa", KAPPAS)
def test_p_value_of_zero_earns_infinity_and_of_one_less_than_nothing(kappa: float | None) -> None:
    top, bottom = log_e_from_p([0.0, 1.0], kappa=kappa)
    assert top == math.inf and bottom < 0


@given(rows=st.lists(st.tuples(nats, st.floats(0.01, 10)), min_size=1, max_size=20))
def test_mean_is_the_log_of_the_weighted_mean(rows: list[tuple[float, float]]) -> None:
    log_e, weight = zip(*rows, strict=True)
    plain = math.fsum(w * math.exp(v) for v, w in rows) / math.fsum(weight)
    assert float(mean_log_e(log_e, weights=weight)) == pytest.approx(math.log(plain), abs=1e-9)


@given(rows=st.lists(st.tuples(nats | st.just(math.inf) | st.just(-math.inf), st.integers(0, 4)), max_size=30))
def test_grouped_mean_agrees_with_one_mean_a_group(rows: list[tuple[float, int]]) -> None:
    log_e, group = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=np.int64)
    expected = [float(mean_log_e(log_e[group == g])) for g in range(6)]
    assert mean_log_e_by(log_e, group, 6) == pytest.approx(expected, abs=1e-9)


@given(rows=st.lists(st.lists(nats, min_size=3, max_size=3), min_size=1, max_size=6))
def test_product_and_least_agree_with_plain_numbers_along_an_axis(rows: list[list[float]]) -> None:
    table = np.array(rows)
    assert sum_log_e(table, axis=0) == pytest.approx([math.fsum(c) for c in table.T], abs=1e-9)
    assert min_log_e(table, axis=1).tolist() == [min(r) for r in rows]
    assert mean_log_e(table, axis=1).shape == (len(rows),)


def test_average_outlives_ruin_and_product_does_not() -> None:
    assert float(mean_log_e([-math.inf, 0.0])) == pytest.approx(math.log(0.5))
    assert float(sum_log_e([-math.inf, math.inf])) == -math.inf
    assert float(mean_log_e([math.inf, 3.0], weights=[0.0, 1.0])) == pytest.approx(3.0)


def test_nothing_measured_is_no_evidence_but_no_null_is_an_error() -> None:
    assert float(mean_log_e([])) == 0.0 and float(sum_log_e([])) == 0.0
    with pytest.raises(ValueError, match="at least one null"):
        min_log_e([])


@pytest.mark.parametrize("bad", [[0.5, math.nan], [-0.1], [1.1]])
def test_what_is_no_p_value_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="p: has an entry"):
        log_e_from_p(bad)


def test_weights_and_levels_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="weights"):
        mean_log_e([1.0, 2.0], weights=[0.0, 0.0])
    with pytest.raises(ValueError, match="weights"):
        mean_log_e([1.0, 2.0], weights=[-1.0, 2.0])
    with pytest.raises(ValueError, match="alpha = 1.0"):
        log_threshold(1.0)
    with pytest.raises(ValueError, match="NaN"):
        mean_log_e([math.nan])


def test_average_of_e_values_keeps_its_promise_under_the_worst_dependence() -> None:
    # One shared coin, so that all e-values are 1/a or 0 together: Markov's bound is met exactly, never passed.
    for a in (0.5, 0.1, 0.001):
        log_e = np.array([np.full(50, -math.log(a)), np.full(50, -math.inf)])
        crossed = mean_log_e(log_e, axis=1) >= log_threshold(a) - 1e-12
        assert float(np.array([a, 1 - a]) @ crossed) <= a
