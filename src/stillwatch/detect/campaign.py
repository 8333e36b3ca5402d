"""Turn tested candidates into campaigns: merge what overlaps, name members, apply the rules.

In: candidates with their evidence. Out: `Campaign` records, each accused or not.
A block needs two edge families, or one content family whose evidence passes at q/10; shared
infrastructure alone never accuses. The false discovery rate is held by e-BH over all candidates.
Source: Wang and Ramdas 2022, "False discovery rate control with e-values".
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.detect.candidates import Candidate
from stillwatch.stats.multiplicity import e_bh
from stillwatch.terms.verdict import Evidence

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

OVERLAP: Final = 0.4
"""Two candidates are one campaign when this share of the smaller is in the other."""
SINGLE_FAMILY: Final = 10.0
"""A campaign linked by content alone must pass at q divided by this."""


@dataclass(frozen=True, slots=True)
class Tested:
    """A candidate with what the other fold said of it."""

    candidate: Candidate
    evidence: tuple[Evidence, ...]
    granted: bool = False
    """Whether e-BH over all candidates granted it."""

    @property
    def log_e(self) -> float:
        """The least over the honest explanations, nats."""
        return min(item.log_e for item in self.evidence)


@dataclass(frozen=True, slots=True)
class Group:
    """Candidates that are about the same accounts: what a person reads as one campaign."""

    parts: tuple[Tested, ...]
    """The lead first: granted before not, then the most evidence; the others overlap with it."""

    @property
    def lead(self) -> Tested:
        """The part whose evidence and receipt stand for the group."""
        return self.parts[0]

    @property
    def naming(self) -> tuple[Tested, ...]:
        """The parts that name members: those that were granted, or else the lead alone."""
        return tuple(part for part in self.parts if part.granted) or self.parts[:1]

    @property
    def tied(self) -> IntArray:
        """Accounts of the naming parts that infrastructure linked, ascending; often none."""
        rows = [part.candidate.rows for part in self.naming if part.candidate.origin == "infrastructure"]
        return np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.int64)

    @property
    def rows(self) -> IntArray:
        """Accounts of the naming parts, ascending."""
        return np.unique(np.concatenate([part.candidate.rows for part in self.naming]))

    @property
    def by_content(self) -> bool:
        """Whether any naming part was linked by content."""
        return any(part.candidate.origin == "content" for part in self.naming)


def spoken_for(groups: list[Group], n_accounts: int) -> npt.NDArray[np.bool_]:
    """Return which accounts a granted group links, shape (n_accounts,)."""
    linked = np.zeros(n_accounts, bool)
    for group in groups:
        if group.lead.granted:
            linked[group.rows] = True
    return linked


def merge(tested: list[Tested]) -> list[Group]:
    """Join candidates of overlapping membership, after each was judged by itself.

    Joining comes after the judging, so that what is joined to what cannot move the error rate. A candidate
    is compared with the leads that its own accounts stand in, so the work is in line with the accounts named.
    """
    left = sorted(tested, key=lambda item: (not item.granted, -item.log_e))
    groups: list[list[Tested]] = []
    led: dict[int, list[int]] = {}  # account -> groups whose lead names it
    for item in left:
        rows: list[int] = item.candidate.rows.tolist()
        common = Counter(number for row in rows for number in led.get(row, ()))
        sizes = {number: len(groups[number][0].candidate.rows) for number in common}
        joined = [n for n, shared in common.items() if shared / max(min(len(rows), sizes[n]), 1) >= OVERLAP]
        if joined:
            groups[min(joined)].append(item)
            continue
        for row in rows:
            led.setdefault(row, []).append(len(groups))
        groups.append([item])
    return [Group(tuple(group)) for group in groups]


def accuse(log_e: FloatArray, n_families: IntArray, *, q: float) -> npt.NDArray[np.bool_]:
    """Return which candidates are granted: e-BH at q, after those with one family pay ln 10 nats.

    Paying makes a candidate pass only where its e-value would pass at q/10; an e-value divided by ten
    is still one, so the rate promised at q holds over the whole mixture.

    >>> accuse(np.array([6.0, 4.0, 0.0]), np.array([2, 1, 1]), q=0.05).tolist()
    [True, False, False]
    """
    if len(log_e) == 0:
        return np.zeros(0, bool)
    paid = np.where(n_families >= 2, log_e, log_e - np.log(SINGLE_FAMILY))
    granted: npt.NDArray[np.bool_] = e_bh(paid, q)
    return granted


def threshold(looked_at: int, granted: int, *, accused: bool, n_families: int, q: float) -> float:
    """Return the nats that a candidate had to reach, given how many were looked at and granted.

    >>> round(threshold(20, 4, accused=True, n_families=2, q=0.05), 3)
    4.605
    """
    with_it = max(granted if accused else granted + 1, 1)
    return float(np.log(looked_at / (q * with_it)) + (0.0 if n_families >= 2 else np.log(SINGLE_FAMILY)))
