"""Weigh single accounts against honest ones of like behaviour.

In: events of accounts, and `HonestScores`. Out: p-values and nats, one a scenario and account.
An account is one unit: its requests make one score, whatever the number of blocks it was active in,
so an account that is odd every day is odd once. The null is composite: the p-value is the greatest
over all strata large enough, so that looking like honest batch work clears a chat account too.
Ceiling: n honest accounts allow p >= 1/(n + 1). Half the stake goes on the power calibrator, half on
that least p, which is worth log((n + 1)/2) nats: 7.3 with 3,000 accounts, where the calibrator alone has 3.3.
Cost: one pass over the events, in chunks. Left to `judge`: who is accused.
Source: Vovk, Gammerman and Shafer 2005; Vovk and Wang 2021, arXiv:1912.06116.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.features import Features, features_of
from stillwatch.detect.population import STRATA, Population
from stillwatch.detect.scenarios import SCENARIOS
from stillwatch.stats.conformal import worst_conformal_p
from stillwatch.stats.evalues import log_e_all_or_nothing, log_e_from_p, mean_log_e
from stillwatch.terms.event import EventArray
from stillwatch.terms.ports import EventSource, Window
from stillwatch.terms.verdict import Evidence

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

SCORED: Final = tuple(scenario for scenario in SCENARIOS if scenario.score is not None)
"""Scenarios that score accounts; rows of every (n_scored, n) array here."""
ACCUSING: Final[BoolArray] = np.array([scenario.accuses for scenario in SCORED])
"""Which of them may enter the evidence that accuses an account."""
ENOUGH: Final = 100
"""Honest accounts from which a stratum is part of everybody's composite null; one's own always is."""
MOST_STORED: Final = 5_000
"""Scores kept of each stratum."""
CHUNK_ACCOUNTS: Final = 2_000
CHUNK_REQUESTS: Final = 100_000
"""Events are fetched for so many accounts or requests at a time, 51 MB; one account is never split."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One score a scenario and account, larger for what the scenario describes."""

    account: npt.NDArray[np.uint64]
    """Account hashes, ascending, shape (n,)."""
    stratum: IntArray
    """Index into `STRATA`, shape (n,)."""
    values: FloatArray
    """Shape (n_scored, n)."""

    @classmethod
    def of(cls, events: EventArray, people: Population, rng: np.random.Generator) -> "Scores":
        """Score every account in `events`, which hold all its events of one window."""
        features = features_of(events, rng)
        return cls(features.account, people.stratum[people.find(features.account)], score_features(features))


def score_features(features: Features) -> FloatArray:
    """Return the scores of every scenario that has one, shape (n_scored, n)."""
    return np.array([scenario.score(features) for scenario in SCORED if scenario.score is not None])


def event_chunks(source: EventSource, people: Population, rows: IntArray, window: Window) -> Iterator[EventArray]:
    """Yield the events of accounts, whole accounts at a time, so that memory stays bounded.

    Args:
        source: Where events are.
        people: The population.
        rows: Rows of the accounts wanted, ascending.
        window: Events wanted.
    """
    before = np.cumsum(people.roll["n_requests"][rows].astype(np.int64)) - people.roll["n_requests"][rows]
    chunk = np.maximum(before // CHUNK_REQUESTS, np.arange(len(rows)) // CHUNK_ACCOUNTS)
    chunk = np.maximum.accumulate(chunk) if len(chunk) else chunk
    for part in np.split(rows, np.flatnonzero(np.diff(chunk)) + 1):
        events = source.events(people.roll["account"][part], window) if len(part) else None
        if events is not None and len(events):
            yield events


def score_accounts(
    source: EventSource, people: Population, rows: IntArray, window: Window, rng: np.random.Generator
) -> Scores:
    """Score accounts chunk by chunk; those without an event in the window are left out."""
    return join([Scores.of(events, people, rng) for events in event_chunks(source, people, rows, window)])


def join(parts: list[Scores]) -> Scores:
    """Put scores of different accounts together, in order of account."""
    if not parts:
        return Scores(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros((len(SCORED), 0)))
    account = np.concatenate([part.account for part in parts])
    order = np.argsort(account, kind="stable")
    stratum, values = np.concatenate([p.stratum for p in parts]), np.concatenate([p.values for p in parts], axis=1)
    return Scores(account[order], stratum[order], values[:, order])


def thinned(ordered: FloatArray, most: int) -> FloatArray:
    """Return at most `most` of the scores, the highest of each of `most` equal runs.

    Against the highest of each run no conformal p-value falls below that against all scores: with c
    runs at or above a score, at most c n/m scores are, and (1 + c)/(m + 1) >= (1 + c n/m)/(n + 1).

    >>> thinned(np.arange(10.0), 4).tolist()
    [2.0, 4.0, 7.0, 9.0]
    """
    n = len(ordered)
    if n <= most:
        return ordered
    last = -((-np.arange(1, most + 1) * n) // most) - 1
    kept: FloatArray = ordered[last]
    return kept


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the scores of accounts are worth; `scores` says whose."""

    scores: Scores
    p: FloatArray
    """Conformal p-values under the composite null, shape (n_scored, n)."""
    log_e: FloatArray
    """Nats, same shape."""
    units: IntArray
    """Honest accounts in the smallest stratum each was compared with, shape (n,)."""

    @property
    def own(self) -> FloatArray:
        """Nats of each account's own evidence: the mean e-value over the scenarios that may accuse, shape (n,)."""
        return mean_log_e(self.log_e[ACCUSING], axis=0)

    def flags(self, alpha: float) -> BoolArray:
        """Return which accounts a test at level `alpha` would flag, shape (n,); a flag is no accusation.

        The stake is shared out evenly over the scenarios that may accuse, all or nothing.
        """
        return np.asarray(self._least(self.p[ACCUSING]) <= alpha)

    @staticmethod
    def _least(p: FloatArray) -> FloatArray:
        """Return the least p-value over the scenarios that may accuse, times their number."""
        return np.asarray(p.min(axis=0, initial=1.0) * int(ACCUSING.sum()))

    def find(self, accounts: npt.NDArray[np.uint64]) -> IntArray:
        """Return the index of each account, leaving out those that were not scored."""
        index = np.searchsorted(self.scores.account, accounts)
        inside = index < len(self.scores.account)
        index = index[inside]
        found: IntArray = index[self.scores.account[index] == accounts[inside]]
        return found

    def lines(self, index: int, alpha: float) -> tuple[Evidence, ...]:
        """Return the evidence of one account, one line a scenario; `S13` is shown and never accuses."""
        flag = int(self._least(self.p[ACCUSING, index]) <= alpha)
        return tuple(
            Evidence(
                scenario=scenario.name,
                null=scenario.null,
                log_e=round(float(self.log_e[row, index]), 4),
                n=int(self.units[index]),
                unit="account",
                detail={
                    "score": round(float(self.scores.values[row, index]), 4),
                    "p": round(float(self.p[row, index]), 6),
                    "stratum": STRATA[int(self.scores.stratum[index])],
                    "accuses": int(scenario.accuses),
                    "flag": flag if scenario.accuses else 0,
                },
                clears=scenario.clears,
            )
            for row, scenario in enumerate(SCORED)
        )


@dataclass(frozen=True, slots=True)
class HonestScores:
    """Scores of honest accounts: `by[scenario][stratum]`, each sorted, shape (n_units,)."""

    by: tuple[tuple[FloatArray, ...], ...]

    @classmethod
    def of(cls, scores: Scores, most: int = MOST_STORED) -> "HonestScores":
        """Keep the scores of honest accounts, without saying whose."""
        return cls(
            tuple(
                tuple(thinned(np.sort(values[scores.stratum == s]), most) for s in range(len(STRATA)))
                for values in scores.values
            )
        )

    @property
    def units(self) -> IntArray:
        """Accounts kept of each stratum, shape (n_strata,)."""
        return np.array([len(values) for values in self.by[0]], np.int64)

    def weigh(self, scores: Scores) -> Weighed:
        """Compare accounts with honest ones: the greatest p-value over large strata and their own."""
        p, log_e = np.ones(scores.values.shape), np.zeros(scores.values.shape)
        units = np.zeros(len(scores.account), np.int64)
        for stratum in np.unique(scores.stratum).tolist():
            among = [s for s in range(len(STRATA)) if s == stratum or self.units[s] >= ENOUGH]
            mine = scores.stratum == stratum
            units[mine] = self.units[among].min()
            for row, by in enumerate(self.by):
                p[row, mine] = worst_conformal_p(scores.values[row, mine], [by[s] for s in among])
            log_e[:, mine] = nats(p[:, mine], int(self.units[among].min()))
        return Weighed(scores, p, log_e, units)


def nats(p: FloatArray, units: int) -> FloatArray:
    """Return what conformal p-values are worth: half the stake graded, half on the least p there can be.

    Args:
        p: Conformal p-values, any shape.
        units: Honest accounts of the smallest stratum compared with; known before any score is seen.

    >>> nats(np.array([1 / 3001, 0.25, 1.0]), 3000).round(2).tolist()
    [7.32, -0.69, -1.39]
    """
    # A hair above 1/(n + 1), so that rounding of logs cannot lose the bet.
    level = min((1.0 + 1e-9) / (units + 1.0), 0.5)
    return mean_log_e(np.stack([log_e_from_p(p), log_e_all_or_nothing(np.log(p), level)]), axis=0)
