"""Compare a score with honest history: p-values and e-values that need only exchangeability.

In: scores, higher is stranger, and calibration scores of honest units. Out: p-values or nats,
exact for any distribution of scores, as long as the judged unit and the honest ones could be
swapped unnoticed. `cluster` says which calibration scores come from one account.
Cost: a sort of the calibration scores, then a binary search a score.
Left to the caller: strata, and which unit is exchangeable (never the single request).
Source: Vovk, Gammerman and Shafer 2005; Lee, Barber and Willett 2023, arXiv:2306.06342 (clusters);
Balinsky and Balinsky 2024, arXiv:2402.08543 (e-values).
"""

import numpy as np

from stillwatch.stats.arrays import FloatArray, FloatLike, IntArray, log_values


def conformal_p(
    score: FloatLike,
    calibration: FloatLike,
    *,
    cluster: IntArray | None = None,
    rng: np.random.Generator | None = None,
) -> FloatArray:
    """Return how likely an honest unit is to score at least this high.

    Args:
        score: Scores to judge, any shape; each is judged alone against the calibration.
        calibration: Scores of honest units, shape (n,).
        cluster: Account of each calibration score, shape (n,), any integers. Each account then counts
            once, its scores sharing the weight. None takes every score as a unit of its own.
        rng: Breaks ties at random, which makes the p-value exactly uniform; not together with
            `cluster`. None counts ties against the accusation.

    Returns:
        P-values, shape of `score`, at least 1/(units + 1) without `rng`. No calibration gives 1.

    Raises:
        ValueError: a NaN, lengths that differ, or `rng` together with `cluster`.

    >>> conformal_p([9.0, 2.0], [1.0, 2.0, 3.0, 4.0]).tolist()
    [0.2, 0.8]
    >>> conformal_p(9.0, [1.0, 9.0, 3.0, 4.0], cluster=np.array([7, 7, 8, 8])).tolist()
    0.5
    """
    judged = log_values("score", score)
    history = log_values("calibration", calibration).ravel()
    if cluster is not None:
        if rng is not None:
            raise ValueError("rng: cannot break ties between clusters; leave out rng or cluster.")
        weight, units = _cluster_weights(history, cluster)
        order = np.argsort(history, kind="stable")
        above = np.concatenate([np.cumsum(weight[order][::-1])[::-1], [0.0]])
        at_least = above[np.searchsorted(history[order], judged, side="left")]
        return np.asarray(np.minimum((1.0 + at_least) / (units + 1.0), 1.0))
    ordered = np.sort(history)
    above_or_equal = history.size - np.searchsorted(ordered, judged, side="left")
    if rng is None:
        return np.asarray((1.0 + above_or_equal) / (history.size + 1.0))
    above_only = history.size - np.searchsorted(ordered, judged, side="right")
    ties = above_or_equal - above_only + 1.0
    return np.asarray((above_only + rng.random(judged.shape) * ties) / (history.size + 1.0))


def conformal_log_e(score: FloatLike, calibration: FloatLike, *, cluster: IntArray | None = None) -> FloatArray:
    """Return the nats of a score against honest history: (n + 1) s / (sum of the n + s).

    Args:
        score: Scores to judge, at least 0, any shape; each is judged alone.
        calibration: Scores of honest units, at least 0, shape (n,).
        cluster: Account of each calibration score, shape (n,); an account then counts with its mean.

    Returns:
        Nats, shape of `score`, at most log(units + 1). All scores 0, or no calibration, gives 0 nats.

    Raises:
        ValueError: a negative, infinite or NaN score, or lengths that differ.

    >>> conformal_log_e([30.0, 1.0], [1.0, 1.0, 1.0]).round(3).tolist()
    [1.291, 0.0]
    """
    judged, history = _finite_scores("score", score), _finite_scores("calibration", calibration).ravel()
    weight, units = (np.ones_like(history), history.size) if cluster is None else _cluster_weights(history, cluster)
    total = float(np.sum(weight * history)) + judged
    with np.errstate(divide="ignore", invalid="ignore"):
        log_e = np.log(units + 1.0) + np.log(judged) - np.log(total)
    return np.where(total == 0.0, 0.0, log_e)


def conformal_p_by(
    score: FloatLike, stratum: IntArray, calibration: FloatLike, calibration_stratum: IntArray
) -> FloatArray:
    """Return conformal p-values, each score judged within its own stratum only.

    Args:
        score: Scores to judge, shape (m,).
        stratum: Stratum of each, integers, shape (m,).
        calibration: Scores of honest units, shape (n,).
        calibration_stratum: Stratum of each, shape (n,).

    Returns:
        P-values, shape (m,); 1 in a stratum without calibration. Valid within each stratum.

    >>> conformal_p_by([5.0, 5.0], np.array([0, 1]), [1.0, 9.0], np.array([0, 1])).tolist()
    [0.5, 1.0]
    """
    judged, history = log_values("score", score), log_values("calibration", calibration)
    out = np.ones(judged.shape)
    for value in np.unique(stratum):
        out[stratum == value] = conformal_p(judged[stratum == value], history[calibration_stratum == value])
    return out


def conformal_log_e_by(
    score: FloatLike, stratum: IntArray, calibration: FloatLike, calibration_stratum: IntArray
) -> FloatArray:
    """Return conformal nats, each score judged within its own stratum only; see `conformal_p_by`.

    >>> conformal_log_e_by([3.0, 3.0], np.array([0, 1]), [1.0], np.array([0])).round(3).tolist()
    [0.405, 0.0]
    """
    judged, history = _finite_scores("score", score), _finite_scores("calibration", calibration)
    out = np.zeros(judged.shape)
    for value in np.unique(stratum):
        out[stratum == value] = conformal_log_e(judged[stratum == value], history[calibration_stratum == value])
    return out


def worst_conformal_p(score: FloatLike, strata: list[FloatArray]) -> FloatArray:
    """Return the greatest conformal p-value over strata: valid when any of them may be the true one.

    Args:
        score: Scores to judge, any shape.
        strata: Calibration scores of each stratum that the unit may belong to; at least one.

    Raises:
        ValueError: no stratum was given.

    >>> worst_conformal_p(5.0, [np.array([1.0, 2.0, 3.0]), np.array([1.0, 6.0, 7.0])]).tolist()
    0.75
    """
    if not strata:
        raise ValueError("strata: is empty; give the calibration scores of at least one stratum.")
    return np.asarray(np.max([conformal_p(score, history) for history in strata], axis=0))


def _cluster_weights(history: FloatArray, cluster: IntArray) -> tuple[FloatArray, int]:
    if np.shape(cluster) != history.shape:
        raise ValueError(f"cluster: has shape {np.shape(cluster)}; must be that of the scores, {history.shape}.")
    _, which, size = np.unique(cluster, return_inverse=True, return_counts=True)
    return 1.0 / size[which.ravel()], int(size.size)


def _finite_scores(name: str, values: FloatLike) -> FloatArray:
    out = np.asarray(values, dtype=np.float64)
    if not bool(np.all((out >= 0.0) & np.isfinite(out))):
        raise ValueError(f"{name}: has a negative, infinite or NaN entry; pass finite scores of 0 or more.")
    return out
