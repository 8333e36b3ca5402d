"""Promises of `stats.bets` and `stats.two_sample`: expectation at most 1 under the null, by enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import beta, binom, hypergeom, nchypergeom_fisher

from stillwatch.stats.bets import bernoulli_bet, bernoulli_bet_below
from stillwatch.stats.two_sample import LOG_ODDS, two_sample_bet

rates = st.floats(1e-4, 0.999)


def expectation(log_pmf: np.ndarray, log_e: np.ndarray) -> float:
    """Mean e-value; in logs, because the e-value of an all but impossible outcome overflows."""
    return float(np.exp(logsumexp(log_pmf + log_e)))


@given(n=st.integers(0, 150), p0=rates, share=st.floats(0, 1), a=st.floats(0.2, 5), b=st.floats(0.2, 5))
def test_bet_has_expectation_at_most_one_at_every_rate_the_null_allows(
    n: int, p0: float, share: float, a: float, b: float
) -> None:
    k = np.arange(n + 1)
    e = bernoulli_bet(k, n, p0, prior=(a, b))
    assert expectation(binom.logpmf(k, n, p0), e) == pytest.approx(1.0, abs=1e-8)
    assert expectation(binom.logpmf(k, n, p0 * share), e) <= 1 + 1e-8
    below = bernoulli_bet_below(k, n, p0, prior=(a, b))
    assert expectation(binom.logpmf(k, n, p0), below) == pytest.approx(1.0, abs=1e-8)
    assert expectation(binom.logpmf(k, n, p0 + (1 - p0) * share), below) <= 1 + 1e-8


@given(n=st.integers(0, 150), p0=st.floats(0.01, 0.5), share=st.floats(0, 1))
def test_bet_on_fixed_alternatives_has_expectation_at_most_one(n: int, p0: float, share: float) -> None:
    k = np.arange(n + 1)
    e = bernoulli_bet(k, n, p0, alternatives=[0.55, 0.7, 0.99])
    assert expectation(binom.logpmf(k, n, p0 * share), e) <= 1 + 1e-9
    below = bernoulli_bet_below(k, n, p0, alternatives=[0.001, 0.009])
    assert expectation(binom.logpmf(k, n, p0 + (1 - p0) * share), below) <= 1 + 1e-9


@settings(deadline=None)
@given(n=st.integers(1, 400), share=st.floats(0, 1), p0=st.floats(0.01, 0.95))
def test_bet_is_the_likelihood_ratio_integrated_over_the_cut_prior(n: int, share: float, p0: float) -> None:
    k = round(share * n)
    values = []
    for low, high, mass in [(p0, 1.0, beta.sf(p0, 0.5, 0.5)), (0.0, p0, beta.cdf(p0, 0.5, 0.5))]:
        # p = sin(t)**2 takes the Beta(1/2, 1/2) density to a constant; the peak is divided out.
        t0, t1 = math.asin(math.sqrt(low)), math.asin(math.sqrt(high))
        grid = np.linspace(t0, t1, 20_001)[1:-1]

        def log_ratio(t: float | np.ndarray) -> np.ndarray:
            return 2 * k * np.log(np.sin(t) / math.sqrt(p0)) + 2 * (n - k) * np.log(np.cos(t) / math.sqrt(1 - p0))

        top = float(np.max(log_ratio(grid)))
        best = float(grid[int(np.argmax(log_ratio(grid)))])
        inside = [t for t in (best - 0.1, best, best + 0.1) if t0 < t < t1]
        area = quad(lambda t, top=top: math.exp(float(log_ratio(t)) - top), t0, t1, points=inside, limit=300)[0]
        values.append(top + math.log(2 / math.pi * area / mass))
    assert float(bernoulli_bet(k, n, p0)) == pytest.approx(values[0], abs=1e-6)
    assert float(bernoulli_bet_below(k, n, p0)) == pytest.approx(values[1], abs=1e-6)


@given(n=st.integers(0, 100), share=st.floats(0, 1), a=st.floats(0.2, 5), b=st.floats(0.2, 5))
def test_bet_against_too_few_is_the_bet_against_too_many_failures(n: int, share: float, a: float, b: float) -> None:
    k = round(share * n)
    for p0 in (0.0625, 0.5):  # 1 - p0 is exact in binary
        mirrored = float(bernoulli_bet(n - k, n, 1 - p0, prior=(b, a)))
        assert float(bernoulli_bet_below(k, n, p0, prior=(a, b))) == pytest.approx(mirrored, abs=1e-9)


def test_bet_never_loses_more_than_a_few_nats_to_a_huge_sample_far_below_the_null() -> None:
    # The plain incomplete beta is 0 here; a bet that reads it would be ruined for ever.
    loss = bernoulli_bet([0, 0, 100], [10_000, 10_000_000, 10_000_000], 0.3)
    assert np.all(np.isfinite(loss)) and np.all(loss > -25) and np.all(loss < 0)


@pytest.mark.parametrize("p0", [0.02, 0.3])
def test_bet_may_be_read_after_every_trial(p0: float) -> None:
    # Exact chance that the bet ever reaches 1/alpha within 400 trials, by dynamic programming over hits.
    alpha = 0.05
    alive, crossed = np.array([1.0]), 0.0
    for n in range(1, 401):
        alive = np.concatenate([alive * (1 - p0), [0.0]]) + np.concatenate([[0.0], alive * p0])
        over = bernoulli_bet(np.arange(n + 1), n, p0) >= -math.log(alpha)
        crossed += float(alive[over].sum())
        alive[over] = 0.0
    assert 0.2 * alpha < crossed <= alpha


def test_bets_refuse_what_is_no_bet() -> None:
    with pytest.raises(ValueError, match="hits: exceeds trials"):
        bernoulli_bet(3, 2, 0.1)
    with pytest.raises(ValueError, match="p0"):
        bernoulli_bet(1, 2, 0.0)
    with pytest.raises(ValueError, match="above it"):
        bernoulli_bet(1, 2, 0.3, alternatives=[0.2])
    with pytest.raises(ValueError, match="below it"):
        bernoulli_bet_below(1, 2, 0.3, alternatives=[0.4])
    with pytest.raises(ValueError, match="prior"):
        bernoulli_bet(1, 2, 0.3, prior=(0.0, 1.0))


tables = st.tuples(st.integers(0, 60), st.integers(1, 200), st.floats(0, 1))


@given(table=tables)
def test_two_sample_bet_has_expectation_one_over_all_relabellings(table: tuple[int, int, float]) -> None:
    n_a, n_b, share = table
    marked = round(share * (n_a + n_b))
    x = np.arange(max(0, marked - n_b), min(marked, n_a) + 1)
    log_e = two_sample_bet(x, n_a, marked - x, n_b)
    assert expectation(hypergeom.logpmf(x, n_a + n_b, marked, n_a), log_e) == pytest.approx(1.0, abs=1e-9)


@given(table=tables, odds=st.floats(0.01, 1.0))
def test_two_sample_bet_holds_when_members_carry_the_mark_less_often(
    table: tuple[int, int, float], odds: float
) -> None:
    n_a, n_b, share = table
    marked = round(share * (n_a + n_b))
    x = np.arange(max(0, marked - n_b), min(marked, n_a) + 1)
    if x.size == 1:
        return
    log_e = two_sample_bet(x, n_a, marked - x, n_b)
    log_pmf = hypergeom.logpmf(x, n_a + n_b, marked, n_a) + x * math.log(odds)
    assert expectation(log_pmf - logsumexp(log_pmf), log_e) <= 1 + 1e-9


def test_two_sample_bet_over_literal_permutations_averages_to_one() -> None:
    marks = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    hits = [int(marks[list(chosen)].sum()) for chosen in itertools.combinations(range(8), 3)]
    e = np.exp(two_sample_bet(hits, 3, 3 - np.array(hits), 5))
    assert float(e.mean()) == pytest.approx(1.0, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(n_a=st.integers(1, 25), n_b=st.integers(1, 60), share=st.floats(0.05, 0.95), part=st.floats(0, 1))
def test_two_sample_bet_agrees_with_scipys_noncentral_hypergeometric(
    n_a: int, n_b: int, share: float, part: float
) -> None:
    marked = round(share * (n_a + n_b))
    low, high = max(0, marked - n_b), min(marked, n_a)
    x = low + round(part * (high - low))
    null = hypergeom.pmf(x, n_a + n_b, marked, n_a)
    odds = np.exp(LOG_ODDS[LOG_ODDS < 5])
    ratios = [nchypergeom_fisher.pmf(x, n_a + n_b, marked, n_a, w) / null for w in odds]
    found = float(two_sample_bet(x, n_a, marked - x, n_b, log_odds=np.log(odds)))
    if np.mean(ratios) > 1e-6:  # SciPy's tail is no better than that
        assert found == pytest.approx(math.log(np.mean(ratios)), abs=1e-6)


@pytest.mark.parametrize(
    ("n_a", "n_b", "marked"),
    [(1000, 10**6, 5000), (10**5, 10**6, 3 * 10**5), (10**6, 10**6, 10**6), (50, 10**6, 3)],
)
@pytest.mark.parametrize("odds", [0.0005, 0.1, 2.0])
def test_two_sample_bet_stays_exact_with_a_million_controls(n_a: int, n_b: int, marked: int, odds: float) -> None:
    x = np.arange(max(0, marked - n_b), min(marked, n_a) + 1)
    log_e = two_sample_bet(x, n_a, marked - x, n_b, log_odds=[odds])
    assert expectation(hypergeom.logpmf(x, n_a + n_b, marked, n_a), log_e) == pytest.approx(1.0, abs=1e-5)


def test_two_sample_bet_grows_with_the_members_hits() -> None:
    nats = two_sample_bet(np.arange(21), 20, 30, 1000)
    assert np.all(np.diff(nats) > 0) and nats[0] < 0 < nats[10]


def test_two_sample_bet_refuses_impossible_tables() -> None:
    with pytest.raises(ValueError, match="hits_a: exceeds n_a"):
        two_sample_bet(3, 2, 0, 5)
    with pytest.raises(ValueError, match="log_odds"):
        two_sample_bet(1, 2, 0, 5, log_odds=[0.0])
