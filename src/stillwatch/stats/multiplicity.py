"""Judge many hypotheses at once: which to reject so that the promised error rate holds.

In: log e-values or p-values, shape (n,). Out: boolean masks, same shape; True is rejected.
Cost: a sort. Left to the caller: counting everything that was looked at, not only what looked bad.
Source: Wang and Ramdas 2022, "False discovery rate control with e-values", arXiv:2009.02824;
Vovk and Wang 2021, arXiv:1912.06116, section 5; Holm 1979; Benjamini and Hochberg 1995.
"""

import math

import numpy as np

from stillwatch.stats.arrays import BoolArray, FloatArray, FloatLike, log_values, probabilities, strictly_within


def e_bh(log_e: FloatLike, q: float, *, looked_at: int | None = None) -> BoolArray:
    """Return which hypotheses to reject so that the false discovery rate is at most `q`.

    Holds under *any* dependence between the e-values, which linked accounts have.

    Args:
        log_e: Nats, shape (n,).
        q: False discovery rate, strictly between 0 and 1.
        looked_at: Hypotheses looked at, when more than n; those not given count as 0 nats or less.

    Returns:
        Mask, shape (n,): the k largest, for the greatest k whose k-th largest is at least log(looked_at / (q k)).

    Raises:
        ValueError: a NaN, `q` out of range, or `looked_at` below n.

    >>> e_bh([5.0, 4.6, 0.0, -1.0], 0.05).tolist()
    [True, True, False, False]
    >>> e_bh([5.0, 4.6, 0.0, -1.0], 0.05, looked_at=1000).tolist()
    [False, False, False, False]
    """
    log_e = _one_row("log_e", log_values("log_e", log_e))
    strictly_within("q", q, 0.0, 1.0)
    total = _total(log_e, looked_at)
    ordered = -np.sort(-log_e)
    rank = np.arange(1, log_e.size + 1)
    passing = np.flatnonzero(ordered >= math.log(max(total, 1) / q) - np.log(rank))
    if passing.size == 0:
        return np.zeros(log_e.shape, dtype=np.bool_)
    return np.asarray(log_e >= ordered[passing[-1]])


def e_holm(log_e: FloatLike, alpha: float) -> BoolArray:
    """Return which hypotheses to reject so that any false rejection at all has chance at most `alpha`.

    Closed testing with averages: a hypothesis falls when every group that holds it has a mean
    e-value of at least 1/alpha. Never rejects less than Holm on 1/e; any dependence.

    Args:
        log_e: Nats, shape (n,).
        alpha: Family-wise error rate, strictly between 0 and 1.

    >>> e_holm([4.6, 4.0, -3.0], 0.05).tolist()
    [True, True, False]
    """
    log_e = _one_row("log_e", log_values("log_e", log_e))
    strictly_within("alpha", alpha, 0.0, 1.0)
    n = log_e.size
    # In units of 1/alpha, cut where more changes nothing: no requirement below exceeds n.
    scaled = np.exp(np.minimum(log_e + math.log(alpha), math.log(n + 1.0)))
    order = np.argsort(scaled, kind="stable")
    smaller = np.concatenate([[0.0], np.cumsum(scaled[order])[:-1]]) if n else np.zeros(0)
    # With the i smallest others beside it, its mean passes when it is at least (i + 1) - their sum.
    needed = np.maximum.accumulate(np.arange(1, n + 1) - smaller)
    out = np.zeros(n, dtype=np.bool_)
    out[order] = scaled[order] >= needed
    return out


def holm_adjusted(p: FloatLike) -> FloatArray:
    """Return Holm's adjusted p-values: the least family-wise error rate at which each is rejected.

    Args:
        p: Valid p-values, shape (n,), any dependence.

    >>> holm_adjusted([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = _one_row("p", probabilities("p", p))
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(steps, 1.0)
    return out


def holm(p: FloatLike, alpha: float) -> BoolArray:
    """Return which hypotheses Holm rejects at family-wise error rate `alpha`; any dependence.

    Args:
        p: Valid p-values, shape (n,).
        alpha: Family-wise error rate, strictly between 0 and 1.

    >>> holm([0.01, 0.04, 0.03], 0.05).tolist()
    [True, False, False]
    """
    strictly_within("alpha", alpha, 0.0, 1.0)
    return np.asarray(holm_adjusted(p) <= alpha)


def benjamini_hochberg(p: FloatLike, q: float, *, looked_at: int | None = None) -> BoolArray:
    """Return which hypotheses to reject at false discovery rate `q`, for independent p-values.

    Holds under independence or positive regression dependence only. Linked accounts have
    neither for certain: use `e_bh` for them.

    Args:
        p: Valid p-values, shape (n,).
        q: False discovery rate, strictly between 0 and 1.
        looked_at: Hypotheses looked at, when more than n; those not given count as p = 1.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.9], 0.05).tolist()
    [True, False, False, False]
    """
    p = _one_row("p", probabilities("p", p))
    strictly_within("q", q, 0.0, 1.0)
    total = _total(p, looked_at)
    ordered = np.sort(p)
    passing = np.flatnonzero(ordered * total <= q * np.arange(1, p.size + 1))
    if passing.size == 0:
        return np.zeros(p.shape, dtype=np.bool_)
    return np.asarray(p <= ordered[passing[-1]])


def _one_row(name: str, values: FloatArray) -> FloatArray:
    if values.ndim != 1:
        raise ValueError(f"{name}: has {values.ndim} dimensions; pass one row, one entry a hypothesis.")
    return values


def _total(values: FloatArray, looked_at: int | None) -> int:
    if looked_at is None:
        return int(values.size)
    if looked_at < values.size:
        raise ValueError(f"looked_at = {looked_at}: is below the {values.size} hypotheses given; count them all.")
    return looked_at
