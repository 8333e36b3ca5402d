"""Read the green-list mark: count green tokens under a key, and say exactly how likely that many are by chance.

In: a text in tokens, an epoch, and whom the text may have been served to. Out: `Reading`, one a hypothesis.
Null hypothesis: the text was written without knowledge of the epoch's secret. Each distinct (context, token) is then
green with chance 1/2 independently of all others, whatever the text: the count is binomial, exactly.
Every hypothesis fixes, before it looks, which key each context would carry, so each is valid whoever was served. They
differ in power: contexts scored under a key that they do not carry are noise (docs/explain/marks.md).
Cost: 100 ns a token to prepare and read at width 1, 180 ns at width 2; calibration 0.3 s at most
(`python -m bench.marks`).
Left to `accounts`: many keys. Left to the caller: the tokeniser of the model that was marked.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from stillwatch.forensics.marks.calibrate import DUMMIES, Chance
from stillwatch.forensics.marks.hypotheses import hypotheses
from stillwatch.forensics.marks.pairs import TokenText, distinct_pairs
from stillwatch.forensics.marks.reading import Reading
from stillwatch.forensics.marks.words import Words
from stillwatch.stats.arrays import IntArray
from stillwatch.stats.exact import binomial_tail
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.green import GAMMA
from stillwatch.treatments.marks.prf import ContextTable
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import ACCOUNT, CAMPAIGN, PROVIDER, TierKeys, tiers_of


@dataclass(frozen=True, kw_only=True)
class GreenText:
    """A text made ready to be read under one epoch. Shows sizes only."""

    epoch: Epoch
    words: tuple[Words, Words, Words] = field(repr=False)
    """What is to be scored, by tier of the context."""
    seen: int
    """Places with a whole context."""
    excluded: int
    """Places left out because the prompt holds their context."""

    @classmethod
    def of(
        cls, text: TokenText, epoch: Epoch, *, vocab: int = 0, prompts: TokenText | None = None,
        table: ContextTable | None = None,
    ) -> "GreenText":  # fmt: skip
        """Return a text made ready.

        Args:
            text: Documents in tokens of the model that was marked.
            epoch: The epoch to read under; several epochs are several texts, and Holm counts them all.
            vocab: Tokens in the vocabulary; 0: the epoch's, or else the table's.
            prompts: One prompt a document, whose contexts do not count (see `distinct_pairs`).
            table: The epoch's table, where the caller keeps it: it takes 20 ms to build at 49,152 tokens.

        Raises:
            StillwatchError: the epoch is not of scheme `green`, no vocabulary is known, or the text does not fit it.
        """
        vocab = vocab or epoch.vocab or (table.vocab if table else 0)
        if epoch.scheme != "green" or vocab < 1:
            raise StillwatchError(
                f"mark epoch {epoch.number}: has scheme {epoch.scheme} and vocabulary {vocab}; "
                "this reader needs `green` and a vocabulary. Give the tokeniser's size."
            )
        pairs = distinct_pairs(text, epoch.width, vocab, prompts)
        table = table or ContextTable.of(epoch, vocab)
        digests = table.digests(*pairs.contexts)
        words = Words.of(pairs, digests)
        tiers = tiers_of(digests, epoch)
        parts = (words.only(tiers == PROVIDER), words.only(tiers == CAMPAIGN), words.only(tiers == ACCOUNT))
        return cls(epoch=epoch, words=parts, seen=pairs.seen, excluded=pairs.excluded)

    @cached_property
    def scored(self) -> IntArray:
        """Distinct pairs by tier, shape (3,)."""
        return np.array([part.scored for part in self.words], np.int64)

    def hits(self, keys: TierKeys) -> IntArray:
        """Return green pairs by tier, each tier under its key, shape (3,)."""
        return np.array([part.hits(key) for part, key in zip(self.words, keys, strict=True)], np.int64)


def read_owner(
    text: GreenText, rng: np.random.Generator, *, account: bytes = b"", campaign: bytes = b"", dummies: int = DUMMIES
) -> tuple[Reading, ...]:
    """Read a text whose owner is suspected: each tier alone, and all together.

    Args:
        text: The text made ready.
        rng: Draws the random keys for calibration.
        account: Tag of the account; empty: none is suspected.
        campaign: Tag of the campaign; empty: none.
        dummies: Random keys, at least 1,000.

    Returns:
        One reading a hypothesis, `provider` first. With an account there are two ways in which campaign contexts may
        have been served, and each has its reading; hand all to `holm`.
    """
    chance = Chance.of(text.words, rng, dummies)
    tries = hypotheses(text.epoch, account, campaign, nobody=True)
    hits = {keys: text.hits(keys) for _, keys, _ in tries}
    return tuple(_reading(name, text.scored, hits[keys], tiers, chance) for name, keys, tiers in tries)


def _reading(name: str, scored: IntArray, hits: IntArray, tiers: tuple[int, ...], chance: Chance) -> Reading:
    chosen = list(tiers)
    n, k = int(scored[chosen].sum()), int(hits[chosen].sum())
    scores = chance.scores(tiers)
    why = "there is nothing to score: give more text." if n == 0 else chance.misfit(tiers)
    z = (k - GAMMA * n) / np.sqrt(max(n, 1) * GAMMA * (1.0 - GAMMA))
    return Reading(
        scheme="green", key_name=name, scored=n, hits=k, log_p=float(binomial_tail(k, n, GAMMA)),
        dummy_mean=float(np.mean(scores)), dummy_sd=float(np.std(scores)),
        dummy_p=(1 + int(np.count_nonzero(scores >= z))) / (1 + len(scores)), fits=not why, why=why,
    )  # fmt: skip
