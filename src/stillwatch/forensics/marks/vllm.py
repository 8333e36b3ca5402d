"""Read vLLM's own mark, `gumbel` and `dual_key_gumbel`, without vLLM and without torch.

In: a text in tokens, the engine's key and settings. Out: `Reading`.
Null hypothesis: the text was written without knowledge of the key. The score of a place, -log(1 - u), is then
exponential with mean 1, and independent of those of all other distinct places: the sum is a gamma variable, exactly;
for two keys it is a weighted sum of two (vLLM itself approximates that one by a single gamma variable).
Cost: 0.2 microseconds a token and key; up to half a second for the random keys.
Left to the caller: the tokeniser of the model that was marked, and Holm over all that is tried.
Source: vLLM 0.33 `vllm/v1/watermarking` (scores, contexts); tests/golden/vllm_gumbel.json holds its own answers.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.forensics.marks.assessed import assessed
from stillwatch.forensics.marks.calibrate import DUMMIES
from stillwatch.forensics.marks.gamma import two_key_tail
from stillwatch.forensics.marks.grams import Grams, distinct_grams
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.reading import LEAST_KEYS, Reading
from stillwatch.stats.arrays import FloatArray
from stillwatch.terms.checks import check_range
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.philox import WIDEST, derive_key, pair_words, uniforms

SAMPLE: Final = 4_096
"""Places scored under each random key."""
GRAIN: Final = 2.0**-23
"""How far a score may lie above an exponential one, because uniforms have 24 bits; taken off, a place each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmMark:
    """How a vLLM engine marks: `--watermark-config`.

    Raises:
        StillwatchError: a setting is out of range.
    """

    key: int = field(repr=False)
    """Below 2^64."""
    algorithm: str = "gumbel"
    """`gumbel` or `dual_key_gumbel`."""
    alpha: float = 0.1
    """For `dual_key_gumbel`: share of draws under the second key, from 0 to 1."""
    context_width: int = 4
    """1 to 4."""

    def __post_init__(self) -> None:
        check_range("key", self.key, low=-1, high=2**64)
        check_range("context_width", self.context_width, low=0, high=WIDEST + 1)
        check_range("alpha", self.alpha, low=-1e-12, high=1.0 + 1e-12)
        if self.algorithm not in ("gumbel", "dual_key_gumbel"):
            raise StillwatchError(f"algorithm = {self.algorithm!r}: must be gumbel or dual_key_gumbel.")

    @property
    def weight(self) -> float:
        """Weight of the second key's scores."""
        return self.alpha if self.algorithm == "dual_key_gumbel" else 0.0

    @property
    def keys(self) -> tuple[int, ...]:
        """The keys that draw."""
        if self.algorithm == "gumbel":
            return (self.key,)
        return (derive_key(self.key, b"key_a"), derive_key(self.key, b"key_b"))


def read_vllm(
    text: TokenText, mark: VllmMark, rng: np.random.Generator, *, prompts: TokenText | None = None,
    dummies: int = DUMMIES,
) -> Reading:  # fmt: skip
    """Read a text under an engine's key.

    Args:
        text: Answers in tokens, without their prompts; each context is scored at its first place only, over all.
        mark: The engine's key and settings.
        rng: Draws the random keys.
        prompts: One prompt an answer; contexts that stand in it do not count. Needed where the writer may have copied.
        dummies: Random keys, at least 1,000.

    Raises:
        StillwatchError: the tokens are none.
        ValueError: `dummies` is below 1,000.
    """
    grams = distinct_grams(text, mark.context_width, once="context", padded=True, prompts=prompts)
    score, log_p = summed(grams, [np.array([key], np.uint64) for key in mark.keys], mark.weight)
    chance = chance_scores(grams, mark.weight, rng, dummies)
    n = len(grams.tokens)
    return assessed(f"vllm {mark.algorithm}", "engine", (n, score), (log_p, standard(score, n, mark.weight)), chance)


def summed(grams: Grams, keys: list[NDArray[np.uint64]], weight: float) -> tuple[float, float]:
    """Return the weighted sum of scores and the log of its exact p-value.

    Args:
        grams: Distinct places.
        keys: One entry for each key that draws, shape (n,) or (1,).
        weight: Weight of the second key's scores; 0 with one key.
    """
    score = float(weighed(grams, keys, weight).sum())
    n = len(grams.tokens)
    return score, two_key_tail(score - GRAIN * n, n, weight)


def weighed(grams: Grams, keys: list[NDArray[np.uint64]], weight: float) -> FloatArray:
    """Return the score of each place, shape (n,): mean 1 by chance."""
    out = (1.0 - weight) * scores(grams, keys[0])
    return out + weight * scores(grams, keys[1]) if weight > 0.0 else out


def scores(grams: Grams, key: NDArray[np.uint64]) -> FloatArray:
    """Return -log(1 - u) of each place under one key or a key a place, shape (n,)."""
    return np.asarray(-np.log1p(-uniforms(pair_words(key, grams.contexts, grams.tokens)).astype(np.float64)))


def standard(score: float, n: int, weight: float) -> float:
    """Return a weighted sum of `n` scores with mean 0 and variance 1 under the null; 0 without any."""
    return float((score - n) / np.sqrt(max(n, 1) * ((1.0 - weight) ** 2 + weight**2)))


def chance_scores(grams: Grams, weight: float, rng: np.random.Generator, dummies: int) -> FloatArray:
    """Return the standardised scores of random keys on (a sample of) the same places, shape (dummies,).

    Raises:
        ValueError: `dummies` is below 1,000.
    """
    if dummies < LEAST_KEYS:
        raise ValueError(f"dummies = {dummies}: must be at least {LEAST_KEYS}, or the fit cannot be judged.")
    part = grams.sample(SAMPLE, rng)
    n = len(part.tokens)
    drawn = rng.integers(0, 2**64, (dummies, 1 + (weight > 0.0)), np.uint64)
    # Short texts are scored under several keys at once.
    step = max(1, SAMPLE // max(n, 1))
    sums = [_under(part, drawn[i : i + step], weight) for i in range(0, dummies, step)]
    return np.array([standard(float(score), n, weight) for score in np.concatenate(sums)])


def _under(part: Grams, drawn: NDArray[np.uint64], weight: float) -> FloatArray:
    """Return the weighted sum of scores under each row of keys."""
    n, rows = len(part.tokens), len(drawn)
    tiled = Grams(np.tile(part.contexts, (rows, 1)), np.tile(part.tokens, rows), part.seen, part.excluded)
    keys = [np.repeat(drawn[:, j], n) for j in range(drawn.shape[1])]
    return np.asarray(weighed(tiled, keys, weight).reshape(rows, n).sum(axis=1))
