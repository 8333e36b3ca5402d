"""Look for blocks worth testing, the same way for judging a log and for learning from one.

In: a source, its population and the two folds of a window. Out: candidates, and the rows of everybody whom none of
them names. Whoever is named is left out of every reference, guilty or not.
Cost: two shared-key queries, and the events of accounts that share a payer.
Left to `judge`: testing; left to `calibration`: learning.
"""

import numpy as np
import numpy.typing as npt

from stillwatch.detect.candidates import Candidate, content_candidates, infrastructure_candidates
from stillwatch.detect.config import DetectConfig
from stillwatch.detect.payergroups import payer_candidates
from stillwatch.detect.population import Fold, Population
from stillwatch.terms.ports import EventSource

IntArray = npt.NDArray[np.int64]


def candidates_of(
    source: EventSource, people: Population, folds: tuple[Fold, Fold], config: DetectConfig
) -> list[Candidate]:
    """Return the blocks linked on either fold, by content and by payers with one work, and those by infrastructure."""
    candidates: list[Candidate] = []
    for fold in folds:
        candidates += content_candidates(source, people, fold, config)
        candidates += payer_candidates(source, people, fold, config)
    return candidates + infrastructure_candidates(people, config)


def named_rows(candidates: list[Candidate]) -> IntArray:
    """Return the rows that any candidate names, ascending."""
    return np.unique(np.concatenate([c.rows for c in candidates])) if candidates else np.zeros(0, np.int64)


def outside_rows(people: Population, candidates: list[Candidate]) -> IntArray:
    """Return the rows that no candidate names, ascending."""
    return np.setdiff1d(np.arange(len(people.roll)), named_rows(candidates))
