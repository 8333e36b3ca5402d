"""A reading: how many scored tokens carry a mark, how likely that is by chance, and whether chance is what it must be.

In: counts, and the same counts under random keys. Out: `Reading`, and Holm's correction over all that was tried.
Cost: microseconds. Left to `green` and its neighbours: counting. Left to the caller: handing in every reading that was
made, not only those that look good.
Source: Holm 1979; Clopper and Pearson 1934 for what the exact tail promises.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.stats.arrays import FloatArray, FloatLike

LEAST_SD, MOST_SD = 0.9, 1.1
"""Bounds for the standard deviation of random keys' scores; 1,024 keys that fit leave them once in 10^5."""
MOST_MEAN: Final = 0.15
"""Bound for the absolute mean of random keys' scores; 1,024 keys that fit leave it once in 10^6."""
LEAST_KEYS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one key says of one text. Holds neither keys nor text."""

    scheme: str
    key_name: str
    """Which key was tried, in words; no key and no tag."""
    scored: int
    """Tokens scored, each (context, token) once."""
    hits: float
    """Green tokens, or the sum of scores for schemes with scores of other kinds."""
    log_p: float
    """Natural log of the exact one-sided p-value: finite, at most 0, however deep."""
    dummy_mean: float
    """Mean of the random keys' standardised scores; 0 where chance is what it must be. NaN: not measured."""
    dummy_sd: float
    """Their standard deviation; 1 where chance is what it must be."""
    dummy_p: float
    """Share of random keys that score at least as high, the true key included; never below 1 / (keys + 1)."""
    fits: bool
    """False: the null hypothesis does not hold for this text, and `log_p` must not be used."""
    why: str = ""
    """Where it does not fit, why, and what to do."""

    @property
    def log10_p(self) -> float:
        """The p-value's decimal log."""
        return self.log_p / math.log(10.0)

    @property
    def usable_log_p(self) -> float:
        """`log_p` where the null fits; else 0, which claims nothing."""
        return self.log_p if self.fits else 0.0


def misfit(scores: FloatArray) -> str:
    """Return why random keys' standardised scores do not look like chance; empty when they do.

    Args:
        scores: One score a random key, with mean 0 and variance 1 under the null, shape (keys,).

    >>> misfit(np.random.default_rng(5).standard_normal(1024)), misfit(np.zeros(10))[:20]
    ('', '10 random keys are t')
    """
    if len(scores) < LEAST_KEYS:
        return f"{len(scores)} random keys are too few to tell; use {LEAST_KEYS} or more."
    mean, sd = float(np.mean(scores)), float(np.std(scores))
    if not LEAST_SD <= sd <= MOST_SD:
        return (
            f"random keys score with standard deviation {sd:.3f} on this text, not 1: repeats were counted, or the "
            "text follows the keys. Look for documents that hold one another's text."
        )
    if not abs(mean) <= MOST_MEAN:
        return (
            f"random keys score {mean:+.3f} on the mean on this text, not 0: the scores are not those of chance. "
            "Check tokeniser and vocabulary."
        )
    return ""


def holm(readings: Sequence[Reading], *, tried: int | None = None) -> FloatArray:
    """Return the readings' log p-values after Holm's correction, in the same order.

    A reading that does not fit claims nothing but was tried.

    Args:
        readings: Everything that was read.
        tried: Keys, epochs and settings tried, where more than were kept; those left out count as p = 1.

    Returns:
        Natural logs, at most 0, shape (readings,): the least family-wise error rate at which each counts.

    Raises:
        ValueError: `tried` is below the number of readings.
    """
    return log_holm([reading.usable_log_p for reading in readings], tried=tried)


def log_holm(log_p: FloatLike, *, tried: int | None = None) -> FloatArray:
    """Return Holm's adjusted p-values as logs, for p-values given as logs; any dependence.

    >>> np.exp(log_holm(np.log([0.01, 0.04, 0.03]))).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(log_p, np.float64)
    total = given.size if tried is None else tried
    if total < given.size:
        raise ValueError(f"tried = {tried}: is below the {given.size} readings given; count them all.")
    order = np.argsort(given, kind="stable")
    steps = np.maximum.accumulate(given[order] + np.log(total - np.arange(given.size)))
    out = np.empty_like(given)
    out[order] = np.minimum(steps, 0.0)
    return out
