"""Turn tested candidates into campaigns: merge what overlaps, name members, apply the rules.

In: candidates with their evidence. Out: `Campaign` records, each accused or not.
A block needs two edge families, or one content family whose evidence passes at q/10; shared
infrastructure alone never accuses. The false discovery rate is held by e-BH over all candidates.
Source: Wang and Ramdas 2022, "False discovery rate control with e-values".
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.candidates import Candidate
from stillwatch.stats.evalues import mean_log_e
from stillwatch.stats.multiplicity import e_bh
from stillwatch.terms.verdict import Evidence

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

OVERLAP: Final = 0.4
"""Two candidates are one campaign when this share of the smaller is in the other."""
SINGLE_FAMILY: Final = 10.0
"""A campaign linked by content alone must pass at q divided by this."""
CONVINCING: Final = float(np.log(1000.0))
"""Nats above which a merged part adds its accounts and keys to the campaign."""


@dataclass(frozen=True, slots=True)
class Tested:
    """A candidate with what the other fold said of it."""

    candidate: Candidate
    evidence: tuple[Evidence, ...]

    @property
    def log_e(self) -> float:
        """The least over the honest explanations, nats."""
        return min(item.log_e for item in self.evidence)


@dataclass(frozen=True, slots=True)
class Group:
    """Candidates that are about the same accounts: one hypothesis."""

    parts: tuple[Tested, ...]
    """The strongest first; the others overlap with it."""

    @property
    def convincing(self) -> tuple[Tested, ...]:
        """The first part and those others that would convince by themselves: only they name members."""
        return (self.parts[0], *(part for part in self.parts[1:] if part.log_e >= CONVINCING))

    @property
    def tied(self) -> IntArray:
        """Accounts of the convincing parts that infrastructure linked, ascending; often none."""
        rows = [part.candidate.rows for part in self.convincing if part.candidate.origin == "infrastructure"]
        return np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.int64)

    @property
    def rows(self) -> IntArray:
        """Accounts of the convincing parts, ascending."""
        return np.unique(np.concatenate([part.candidate.rows for part in self.convincing]))

    @property
    def log_e(self) -> float:
        """Mean over the parts as e-values: valid however they depend on one another."""
        return float(mean_log_e(np.array([part.log_e for part in self.parts])))

    @property
    def strongest(self) -> Tested:
        """The part with the most evidence; its receipt is the one shown."""
        return max(self.parts, key=lambda part: part.log_e)

    @property
    def by_content(self) -> bool:
        """Whether any convincing part was linked by content."""
        return any(part.candidate.origin == "content" for part in self.convincing)


def merge(tested: list[Tested]) -> list[Group]:
    """Join candidates of overlapping membership into one hypothesis, the strongest first."""
    left = sorted(tested, key=lambda item: -item.log_e)
    groups: list[list[Tested]] = []
    for item in left:
        for group in groups:
            if _overlap(item, group[0]) >= OVERLAP:
                group.append(item)
                break
        else:
            groups.append([item])
    return [Group(tuple(group)) for group in groups]


def _overlap(one: Tested, other: Tested) -> float:
    common = np.intersect1d(one.candidate.rows, other.candidate.rows, assume_unique=True)
    return len(common) / max(min(len(one.candidate.rows), len(other.candidate.rows)), 1)


def accuse(log_e: FloatArray, n_families: IntArray, *, q: float) -> npt.NDArray[np.bool_]:
    """Return which groups are campaigns: e-BH at q, after groups with one family pay ln 10 nats.

    Paying makes a group pass only where its e-value would pass at q/10; an e-value divided by ten
    is still one, so the rate promised at q holds over the whole mixture.

    >>> accuse(np.array([6.0, 4.0, 0.0]), np.array([2, 1, 1]), q=0.05).tolist()
    [True, False, False]
    """
    if len(log_e) == 0:
        return np.zeros(0, bool)
    paid = np.where(n_families >= 2, log_e, log_e - np.log(SINGLE_FAMILY))
    granted: npt.NDArray[np.bool_] = e_bh(paid, q)
    return granted
