"""Read the green-list mark of Transformers, `WatermarkingConfig`, both of its seeding schemes, without torch.

In: a text in tokens and the settings it was marked with. Out: `Reading`.
Null hypothesis: the text was written without knowledge of the key, whose lists are then random halves (quarters, ...)
of the vocabulary, one a seed. Distinct tokens under one list are drawn from it without replacement, which is a sum of
independent coins of differing chance; over all lists, at any count of at least one above the mean, that is at most as
likely as the binomial count with the mean chance. So the p-value is exact or too large, never too small; below that
count it is 1.
Cost: 0.4 ms a distinct list, whose first quarter is made anew. Random keys turn lists that were made once, each context
by a shift of its own: half a second.
Left to the caller: the tokeniser of the model that was marked. Transformers' own detector counts repeats by default
and approximates the tail.
Source: Kirchenbauer et al. 2023, arXiv:2301.10226; Vatutin and Mikhailov 1982; Hoeffding 1956; transformers 5.23
`generation/logits_process.py` (Apache-2.0) for the seeds; tests/golden/transformers_kgw.json holds its own answers.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.forensics.marks.assessed import assessed
from stillwatch.forensics.marks.calibrate import DUMMIES
from stillwatch.forensics.marks.grams import distinct_grams, number
from stillwatch.forensics.marks.mersenne import heads, leads, permutation
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.reading import LEAST_KEYS, Reading
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.stats.exact import binomial_tail
from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError

TABLE: Final = 1_000_003
"""Entries of the table that `selfhash` looks tokens up in."""
LISTS: Final = 64
"""Lists that random keys turn."""
SAMPLE: Final = 8_192
"""Pairs scored under each random key."""
_WRAP: Final = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KgwMark:
    """`WatermarkingConfig` of Transformers, with its defaults.

    Raises:
        StillwatchError: a setting is out of range.
    """

    vocab: int
    """Vocabulary of the model's configuration, which may be more than the tokeniser's."""
    greenlist_ratio: float = 0.25
    """Strictly between 0 and 1."""
    hashing_key: int = field(default=15485863, repr=False)
    """Below 2^63."""
    seeding_scheme: str = "lefthash"
    """`lefthash` or `selfhash`."""
    context_width: int = 1
    """Tokens that choose the list: the marked one included for `selfhash`; `lefthash` uses the newest alone."""

    def __post_init__(self) -> None:
        check_range("greenlist_ratio", self.greenlist_ratio, low=0.0, high=1.0)
        check_range("vocab", self.vocab, low=1, high=2**32 // 20)
        check_range("hashing_key", self.hashing_key, low=-1, high=2**63)
        check_range("context_width", self.context_width, low=0, high=65)
        if self.seeding_scheme not in ("lefthash", "selfhash"):
            raise StillwatchError(f"seeding_scheme = {self.seeding_scheme!r}: must be lefthash or selfhash.")

    @property
    def head(self) -> int:
        """Tokens on a list."""
        return int(self.vocab * self.greenlist_ratio)

    @property
    def before(self) -> int:
        """Tokens before the marked one that choose the list; 0 for `selfhash` at width 1."""
        return self.context_width - 1 if self.seeding_scheme == "selfhash" else self.context_width


def read_kgw(
    text: TokenText, mark: KgwMark, rng: np.random.Generator, *, prompts: TokenText | None = None,
    dummies: int = DUMMIES,
) -> Reading:  # fmt: skip
    """Read a text under the settings of Transformers' mark.

    Args:
        text: Answers in tokens, without their prompts; each (list, token) is scored once, over all.
        mark: The settings.
        rng: Draws the random keys.
        prompts: One prompt an answer; contexts that stand in it do not count.
        dummies: Random keys, at least 1,000.

    Raises:
        StillwatchError: the tokens do not fit the vocabulary.
        ValueError: `dummies` is below 1,000.
    """
    if dummies < LEAST_KEYS:
        raise ValueError(f"dummies = {dummies}: must be at least {LEAST_KEYS}, or the fit cannot be judged.")
    if text.tokens.size and int(text.tokens.max()) >= mark.vocab:
        raise StillwatchError(f"text: has tokens up to {int(text.tokens.max())}; the vocabulary ends at {mark.vocab}.")
    seed, tokens = _places(text, mark, prompts)
    green = leads(seed, tokens, mark.vocab, mark.head)
    n, hits, gamma = len(tokens), int(green.sum()), mark.head / mark.vocab
    log_p = float(binomial_tail(hits, n, gamma)) if hits >= n * gamma + 1.0 else 0.0
    chance = _chance(seed, tokens, mark, rng, dummies)
    return assessed(
        f"transformers kgw {mark.seeding_scheme}", "key", (n, hits), (log_p, _standard(hits, n, gamma)), chance
    )


def seeds(grams: IntArray, mark: KgwMark) -> NDArray[np.uint64]:
    """Return the seed of each place's list, shape (n,); torch keeps its lower 32 bits.

    Args:
        grams: Contexts with the marked token last, shape (n, before + 1).
        mark: The settings.
    """
    if mark.seeding_scheme == "lefthash":
        newest, inverse = np.unique(grams[:, -2], return_inverse=True)
        # In Python's integers, as there: they do not wrap, and the remainder is not by 2^64.
        raw = [mark.hashing_key * token % _WRAP & 0xFFFFFFFF for token in newest.tolist()]
        return np.array(raw, np.uint64)[inverse]
    table = _table(mark.hashing_key)
    own = table[grams[:, -1] % TABLE]
    product = np.int64(mark.hashing_key) * table[grams % TABLE] * own[:, None]
    least = product.min(axis=1)
    # A product that wrapped below 0 has the remainder of one less than its 64 bits say.
    return np.asarray((least.astype(np.uint64) - (least < 0).astype(np.uint64)) & np.uint64(0xFFFFFFFF))


@lru_cache(maxsize=4)
def _table(key: int) -> IntArray:
    return permutation(key, TABLE) + 1


def _places(text: TokenText, mark: KgwMark, prompts: TokenText | None) -> tuple[NDArray[np.uint64], IntArray]:
    """Return seed and token of each distinct (list, token)."""
    if mark.before:
        found = distinct_grams(text, mark.before, prompts=prompts)
        grams = np.concatenate([found.contexts, found.tokens[:, None]], axis=1)
    else:
        grams = np.unique(text.tokens)[:, None]
    seed = seeds(grams, mark)
    first = np.sort(np.unique(number([seed.astype(np.int64), grams[:, -1]]), return_index=True)[1])
    return seed[first], grams[first, -1]


def _chance(
    seed: NDArray[np.uint64], tokens: IntArray, mark: KgwMark, rng: np.random.Generator, dummies: int
) -> FloatArray:
    """Return random keys' standardised scores: to each list of the text, one of a few real ones, shifted at random."""
    if len(tokens) > SAMPLE:
        part = np.sort(rng.choice(len(tokens), SAMPLE, replace=False))
        seed, tokens = seed[part], tokens[part]
    lists = heads(rng.integers(0, 2**32, LISTS, np.uint64), mark.vocab, mark.head)
    which, inverse = np.unique(seed, return_inverse=True)
    n, gamma = len(tokens), mark.head / mark.vocab
    out = np.empty(dummies)
    for i in range(dummies):
        drawn = rng.integers(0, LISTS, len(which))
        shift = rng.integers(0, mark.vocab, len(which))
        hits = lists[drawn[inverse], (tokens + shift[inverse]) % mark.vocab].sum()
        out[i] = _standard(int(hits), n, gamma)
    return out


def _standard(hits: int, n: int, gamma: float) -> float:
    return float((hits - gamma * n) / np.sqrt(max(n, 1) * gamma * (1.0 - gamma)))
