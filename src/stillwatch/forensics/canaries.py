"""Canaries read on a suspect: how often it shows the values drawn for one account, and how likely chance does that.

In: canaries of a subject and what the suspect answered to their questions. Out: a `CanaryReading` with exact
p-values. Null: the suspect's answers do not depend on which alternatives were drawn, which holds for whatever model
never learned from what was served. Each value was drawn uniformly and by itself, so a shown alternative is the drawn
one with chance 1/k whatever the suspect prefers; where it shows none of them the canary says nothing and is no trial.
The k-1 alternatives that were not drawn are the controls: they are hit by chance alone, or the draw was not fair.
With log-probabilities of all alternatives the rank of the drawn one is uniform on 1..k instead.
Cost: milliseconds; whole numbers throughout, so nothing is rounded before the last logarithm.
Left to `app.canaries`: which subjects are tested, and Holm over all of them.
Source: Carlini et al. 2019, arXiv:1802.08232 (ranks among alternatives that were never planted).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import numpy as np

from stillwatch.stats.arrays import FloatArray, FloatLike, log_values
from stillwatch.treatments.canaries import Canary

UNFIT: Final = math.log(1e-4)
"""Controls that are hit with less chance than this, all shifts considered, spoil a reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a suspect made of one question."""

    texts: tuple[str, ...] = field(default=(), repr=False)
    """Its answers, one each time it was asked."""
    log_p: Mapping[str, float] = field(default_factory=dict, repr=False)
    """Natural log of the probability of each value in the template's pool, where the suspect tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryReading:
    """The outcome for one subject."""

    subject: str
    canaries: int
    """Canaries planted for it."""
    trials: int
    """Of these, how many the suspect showed an alternative of."""
    hits: int
    """Of these, how many times it was the one that was drawn."""
    expected: float
    """Hits that chance gives on average."""
    hits_log_p: float
    """Natural log of the chance of so many hits or more; 0 without trials."""
    ranked: int
    """Canaries whose alternatives all have a log-probability."""
    rank_sum: int
    """Sum of the drawn values' ranks, 1 the likeliest; ties count against the accusation."""
    rank_log_p: float
    """Natural log of the chance of so low a sum; 0 without ranks."""
    log_p: float
    """Natural log of the p-value: the lower of the two, doubled where there are both."""
    least_log_p: float
    """What `log_p` would be if every trial were a hit and every rank 1."""
    control_hits: tuple[int, ...]
    """Hits had each value been the next alternative, the one after, and so on."""
    fits: bool
    why: str
    hit: tuple[str, ...]
    """Ids of the canaries that were hit."""


def hits_tail(hits: int, alternatives: Sequence[int]) -> float:
    """Return log P(at least `hits`) where trial i hits with chance 1 / alternatives[i], independently.

    Args:
        hits: Hits seen, at least 0; more than there are trials gives `-inf`.
        alternatives: Each at least 1, one a trial.

    Raises:
        ValueError: a number of alternatives below 1, or negative hits.

    >>> round(hits_tail(15, [16] * 32), 3), hits_tail(0, [])
    (-22.46, 0.0)
    """
    if hits < 0 or any(k < 1 for k in alternatives):
        raise ValueError("hits must be 0 or more, and each number of alternatives at least 1.")
    ways = [1]
    for k in alternatives:
        ways = [a * (k - 1) + b for a, b in zip([*ways, 0], [0, *ways], strict=True)]
    return _log_share(sum(ways[hits:]), math.prod(alternatives))


def ranks_tail(total: int, alternatives: Sequence[int]) -> float:
    """Return log P(sum of ranks <= `total`) where rank i is uniform on 1..alternatives[i], independently.

    >>> round(ranks_tail(40, [16] * 32), 3), ranks_tail(0, [])
    (-70.565, 0.0)
    """
    if any(k < 1 for k in alternatives):
        raise ValueError("each number of alternatives must be at least 1.")
    ways = [1]  # by sum of ranks above the least
    for k in alternatives:
        sums = list(accumulate([*ways, *[0] * (k - 1)]))
        ways = [a - b for a, b in zip(sums, [0] * k + sums, strict=False)]
    above = total - len(alternatives)
    return _log_share(sum(ways[: above + 1]) if above >= 0 else 0, math.prod(alternatives))


def holm_logs(log_p: FloatLike) -> FloatArray:
    """Return Holm's adjusted p-values as logs, at most 0, below any underflow.

    Args:
        log_p: Natural logs of valid p-values, shape (n,), any dependence; everything that was tested.

    >>> np.exp(holm_logs(np.log([0.01, 0.04, 0.03]))).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    logs = log_values("log_p", log_p)
    order = np.argsort(logs, kind="stable")
    steps = np.maximum.accumulate(logs[order] + np.log(np.arange(logs.size, 0, -1)))
    out = np.empty_like(logs)
    out[order] = np.minimum(steps, 0.0)
    return out


def read_subject(subject: str, canaries: Sequence[Canary], answers: Mapping[str, Answered]) -> CanaryReading:
    """Read a subject's canaries on a suspect.

    Args:
        subject: Account or campaign.
        canaries: All canaries planted for it; at most one a template.
        answers: By template, what the suspect answered; templates that it was not asked about may be missing.
    """
    shown = [(one, at) for one in canaries if (at := _shown(one, answers.get(one.template.name))) is not None]
    ks = [len(one.alternatives) for one, _ in shown]
    hit = tuple(one.id for one, at in shown if at == one.index)
    ranks = [(r, len(one.alternatives)) for one in canaries if (r := _rank(one, answers.get(one.template.name)))]
    of = [k for _, k in ranks]
    by_hits, by_ranks = hits_tail(len(hit), ks), ranks_tail(sum(r for r, _ in ranks), of)
    shifts = range(1, min(ks)) if ks else range(0)
    controls = tuple(sum(at == (one.index + s) % len(one.alternatives) for one, at in shown) for s in shifts)
    strange = math.log(len(controls)) + hits_tail(max(controls), ks) if controls else 0.0
    fits = strange >= UNFIT
    return CanaryReading(
        subject=subject, canaries=len(canaries), trials=len(shown), hits=len(hit), expected=sum(1.0 / k for k in ks),
        hits_log_p=by_hits, ranked=len(ranks), rank_sum=sum(r for r, _ in ranks), rank_log_p=by_ranks,
        log_p=_lower(by_hits, by_ranks, ks, of),
        least_log_p=_lower(hits_tail(len(ks), ks), ranks_tail(len(of), of), ks, of),
        control_hits=controls, fits=fits, hit=hit,
        why="" if fits else "alternatives that were never planted are hit more than chance allows",
    )  # fmt: skip


def _lower(by_hits: float, by_ranks: float, trials: Sequence[int], ranked: Sequence[int]) -> float:
    """Return the p-value of both tests together, as a log."""
    both = math.log(2.0) if trials and ranked else 0.0
    return min(0.0, min(by_hits, by_ranks) + both)


def _shown(canary: Canary, answered: Answered | None) -> int | None:
    """Return the alternative that a suspect shows most often, the first shown among equals; None for none."""
    read = [canary.template.read(text, canary.alternatives) for text in (answered.texts if answered else ())]
    counts = Counter(at for at in read if at is not None)
    return counts.most_common(1)[0][0] if counts else None


def _rank(canary: Canary, answered: Answered | None) -> int:
    """Return the drawn value's rank, the worst among equals; 0 where an alternative has no log-probability."""
    log_p = answered.log_p if answered else {}
    if any(value not in log_p or math.isnan(log_p[value]) for value in canary.alternatives):
        return 0
    return sum(log_p[value] >= log_p[canary.value] for value in canary.alternatives)


def _log_share(part: int, whole: int) -> float:
    return math.log(part) - math.log(whole) if 0 < part < whole else 0.0 if part else -math.inf
