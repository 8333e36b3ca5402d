"""Do honest documents look marked to the other readers: the keyed draw, vLLM's own, Transformers' SynthID and KGW?

In: documents. Out: rows as in `chance`. Every document is read alone, under random keys that it never saw.
Scores of keyed draws have no steps: their exact rate is the level itself. SynthID counts bits, whose exact rate is
computed; KGW's p-value is an upper bound, so its rate may lie anywhere below its level.
Cost: two minutes for 10,000 documents; KGW 30 ms a document, so it gets fewer.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from bench.marks.chance import EPOCHS, LEVELS, FloatArray, Level
from bench.marks.documents import Documents
from stillwatch.forensics.marks import kgw, mersenne
from stillwatch.forensics.marks.gamma import gamma_tail, two_key_tail
from stillwatch.forensics.marks.grams import Grams, distinct_grams
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.synthid import bits, hashes
from stillwatch.forensics.marks.vllm import GRAIN, standard, weighed
from stillwatch.stats.exact import binomial_tail
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.treatments.marks.gumbel import ALPHA
from stillwatch.treatments.marks.prf import ContextTable
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import tiers_of

KEYS, WIDE, DEPTH, TABLE = 10, 4, 30, 65_536
KGW_DOCUMENTS = 1_000
_SURELY = 1.5
"""Standard deviations below which no sum of exponential scores reaches 1e-2."""
Tokens = npt.NDArray[np.int64]
Read = Callable[[Tokens, int], tuple[FloatArray, float, FloatArray]]
"""Of a document and its number: log p-values by key, the first with repeats counted, and the exact rate by level."""


def run(found: Documents, seed: int) -> list[Level]:
    """Return one row a scheme and level."""
    out = []
    for scheme, width, bounded, read in schemes(found, seed):
        documents = found.tokens[:KGW_DOCUMENTS] if bounded else found.tokens
        log_p, loose, allowed = map(np.array, zip(*(read(one, i) for i, one in enumerate(documents)), strict=True))
        for nominal, exact in zip(LEVELS, allowed.mean(axis=0), strict=True):
            passed, kept = int((log_p <= math.log(nominal)).sum()), float((loose <= math.log(nominal)).mean())
            low, high = clopper_pearson(passed, log_p.size, confidence=0.99)
            out.append(Level(
                width=width, keys=log_p.shape[1], nominal=nominal, tests=log_p.size, passed=passed, low=float(low),
                high=float(high), allowed=min(float(exact), nominal), repeats_kept=kept,
                scheme=scheme, bounded=bounded,
            ))  # fmt: skip
    return out


def schemes(found: Documents, seed: int) -> Iterator[tuple[str, int, bool, Read]]:
    """Yield readers: name, width, whether their p-values are upper bounds only, and what reads one document."""
    for width in (2, WIDE):
        rng = np.random.default_rng([seed, 7, width])
        epochs = [Epoch(number=1, secret=rng.bytes(32), made=0.0, scheme="gumbel", width=width) for _ in range(EPOCHS)]
        tables = [(epoch, ContextTable.of(epoch, found.vocab)) for epoch in epochs]
        yield "keyed draw", width, False, partial(draws, rng, tables)
    yield "vLLM gumbel", WIDE, False, partial(vllm, np.random.default_rng([seed, 8]))
    yield "SynthID", WIDE, False, partial(synthid, np.random.default_rng([seed, 9]), mersenne.coins(0, TABLE))
    yield "KGW lefthash", 1, True, partial(lefthash, np.random.default_rng([seed, 10]), found.vocab)


def draws(
    rng: np.random.Generator, tables: list[tuple[Epoch, ContextTable]], tokens: Tokens, number: int
) -> tuple[FloatArray, float, FloatArray]:
    """Read for our keyed draw: two random keys for each tier."""
    epoch, table = tables[number % EPOCHS]
    drawn = rng.integers(0, 2**64, (KEYS, 2, 3), np.uint64)

    def sums(grams: Grams, rows: int) -> FloatArray:
        columns = [grams.contexts[:, epoch.width - 1 - j] for j in range(epoch.width)]
        return _sums(grams, drawn[:rows][:, :, tiers_of(table.digests(*columns), epoch)], ALPHA)

    return _exponential(tokens, epoch.width, sums, ALPHA)


def vllm(rng: np.random.Generator, tokens: Tokens, number: int) -> tuple[FloatArray, float, FloatArray]:
    """Read for vLLM's `gumbel`: each context once, over its first place."""
    drawn = rng.integers(0, 2**64, (KEYS, 1, 1), np.uint64)

    def sums(grams: Grams, rows: int) -> FloatArray:
        return _sums(grams, np.broadcast_to(drawn[:rows], (rows, 1, len(grams.tokens))), 0.0)

    return _exponential(tokens, WIDE, sums, 0.0, once="context", padded=True)


def _sums(grams: Grams, keys: npt.NDArray[np.uint64], weight: float) -> FloatArray:
    """Return the sum of scores under keys of shape (rows, 1 or 2, places)."""
    rows, n = len(keys), len(grams.tokens)
    tiled = Grams(np.tile(grams.contexts, (rows, 1)), np.tile(grams.tokens, rows), grams.seen, grams.excluded)
    columns = [keys[:, j].ravel() for j in range(keys.shape[1])]
    return np.asarray(weighed(tiled, columns, weight).reshape(rows, n).sum(axis=1))


def _exponential(
    tokens: Tokens, width: int, sums: Callable[[Grams, int], FloatArray], weight: float, **places: object
) -> tuple[FloatArray, float, FloatArray]:
    text = TokenText.of([tokens])
    grams = distinct_grams(text, width, **places)  # type: ignore[arg-type]
    log_p = _tails(sums(grams, KEYS), len(grams.tokens), weight)
    windows = _windows(tokens, width + 1)
    every = Grams(windows[:, :-1], windows[:, -1], len(windows), 0)
    return log_p, float(_tails(sums(every, 1), len(windows), weight)[0]), np.array(LEVELS)


def _windows(tokens: Tokens, length: int) -> Tokens:
    """Return every run of so many tokens, repeats included, shape (n, length)."""
    if len(tokens) < length:
        return np.empty((0, length), np.int64)
    return np.lib.stride_tricks.sliding_window_view(tokens, length)


def _tails(scores: FloatArray, n: int, weight: float) -> FloatArray:
    """Return the readers' own p-values, and 1 for sums that are nowhere near any level."""
    out = np.zeros(len(scores))
    for i, score in enumerate(scores):
        if n and standard(float(score), n, weight) > _SURELY:
            less = float(score) - GRAIN * n
            out[i] = two_key_tail(less, n, weight) if weight else float(gamma_tail(less, n))
    return out


def synthid(
    rng: np.random.Generator, table: npt.NDArray[np.uint8], tokens: Tokens, number: int
) -> tuple[FloatArray, float, FloatArray]:
    """Read for Transformers' SynthID, depth 30: each hash modulo the table once."""
    grams = distinct_grams(TokenText.of([tokens]), WIDE)
    state = hashes(np.concatenate([grams.contexts, grams.tokens[:, None]], axis=1))
    state = state[np.unique(state % np.uint64(TABLE), return_index=True)[1]]
    keys, share = rng.integers(0, 2**63, DEPTH, np.uint64), float(table.mean())
    n = len(state) * DEPTH
    log_p = float(binomial_tail(int(bits(state, keys, table).sum()), n, share))
    windows = (
        np.lib.stride_tricks.sliding_window_view(tokens, WIDE + 1) if len(tokens) > WIDE else np.zeros((0, 5), int)
    )
    ones = int(bits(hashes(windows), keys, table).sum())
    loose = float(binomial_tail(ones, len(windows) * DEPTH, share))
    return np.array([log_p]), loose, np.asarray(binom.sf(binom.isf(LEVELS, n, share), n, share)) if n else np.zeros(3)


def lefthash(rng: np.random.Generator, vocab: int, tokens: Tokens, number: int) -> tuple[FloatArray, float, FloatArray]:
    """Read for Transformers' KGW with its defaults, but for the key."""
    mark = kgw.KgwMark(vocab=vocab, hashing_key=int(rng.integers(1, 2**40)))
    seed, after = kgw._places(TokenText.of([tokens]), mark, None)
    pairs = np.stack([tokens[:-1], tokens[1:]], axis=1)
    raw = kgw.seeds(pairs, mark)
    # One look at each list serves both counts.
    green = dict(zip(zip(seed.tolist(), after.tolist(), strict=True), mersenne.leads(seed, after, vocab, mark.head),
                     strict=True))  # fmt: skip
    every = [green[pair] for pair in zip(raw.tolist(), pairs[:, 1].tolist(), strict=True)]
    gamma = mark.head / mark.vocab

    def tail(hits: int, n: int) -> float:
        return float(binomial_tail(hits, n, gamma)) if hits >= n * gamma + 1.0 else 0.0

    return np.array([tail(sum(green.values()), len(green))]), tail(sum(every), len(every)), np.array(LEVELS)
