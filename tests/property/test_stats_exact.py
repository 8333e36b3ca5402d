"""Promises of `stats.exact`: the tails are the tails, down to where floats end."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom, hypergeom, poisson

from stillwatch.stats.exact import (
    binomial_tail,
    collision_tail,
    collision_tail_any,
    hypergeometric_tail,
    poisson_tail,
)


def log_fraction(value: Fraction) -> float:
    return math.log(value.numerator) - math.log(value.denominator)


@given(population=st.integers(1, 300), data=st.data())
def test_hypergeometric_tail_is_the_exact_fraction(population: int, data: st.DataObject) -> None:
    marked = data.draw(st.integers(0, population))
    drawn = data.draw(st.integers(0, population))
    k = data.draw(st.integers(0, min(marked, drawn)))
    ways = sum(
        math.comb(marked, x) * math.comb(population - marked, drawn - x) for x in range(k, min(marked, drawn) + 1)
    )
    expected = log_fraction(Fraction(ways, math.comb(population, drawn)))
    assert float(hypergeometric_tail(k, marked, drawn, population)) == pytest.approx(expected, abs=1e-9, rel=1e-11)


@given(n=st.integers(0, 200), numerator=st.integers(1, 999), share=st.floats(0, 1))
def test_binomial_tail_is_the_exact_fraction(n: int, numerator: int, share: float) -> None:
    p, k = Fraction(numerator, 1000), round(share * n)
    tail = sum(math.comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(k, n + 1))
    assert float(binomial_tail(k, n, float(p))) == pytest.approx(log_fraction(Fraction(tail)), abs=1e-10, rel=1e-10)


@given(k=st.integers(0, 4000), mean=st.floats(1e-6, 3000))
def test_poisson_tail_agrees_with_the_sum_of_its_terms(k: int, mean: float) -> None:
    x = np.arange(k, k + 2000 + int(2 * mean))
    found = float(poisson_tail(k, mean))
    assert found == pytest.approx(min(float(logsumexp(poisson.logpmf(x, mean))), 0.0), rel=1e-9, abs=1e-9)


@given(k=st.integers(0, 3000), n=st.integers(0, 3000), p=st.floats(1e-6, 0.999999))
def test_deep_binomial_tail_agrees_with_the_sum_of_its_terms(k: int, n: int, p: float) -> None:
    found = float(binomial_tail(k, n, p))
    expected = float(logsumexp(binom.logpmf(np.arange(k, n + 1), n, p))) if k <= n else -math.inf
    assert found == pytest.approx(min(expected, 0.0), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("k", "marked", "drawn", "population"),
    [(300, 1000, 1000, 10**6), (5, 40, 10**5, 10**8), (500_500, 10**6, 10**6, 2 * 10**6), (1, 3, 7, 10**9)],
)
def test_hypergeometric_tail_of_large_populations_agrees_with_summing(
    k: int, marked: int, drawn: int, population: int
) -> None:
    x = np.arange(k, min(marked, drawn, k + 20_000) + 1)
    expected = float(logsumexp(hypergeom.logpmf(x, population, marked, drawn)))
    assert float(hypergeometric_tail(k, marked, drawn, population)) == pytest.approx(expected, rel=1e-6, abs=1e-5)


def test_tails_take_arrays_and_their_ends() -> None:
    assert hypergeometric_tail([[0, 9]], 3, 4, 10).tolist() == [[0.0, -math.inf]]
    assert hypergeometric_tail(2, 5, 4, 5 + 2).tolist() == 0.0  # at least 2 of 4 must be marked
    assert binomial_tail([1, 1], 5, [0.0, 1.0]).tolist() == [-math.inf, 0.0]
    assert poisson_tail([0, 1], 0.0).tolist() == [0.0, -math.inf]


@given(members=st.integers(1, 5), weights=st.lists(st.integers(1, 9), min_size=1, max_size=4), k=st.integers(0, 5))
def test_collision_bounds_hold_over_every_draw(members: int, weights: list[int], k: int) -> None:
    share = np.array(weights) / sum(weights)
    chance_first = chance_any = 0.0
    for draw in itertools.product(range(len(share)), repeat=members):
        weight = math.prod(share[list(draw)])
        seen = np.bincount(draw, minlength=len(share))
        chance_first += weight * (seen[0] >= k)
        chance_any += weight * (seen.max() >= k)
    assert math.exp(float(collision_tail(k, members, share[0]))) == pytest.approx(chance_first, abs=1e-12)
    assert math.exp(collision_tail_any(k, members, share)) >= chance_any - 1e-12
    picked = math.exp(float(collision_tail(k, members, share.max(), n_values=len(share))))
    assert picked >= math.exp(collision_tail_any(k, members, share)) - 1e-12


def test_tails_refuse_impossible_figures() -> None:
    with pytest.raises(ValueError, match="marked: exceeds population"):
        hypergeometric_tail(0, 11, 3, 10)
    with pytest.raises(ValueError, match="whole number"):
        binomial_tail(1.5, 3, 0.5)
    with pytest.raises(ValueError, match="negative"):
        poisson_tail(-1, 2.0)
    with pytest.raises(ValueError, match="sum to 1.2"):
        collision_tail_any(2, 5, [0.6, 0.6])
    with pytest.raises(ValueError, match="n_values"):
        collision_tail(2, 5, 0.1, n_values=0)
