"""Turn p-values into e-values, and put e-values together, in nats.

In: p-values or log e-values of any shape. Out: log e-values; an e-value has expectation at most 1
under its null, so that exp(nats) is the odds at which the null lost a bet against it.
Cost: linear. Left to `bets` and `two_sample`: e-values straight from counts.
Source: Vovk and Wang 2021, "E-values: calibration, combination and applications", arXiv:1912.06116.
"""

import math

import numpy as np
from scipy.special import logsumexp

from stillwatch.stats.arrays import FloatArray, FloatLike, IntArray, log_values, probabilities, strictly_within


def log_threshold(alpha: float) -> float:
    """Return the nats from which one hypothesis is rejected at level `alpha`: log(1 / alpha).

    >>> round(log_threshold(0.001), 3)
    6.908
    """
    strictly_within("alpha", alpha, 0.0, 1.0)
    return -math.log(alpha)


def log_e_from_p(p: FloatLike, *, kappa: float | None = 0.5) -> FloatArray:
    """Return the nats that p-values are worth; see `log_e_from_log_p`.

    Args:
        p: Valid p-values in [0, 1], any shape.
        kappa: Exponent of the power calibrator, strictly between 0 and 1; None averages over all.

    Raises:
        ValueError: an entry of `p` is out of range or NaN, or `kappa` is out of range.

    >>> log_e_from_p([0.0001, 0.25, 1.0]).round(3).tolist()
    [3.912, 0.0, -0.693]
    """
    with np.errstate(divide="ignore"):
        return log_e_from_log_p(np.log(probabilities("p", p)), kappa=kappa)


def log_e_from_log_p(log_p: FloatLike, *, kappa: float | None = 0.5) -> FloatArray:
    """Return the nats that p-values are worth, for p-values too small for a float.

    Args:
        log_p: Natural logs of valid p-values, at most 0, any shape; `-inf` gives `inf`.
        kappa: Calibrator kappa * p**(kappa - 1), strictly between 0 and 1: near 0 rewards tiny
            p-values, near 1 loses little on large ones. None is the mixture over kappa,
            (1 - p + p log p) / (p log(p)**2), which needs no choice and is within
            2 log(-log p) nats of the unattainable 1/p.

    Returns:
        Nats, same shape; e-values with expectation 1 when p is uniform, below 1 when conservative.

    Raises:
        ValueError: an entry is above 0 or NaN, or `kappa` is out of range.

    Source: Vovk and Wang 2021, section 2 and appendix B.

    >>> log_e_from_log_p([-1000.0, 0.0], kappa=None).round(3).tolist()
    [986.184, -0.693]
    """
    log_p = log_values("log_p", log_p)
    if bool(np.any(log_p > 0.0)):
        raise ValueError("log_p: has an entry above 0; pass logs of p-values.")
    if kappa is not None:
        strictly_within("kappa", kappa, 0.0, 1.0)
        return np.asarray(math.log(kappa) + (kappa - 1.0) * log_p)
    surprise = np.asarray(-log_p)
    # e = (exp(x) - 1 - x) / x**2 with x = -log p; near 0 the numerator cancels, so its series is used.
    x = np.clip(surprise, 0.25, 1e300)
    wide = x + np.log1p(-(1.0 + x) * np.exp(-x)) - 2.0 * np.log(x)
    small = np.clip(surprise, 0.0, 0.25)
    series = np.zeros_like(small)
    for power in range(13, -1, -1):
        series = series * small + 1.0 / math.factorial(power + 2)
    return np.where(np.isinf(surprise), np.inf, np.where(surprise < 0.25, np.log(series), wide))


def log_e_all_or_nothing(log_p: FloatLike, alpha: float) -> FloatArray:
    """Return the nats of the bet that wins log(1/alpha) when p is at most `alpha`, and loses everything otherwise.

    For one decision at one level, where it rejects exactly when the p-value does. Average it, never multiply it.

    Args:
        log_p: Natural logs of valid p-values, any shape.
        alpha: Level fixed before looking, strictly between 0 and 1.

    Returns:
        Nats, same shape: log(1/alpha) or `-inf`.

    >>> log_e_all_or_nothing([-7.0, -1.0], 0.01).round(3).tolist()
    [4.605, -inf]
    """
    won = log_values("log_p", log_p) <= -log_threshold(alpha)
    return np.where(won, log_threshold(alpha), -np.inf)


def mean_log_e(log_e: FloatLike, axis: int | None = None, weights: FloatLike | None = None) -> FloatArray:
    """Return the log of the weighted mean of e-values: valid whatever their dependence.

    Args:
        log_e: Nats, any shape.
        axis: Axis to average over; None takes all entries.
        weights: Not negative, not all 0, chosen without looking at `log_e`; broadcast to its
            shape. None weighs equally.

    Returns:
        Nats, `log_e`'s shape without `axis`. The mean of nothing is 0 nats: no evidence.

    Raises:
        ValueError: a NaN, a negative weight, or weights that sum to 0.

    >>> float(mean_log_e([math.log(30.0), math.log(10.0)]).round(3))
    2.996
    """
    log_e = log_values("log_e", log_e)
    if (log_e.size if axis is None else log_e.shape[axis]) == 0:
        return np.zeros(np.sum(log_e, axis=axis).shape)
    if weights is None:
        weight = np.ones_like(log_e)
    else:
        weight = np.broadcast_to(np.asarray(weights, dtype=np.float64), log_e.shape)
        if not bool(np.all((weight >= 0.0) & np.isfinite(weight))):
            raise ValueError("weights: has a negative, infinite or NaN entry; pass finite weights of 0 or more.")
    total = np.sum(weight, axis=axis)
    if bool(np.any(total <= 0.0)):
        raise ValueError("weights: sum to 0 somewhere; give at least one entry a weight above 0.")
    with np.errstate(divide="ignore"):
        terms = np.where(weight > 0.0, log_e, -np.inf) + np.where(weight > 0.0, np.log(weight), 0.0)
        return np.asarray(logsumexp(terms, axis=axis) - np.log(total))


def mean_log_e_by(log_e: FloatLike, group: IntArray, n_groups: int) -> FloatArray:
    """Return the log of the mean e-value of each group, such as of each account's blocks.

    Args:
        log_e: Nats, shape (n,).
        group: Group of each entry, integers in [0, n_groups), shape (n,).
        n_groups: Number of groups.

    Returns:
        Nats, shape (n_groups,). A group without entries has 0 nats: no evidence.

    >>> mean_log_e_by([0.0, math.log(3.0), 5.0], np.array([0, 0, 2]), 3).round(3).tolist()
    [0.693, 0.0, 5.0]
    """
    log_e = log_values("log_e", log_e)
    peak = np.full(n_groups, -np.inf)
    np.maximum.at(peak, group, log_e)
    size = np.bincount(group, minlength=n_groups)
    shift = np.where(np.isfinite(peak), peak, 0.0)
    finite = np.where(np.isposinf(log_e), 0.0, np.exp(np.minimum(log_e - shift[group], 0.0)))
    total = np.bincount(group, weights=finite, minlength=n_groups)
    with np.errstate(divide="ignore"):
        mean = shift + np.log(total) - np.log(np.maximum(size, 1))
    return np.where(size == 0, 0.0, np.where(np.isposinf(peak), np.inf, mean))


def sum_log_e(log_e: FloatLike, axis: int | None = None) -> FloatArray:
    """Return the log of the product of e-values.

    Valid only where the caller can say that each e-value has expectation at most 1 *given* the
    earlier ones: independent blocks, or bets fixed before their block. Blocks of one account that
    are calibrated against other accounts are not (`correlation` measures by how much).

    Args:
        log_e: Nats, any shape.
        axis: Axis to multiply over; None takes all entries.

    Returns:
        Nats. Nothing gives 0. Ruin wins: a factor of 0 makes the product 0 even beside an infinite one.

    >>> float(sum_log_e([1.5, 2.0, -0.5]))
    3.0
    """
    log_e = log_values("log_e", log_e)
    ruined = np.any(np.isneginf(log_e), axis=axis)
    return np.where(ruined, -np.inf, np.sum(np.where(np.isneginf(log_e), 0.0, log_e), axis=axis))


def min_log_e(log_e: FloatLike, axis: int | None = None) -> FloatArray:
    """Return the least e-value: valid against "one of these nulls holds", whichever it is.

    Args:
        log_e: Nats against each honest explanation, any shape; at least one along `axis`.
        axis: Axis that runs over the explanations; None takes all entries.

    Raises:
        ValueError: there is no explanation, so that nothing was tested.

    >>> float(min_log_e([7.0, 2.5]))
    2.5
    """
    log_e = log_values("log_e", log_e)
    if (log_e.size if axis is None else log_e.shape[axis]) == 0:
        raise ValueError("log_e: is empty along the axis of explanations; test at least one null.")
    return np.asarray(np.min(log_e, axis=axis))
