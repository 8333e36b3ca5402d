"""The contexts that an account was served with a mark: sorted digests, merged, bounded, without a token of text.

In: tokens of answers and the epoch's table of contexts. Out: which contexts of another text were among them. A student
is tested on these alone: what it never saw cannot have taught it. They may only ever be chosen by CONTEXT: choosing
(context, token) pairs keeps just the tokens that the marked teacher preferred, and an innocent student then looks
taught (0.84 green instead of 0.50 in the test).
Beyond a bound the smallest digests are kept. Digests are keyed and uniform, so that this is a sample that does not
depend on order, on text or on keys, and that two parts agree on. Cost: 8 bytes a context; a merge sorts.
Left to `prf`: the digests. Left to `store.servedindex`: files. Source: bottom-k sketches, Cohen and Kaplan 2007.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from stillwatch.treatments.marks.prf import U64, ContextTable, IntArray

Tokeniser = Callable[[str], IntArray]
"""From a text to the tokens that the model would read, without any at its ends that the text does not have."""
WHOLE: Final = 1 << 64


def served_contexts(table: ContextTable, tokens: IntArray) -> U64:
    """Return the distinct contexts of one answer, sorted; shape (n_contexts,).

    Those that reach back into the prompt are left out, since a reader does not know it, and so are tokens that the
    table does not have.

    Args:
        table: Contexts of the epoch that marked the answer.
        tokens: The answer's tokens, shape (n,).
    """
    tokens = np.asarray(tokens, np.int64)
    if len(tokens) <= table.width:
        return np.empty(0, np.uint64)
    columns = [tokens[table.width - 1 - j : len(tokens) - 1 - j] for j in range(table.width)]
    good = np.ones(len(columns[0]), bool)
    for column in columns:
        good &= (column >= 0) & (column < table.vocab)
    return np.unique(table.digests(*(column[good] for column in columns)))


@dataclass(frozen=True, slots=True, eq=False)
class ServedContexts:
    """The contexts that one account was served under one epoch's keys."""

    digests: U64 = field(repr=False)
    """Sorted, distinct; shape (n,)."""
    below: int = WHOLE
    """Every context served whose digest lies below this is in `digests`, and none other; 2^64 where all are."""

    @classmethod
    def none(cls) -> "ServedContexts":
        """Return those of an account that was served nothing."""
        return cls(np.empty(0, np.uint64))

    def merged(self, digests: U64, most: int, below: int = WHOLE) -> "ServedContexts":
        """Return these and others, at most `most` of them.

        Args:
            digests: Others in any order, repeats allowed.
            most: Above 0.
            below: As far as the others are complete.
        """
        limit = min(self.below, below)
        both = np.union1d(self.digests, np.asarray(digests, np.uint64))
        if limit < WHOLE:
            both = both[: int(np.searchsorted(both, np.uint64(limit)))]
        if len(both) > most:
            limit = int(both[most])
            both = both[:most]
        return ServedContexts(both, limit)

    def knows(self, digests: U64) -> npt.NDArray[np.bool_]:
        """Return which contexts were served, in the shape of `digests`; of a sample, which are in it."""
        if not len(self.digests):
            return np.zeros(np.shape(digests), bool)
        at = np.minimum(np.searchsorted(self.digests, digests), len(self.digests) - 1)
        found: npt.NDArray[np.bool_] = self.digests[at] == digests
        return found

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def estimate(self) -> float:
        """Distinct contexts served: exact where all are kept, else unbiased with a relative error of 1/sqrt(n)."""
        if self.below >= WHOLE:
            return float(len(self.digests))
        return len(self.digests) * (WHOLE / self.below)
