"""From drawn answers to figures: tokens to 1e-6, and what a mark costs, with bootstrap intervals.

In: the files of `drawn` and `answered`. Out: rows of tables. Cost: seconds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.marks.drawn import epoch_of
from stillwatch.forensics.marks.power import power
from stillwatch.stats.exact import binomial_tail
from stillwatch.treatments.marks.green import GAMMA, green_bits
from stillwatch.treatments.marks.prf import ContextTable, seeds
from stillwatch.treatments.marks.tiers import ACCOUNT, CAMPAIGN, PROVIDER, keys_for, tiers_of

LOG_ALPHA = float(np.log(1e-6))
WANTED = 0.9
GRID = np.arange(20, 1201, 10)
TIERS = {"all tiers": (PROVIDER, CAMPAIGN, ACCOUNT), "provider": (PROVIDER,), "account": (CAMPAIGN, ACCOUNT)}
RESAMPLES = 1_000


@dataclass(frozen=True)
class Sequence_:
    """One answer: its tokens, and of each whether it is green under its owner's key, and of which tier."""

    tokens: NDArray[np.int64]
    green: NDArray[np.bool_]
    tier: NDArray[np.int8]
    key: int


def read(folder: Path, name: str, delta: float) -> tuple[dict[str, Any], list[Sequence_]]:
    """Return a file of `drawn`, and its answers."""
    with np.load(folder / f"{name}.npz") as file:
        found = dict(file)
    ends = np.cumsum(found["lengths"])
    tables: dict[int, ContextTable] = {}
    out = []
    for end, length, key in zip(ends, found["lengths"], found["keys"], strict=True):
        tokens = found["tokens"][end - length : end].astype(np.int64)
        epoch = epoch_of(int(key), delta)
        table = tables.setdefault(int(key), ContextTable.of(epoch, epoch.vocab))
        digests = table.following(tokens)
        tier = tiers_of(digests, epoch)
        a, b = keys_for(epoch, epoch.tag("account", "acme")).halves
        out.append(Sequence_(tokens, green_bits(seeds(digests, a[tier], b[tier]), tokens) == 1, tier, int(key)))
    return found, out


def tokens_needed(answers: list[Sequence_], tiers: tuple[int, ...], rng: np.random.Generator) -> tuple[float, ...]:
    """Return the tokens of text from which on 1e-6 is reached nine times in ten: figure, low and high of 95 %.

    A text begins with each answer in turn and goes on with others of its key in random order; repeats count once.
    """
    reached = np.stack([_reached(i, answers, tiers, rng) for i in range(len(answers))])
    whole = _first(reached.mean(axis=0))
    drawn = rng.integers(0, len(answers), (RESAMPLES, len(answers)))
    spread = np.array([_first(reached[rows].mean(axis=0)) for rows in drawn])
    return whole, float(np.quantile(spread, 0.025)), float(np.quantile(spread, 0.975))


def _reached(
    first: int, answers: list[Sequence_], tiers: tuple[int, ...], rng: np.random.Generator, repeats: int = 8
) -> NDArray[np.float64]:
    """Return how often a text that begins with one answer is found after each number of tokens of `GRID`."""
    out = np.zeros(len(GRID))
    others = [i for i, one in enumerate(answers) if one.key == answers[first].key and i != first]
    for _ in range(repeats):
        order = [answers[i] for i in (first, *rng.permutation(others))]
        code = np.concatenate([_codes(one) for one in order])
        green = np.concatenate([one.green for one in order])
        own = np.isin(np.concatenate([one.tier for one in order]), tiers)
        new = np.zeros(len(code), np.bool_)
        new[np.unique(code, return_index=True)[1]] = True
        counted = new & own & (code >= 0)
        at = np.minimum(GRID, len(code)) - 1
        n, k = np.cumsum(counted)[at], np.cumsum(counted & green)[at]
        out += np.asarray(binomial_tail(k, n, GAMMA)) <= LOG_ALPHA
    return out / repeats


def _codes(one: Sequence_) -> NDArray[np.int64]:
    """Return a number for each pair of neighbours; -1 for the first token, which has none before it."""
    return np.concatenate([[-1], one.tokens[:-1] * 65_536 + one.tokens[1:]])


def _first(found: NDArray[np.float64]) -> float:
    """Return the least number of tokens from which on the power holds; infinity where none does."""
    short = np.flatnonzero(found < WANTED)
    after = 0 if not len(short) else short[-1] + 1
    return float(GRID[after]) if after < len(GRID) else float("inf")


def interval(values: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float, float]:
    """Return the mean of paired differences, or of figures, with its 95 % bootstrap interval."""
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    return float(values.mean()), float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


__all__ = ["TIERS", "interval", "power", "read", "tokens_needed"]
