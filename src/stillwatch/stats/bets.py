"""Bet on a success rate: e-values for counts against a stated rate.

In: successes and trials in the unit that is exchangeable. Out: nats against "the rate is at most
p0" or "at least p0". Valid at every sample size, and at every stopping time when trials come in
one by one, because a mixture of likelihood ratios is a test martingale.
Cost: about a microsecond an entry. Left to `two_sample`: a rate that is not known but compared.
Source: Wald 1945; Robbins 1970; Shafer 2021, "Testing by betting", section 4.
"""

import numpy as np
from scipy.special import betaln, logsumexp

from stillwatch.stats.arrays import FloatArray, FloatLike, IntArray, IntLike, at_most, counts, strictly_within
from stillwatch.stats.incomplete import log_betainc

JEFFREYS = (0.5, 0.5)
"""Beta prior over the true rate that the bets use unless told otherwise."""


def bernoulli_bet(
    hits: IntLike,
    trials: IntLike,
    p0: FloatLike,
    *,
    prior: tuple[float, float] = JEFFREYS,
    alternatives: FloatLike | None = None,
) -> FloatArray:
    """Return nats against "each trial succeeds with chance at most p0".

    Args:
        hits: Successes; at most `trials`.
        trials: Trials.
        p0: Greatest chance of a success under the null, strictly between 0 and 1; broadcast.
        prior: Beta(a, b), both above 0, cut to (p0, 1]: where the money is put.
        alternatives: Instead of the prior, rates in (p0, 1) for every p0, bet on equally; shape (n_alternatives,).

    Returns:
        Nats, the common shape of `hits`, `trials` and `p0`. No trials give 0.

    Raises:
        ValueError: counts or rates are out of range.

    >>> bernoulli_bet([0, 12, 12], [0, 100, 1000], 0.02).round(3).tolist()
    [0.0, 9.591, -5.262]
    """
    won, lost, null, other = _counts_and_rates(hits, trials, p0)
    if alternatives is None:
        return _cut_prior_bet(won, lost, (null, other), prior)
    rates = _alternatives(alternatives)
    if float(np.min(rates)) <= float(np.max(null, initial=0.0)):
        raise ValueError("alternatives: has a rate at or below p0; all must lie above it.")
    return _grid_bet(won, lost, (null, other), rates)


def bernoulli_bet_below(
    hits: IntLike,
    trials: IntLike,
    p0: FloatLike,
    *,
    prior: tuple[float, float] = JEFFREYS,
    alternatives: FloatLike | None = None,
) -> FloatArray:
    """Return nats against "each trial succeeds with chance at least p0"; mirror of `bernoulli_bet`.

    Args:
        hits: Successes; at most `trials`.
        trials: Trials.
        p0: Least chance of a success under the null, strictly between 0 and 1; broadcast.
        prior: Beta(a, b), both above 0, cut to [0, p0).
        alternatives: Instead of the prior, rates in (0, p0) for every p0, bet on equally.

    Raises:
        ValueError: counts or rates are out of range.

    >>> bernoulli_bet_below([0, 1, 40], [0, 100, 100], 0.2).round(3).tolist()
    [0.0, 16.751, -3.887]
    """
    won, lost, null, other = _counts_and_rates(hits, trials, p0)
    if alternatives is None:
        return _cut_prior_bet(lost, won, (other, null), (prior[1], prior[0]))
    rates = _alternatives(alternatives)
    if float(np.max(rates)) >= float(np.min(null, initial=1.0)):
        raise ValueError("alternatives: has a rate at or above p0; all must lie below it.")
    return _grid_bet(won, lost, (null, other), rates)


def _counts_and_rates(
    hits: IntLike, trials: IntLike, p0: FloatLike
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    won, tried = counts("hits", hits), counts("trials", trials)
    null = np.asarray(p0, dtype=np.float64)
    if not bool(np.all((null > 0.0) & (null < 1.0))):
        raise ValueError("p0: has an entry outside (0, 1) or NaN; a certain or impossible event is no bet.")
    won, tried, null = np.broadcast_arrays(won, tried, null)
    at_most("hits", won, "trials", tried)
    return won, tried - won, null, 1.0 - null


def _alternatives(alternatives: FloatLike) -> FloatArray:
    rates = np.asarray(alternatives, dtype=np.float64).ravel()
    if rates.size == 0 or not bool(np.all((rates > 0.0) & (rates < 1.0))):
        raise ValueError("alternatives: must hold at least one rate, each strictly between 0 and 1.")
    return rates


def _cut_prior_bet(
    won: IntArray, lost: IntArray, null: tuple[FloatArray, FloatArray], prior: tuple[float, float]
) -> FloatArray:
    """Integrate the likelihood ratio over Beta(a, b) cut to (p0, 1]; `null` is (p0, 1 - p0)."""
    strictly_within("prior[0]", prior[0], 0.0, np.inf)
    strictly_within("prior[1]", prior[1], 0.0, np.inf)
    p0, q0 = null
    a, b = np.float64(prior[0]), np.float64(prior[1])
    # P(Beta(a, b) > p0) = I_{1 - p0}(b, a), kept in logs on both sides of the ratio.
    after = betaln(a + won, b + lost) + log_betainc(b + lost, a + won, q0, p0)
    before = betaln(a, b) + log_betainc(np.asarray(b), np.asarray(a), q0, p0)
    return np.asarray(after - before - won * np.log(p0) - lost * np.log(q0))


def _grid_bet(won: IntArray, lost: IntArray, null: tuple[FloatArray, FloatArray], rates: FloatArray) -> FloatArray:
    p0, q0 = (v[..., None] for v in null)
    ratios = won[..., None] * (np.log(rates) - np.log(p0)) + lost[..., None] * (np.log1p(-rates) - np.log(q0))
    return np.asarray(logsumexp(ratios, axis=-1) - np.log(rates.size))
