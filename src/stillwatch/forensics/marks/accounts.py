"""Search a text for the account, or the campaign, whose key it carries, among thousands.

In: a text made ready and the tags of everyone marked in its epoch. Out: one p-value each and Holm's correction.
An account is tried in two ways, since campaign contexts carry its key only while it is in no campaign: account
contexts alone, and campaign contexts too. Twice the smaller p-value holds whichever it was.
Large texts are searched in rounds of equal work: a sample of contexts under every key, a larger one under the fifth of
them that leads, and so on; the whole text under those that are left. The rest get p = 1: that loses power, never
validity, since Holm counts everybody.
Cost: 3 ns a word and key and 3 ns a context and key; 10,000 keys take 2 s a round, one round up to some 40,000 pairs
(`python -m bench.marks`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from stillwatch.forensics.marks.calibrate import DUMMIES, Chance
from stillwatch.forensics.marks.green import GreenText
from stillwatch.forensics.marks.reading import log_holm
from stillwatch.forensics.marks.words import Words
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.stats.exact import binomial_tail
from stillwatch.treatments.marks.green import GAMMA
from stillwatch.treatments.marks.prf import U64
from stillwatch.treatments.marks.ring import TierKey
from stillwatch.treatments.marks.tiers import ACCOUNT, CAMPAIGN

ROUND_MIXES: Final = 500_000_000
"""Work of a round before the last (see `Words.mixes`)."""
KEPT: Final = 5
"""One key in so many goes on to the next round."""
LEADING: Final = 64
"""Keys that are always tried on the whole text."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """What a search found; row i of every array belongs to tag i. Holds no keys."""

    tags: tuple[bytes, ...] = field(repr=False)
    scored: tuple[int, ...]
    """Pairs scored in each way of trying, after the first round."""
    hits: IntArray = field(repr=False)
    """Green pairs, shape (ways, tags); -1 where the whole text was not scored."""
    log_p: FloatArray = field(repr=False)
    """Log p-values, corrected for the ways, shape (tags,)."""
    adjusted: FloatArray = field(repr=False)
    """The same after Holm over all tags."""
    dummy_mean: float
    dummy_sd: float
    fits: bool
    why: str = ""

    def named(self, alpha: float) -> tuple[bytes, ...]:
        """Return the tags that count at family-wise error rate `alpha`, strongest first; none where chance misfits."""
        if not self.fits:
            return ()
        order = np.argsort(self.adjusted, kind="stable")
        return tuple(self.tags[i] for i in order if self.adjusted[i] <= math.log(alpha))


def read_accounts(
    text: GreenText, tags: Sequence[bytes], rng: np.random.Generator, *, tried: int | None = None
) -> Search:
    """Search for the account among `tags`.

    Args:
        text: The text made ready.
        tags: From `Epoch.tag("account", ...)`, each once.
        rng: Draws the random keys for calibration.
        tried: Hypotheses tried in all, where there are more than `tags` (other epochs, campaigns).
    """
    ways = ((ACCOUNT,), (CAMPAIGN, ACCOUNT))
    return _search(text, tags, [text.epoch.account_key(tag) for tag in tags], ways, (rng, tried))


def read_campaigns(
    text: GreenText, tags: Sequence[bytes], rng: np.random.Generator, *, tried: int | None = None
) -> Search:
    """Search for the campaign among `tags`, from `Epoch.tag("campaign", ...)`; otherwise like `read_accounts`."""
    return _search(text, tags, [text.epoch.campaign_key(tag) for tag in tags], ((CAMPAIGN,),), (rng, tried))


def _search(
    text: GreenText, tags: Sequence[bytes], keys: list[TierKey], ways: tuple[tuple[int, ...], ...],
    rng_tried: tuple[np.random.Generator, int | None],
) -> Search:  # fmt: skip
    rng, tried = rng_tried
    parts = [text.words[tier] for tier in ways[-1]]
    chance = Chance.of(tuple(parts), rng, DUMMIES)
    a, b = (np.array([key[half] for key in keys], np.uint64) for half in (0, 1))
    last = tuple(range(len(parts)))
    chosen = _leading(parts, a, b)
    hits = np.full((len(ways), len(tags)), -1, np.int64)
    by_part = np.stack([part.hits_of(a[chosen], b[chosen]) for part in parts])
    log_p = np.zeros(len(tags))
    scored = []
    for row, way in enumerate(ways):
        own = [ways[-1].index(tier) for tier in way]
        n = sum(parts[i].scored for i in own)
        hits[row, chosen] = by_part[own].sum(axis=0)
        tail = binomial_tail(hits[row, chosen], n, GAMMA)
        log_p[chosen] = np.minimum(log_p[chosen], tail + math.log(len(ways)))
        scored.append(n)
    scores = chance.scores(last)
    why = "there is nothing to score: give more text." if scored[-1] == 0 else chance.misfit(last)
    return Search(
        tags=tuple(tags), scored=tuple(scored), hits=hits, log_p=log_p, adjusted=log_holm(log_p, tried=tried),
        dummy_mean=float(np.mean(scores)), dummy_sd=float(np.std(scores)), fits=not why, why=why,
    )  # fmt: skip


def _leading(parts: list[Words], a: U64, b: U64) -> IntArray:
    """Return the indices of keys to try on the whole text, ascending: all, or those that led on samples of it.

    Leading counts over all parts or over the last alone: an account's own contexts carry its key either way.
    """
    alive = np.arange(len(a))
    size = sum(part.mixes for part in parts)
    while len(alive) > LEADING and size * len(alive) > ROUND_MIXES:
        samples = [part.sample(ROUND_MIXES / (size * len(alive))) for part in parts]
        hits = np.stack([part.hits_of(a[alive], b[alive]) for part in samples])
        scored = np.array([part.scored for part in samples])
        ways = [(hits[i:].sum(axis=0), int(scored[i:].sum())) for i in (0, len(parts) - 1)]
        lead = np.max([(k - GAMMA * n) / math.sqrt(max(n, 1)) for k, n in ways], axis=0)
        alive = np.sort(alive[np.argsort(-lead, kind="stable")[: max(LEADING, len(alive) // KEPT)]])
    return alive
