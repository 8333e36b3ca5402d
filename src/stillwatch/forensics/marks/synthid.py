"""Read the mark of Transformers' `SynthIDTextWatermarkingConfig` with an exact p-value, and no trained detector.

In: a text in tokens and the settings it was marked with. Out: `Reading`.
Each n-gram has one bit a key, looked up in a table of coin tosses by a hash; marked text has more ones. Null
hypothesis: the text was written without knowledge of the keys. The bits of n-grams whose hashes differ are then coins
that show ones as often as the table does: their count is binomial. N-grams whose hashes agree modulo the table's size
have the same bits and count once, or they would count twice as often as they say.
Cost: 0.8 microseconds a token at depth 30; up to half a second for the random keys.
Left to the caller: the tokeniser of the model that was marked.
Source: Dathathri et al. 2024, doi:10.1038/s41586-024-08025-4; transformers 5.23 `generation/logits_process.py`
(Apache-2.0) for hash and table; tests/golden/transformers_synthid.json holds its own answers.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.forensics.marks.assessed import assessed
from stillwatch.forensics.marks.calibrate import DUMMIES
from stillwatch.forensics.marks.grams import distinct_grams
from stillwatch.forensics.marks.mersenne import coins
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.reading import LEAST_KEYS, Reading
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.stats.exact import binomial_tail
from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError

SAMPLE: Final = 2_048
"""N-grams scored under each random set of keys."""
_MULTIPLIER: Final = np.uint64(6364136223846793005)
_ONE: Final = np.uint64(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthIdMark:
    """`SynthIDTextWatermarkingConfig` of Transformers, with its defaults.

    Raises:
        StillwatchError: a setting is out of range, or there is no key.
    """

    keys: tuple[int, ...] = field(repr=False)
    """One a depth, each from 0 to 2^63 - 1."""
    ngram_len: int = 5
    """Tokens in an n-gram, the marked one included; at least 2."""
    sampling_table_size: int = 65536
    sampling_table_seed: int = 0

    def __post_init__(self) -> None:
        check_range("ngram_len", self.ngram_len, low=1, high=65)
        check_range("sampling_table_size", self.sampling_table_size, low=0, high=2**24 + 1)
        check_range("sampling_table_seed", self.sampling_table_seed, low=-1, high=2**64)
        if not self.keys or not all(0 <= key < 2**63 for key in self.keys):
            raise StillwatchError("keys: must be one or more whole numbers from 0 to 2^63 - 1, one a depth.")


def read_synthid(
    text: TokenText, mark: SynthIdMark, rng: np.random.Generator, *, prompts: TokenText | None = None,
    dummies: int = DUMMIES,
) -> Reading:  # fmt: skip
    """Read a text under the settings of Transformers' SynthID mark.

    Args:
        text: Answers in tokens, without their prompts; each n-gram is scored once, over all.
        mark: The settings.
        rng: Draws the random keys.
        prompts: One prompt an answer; contexts that stand in it do not count.
        dummies: Random sets of keys, at least 1,000.

    Returns:
        A reading whose `scored` and `hits` count bits: n-grams times depth.

    Raises:
        ValueError: `dummies` is below 1,000.
    """
    if dummies < LEAST_KEYS:
        raise ValueError(f"dummies = {dummies}: must be at least {LEAST_KEYS}, or the fit cannot be judged.")
    found = distinct_grams(text, mark.ngram_len - 1, prompts=prompts)
    state = hashes(np.concatenate([found.contexts, found.tokens[:, None]], axis=1))
    size = np.uint64(mark.sampling_table_size)
    # Only a table of 2^k entries makes equal remainders of a hash equal bits; for others whole hashes must agree.
    same = state % size if mark.sampling_table_size & (mark.sampling_table_size - 1) == 0 else state
    state = state[np.sort(np.unique(same, return_index=True)[1])]
    table = _table(mark.sampling_table_seed, mark.sampling_table_size)
    share = float(table.mean())
    hits = int(bits(state, np.array(mark.keys, np.uint64), table).sum())
    n = len(state) * len(mark.keys)
    part = state if len(state) <= SAMPLE else state[np.sort(rng.choice(len(state), SAMPLE, replace=False))]
    chance = _chance(part, len(mark.keys), table, rng, dummies)
    tail = (float(binomial_tail(hits, n, share)), _standard(hits, n, share))
    return assessed("transformers synthid", "keys", (n, hits), tail, chance)


def hashes(grams: IntArray) -> NDArray[np.uint64]:
    """Return the hash of each n-gram before any key is added, shape (n,)."""
    out = np.ones(len(grams), np.uint64)
    for i in range(grams.shape[1]):
        out = (out + grams[:, i].astype(np.uint64)) * _MULTIPLIER + _ONE
    return out


def bits(state: NDArray[np.uint64], keys: NDArray[np.uint64], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the g-values of n-grams, shape (n, depth).

    Args:
        state: From `hashes`, shape (n,).
        keys: One a depth.
        table: Coin tosses.
    """
    mixed = ((state[:, None] + keys[None, :]) * _MULTIPLIER + _ONE).view(np.int64)
    size = table.size
    place = mixed & (size - 1) if size & (size - 1) == 0 else mixed % size
    return np.asarray(table[place])


@lru_cache(maxsize=4)
def _table(seed: int, size: int) -> NDArray[np.uint8]:
    return coins(seed, size)


def _chance(
    state: NDArray[np.uint64], depth: int, table: NDArray[np.uint8], rng: np.random.Generator, dummies: int
) -> FloatArray:
    share, n = float(table.mean()), len(state) * depth
    drawn = rng.integers(0, 2**63, (dummies, depth), np.uint64)
    return np.array([_standard(int(bits(state, keys, table).sum()), n, share) for keys in drawn])


def _standard(hits: int, n: int, share: float) -> float:
    return float((hits - share * n) / np.sqrt(max(n, 1) * share * (1.0 - share)))
