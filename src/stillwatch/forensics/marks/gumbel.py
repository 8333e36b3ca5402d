"""Read the keyed draw: add up how surprising each token is under the key that its context would carry.

In: a text in tokens, an epoch of scheme `gumbel`, whom the text may have been served to. Out: `Reading`, one a
hypothesis, the same hypotheses as for the green mark.
Null hypothesis: the text was written without knowledge of the epoch's secret. Each distinct (context, token) then
scores exponentially, mean 1, independently: the sums are gamma variables, exactly.
Cost: 0.4 microseconds a token to prepare and score, up to half a second for the random keys of a hypothesis.
Left to `vllm`: engines' own keys. Left to the caller: the tokeniser of the model that was marked.
Source: Aaronson 2022; the tiers are ours.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stillwatch.forensics.marks.assessed import assessed
from stillwatch.forensics.marks.calibrate import DUMMIES
from stillwatch.forensics.marks.grams import Grams, distinct_grams
from stillwatch.forensics.marks.hypotheses import Hypothesis, hypotheses
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.reading import Reading
from stillwatch.forensics.marks.vllm import chance_scores, standard, summed
from stillwatch.stats.arrays import FloatArray
from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.gumbel import draw_key, mixing, pair_of_keys
from stillwatch.treatments.marks.prf import ContextTable
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import PROVIDER, TierKeys, tiers_of


@dataclass(frozen=True, kw_only=True)
class GumbelText:
    """A text made ready to be read under one epoch. Shows sizes only."""

    epoch: Epoch
    grams: Grams
    tiers: NDArray[np.int8] = field(repr=False)
    """Tier of each place's context, shape (n,)."""
    alpha: float
    """Weight of the second key's scores."""

    @classmethod
    def of(
        cls, text: TokenText, epoch: Epoch, *, vocab: int = 0, prompts: TokenText | None = None,
        alpha: float | None = None,
    ) -> "GumbelText":  # fmt: skip
        """Return a text made ready.

        Args:
            text: Documents in tokens of the model that was marked.
            epoch: Scheme `gumbel`; several epochs are several texts, and Holm counts them all.
            vocab: Tokens in the vocabulary; 0: the epoch's.
            prompts: One prompt a document, whose contexts do not count.
            alpha: As the engine has it; left out, `treatments.marks.gumbel.mixing(epoch)`.

        Raises:
            StillwatchError: the epoch is not of scheme `gumbel`, no vocabulary is known, or the text does not fit it.
        """
        vocab = vocab or epoch.vocab
        highest = int(text.tokens.max(initial=0))
        if epoch.scheme != "gumbel" or vocab <= highest:
            raise StillwatchError(
                f"mark epoch {epoch.number}: has scheme {epoch.scheme} and vocabulary {vocab}, and the text has tokens "
                f"up to {highest}; this reader needs `gumbel` and the vocabulary of the model that was marked."
            )
        grams = distinct_grams(text, epoch.width, prompts=prompts)
        columns = [grams.contexts[:, epoch.width - 1 - j] for j in range(epoch.width)]
        tiers: NDArray[np.int8] = np.zeros(len(grams.tokens), np.int8)
        if epoch.shares[PROVIDER] < 1.0:
            tiers = tiers_of(ContextTable.of(epoch, vocab).digests(*columns), epoch)
        return cls(epoch=epoch, grams=grams, tiers=tiers, alpha=mixing(epoch) if alpha is None else alpha)

    def part(self, tiers: tuple[int, ...]) -> "GumbelText":
        """Return the places of some tiers."""
        chosen = np.isin(self.tiers, tiers)
        return GumbelText(epoch=self.epoch, grams=self.grams.only(chosen), tiers=self.tiers[chosen], alpha=self.alpha)

    def keys(self, owners: TierKeys) -> list[NDArray[np.uint64]]:
        """Return the first and the second key of each place, two arrays of shape (n,)."""
        pairs = np.array([pair_of_keys(draw_key(self.epoch, key), self.alpha) for key in owners], np.uint64)
        return [pairs[self.tiers, 0], pairs[self.tiers, 1]]


def read_draws(
    text: GumbelText, rng: np.random.Generator, *, account: bytes = b"", campaign: bytes = b"", dummies: int = DUMMIES
) -> tuple[Reading, ...]:
    """Read a text whose owner is suspected: each tier alone, and all together.

    Args:
        text: The text made ready.
        rng: Draws the random keys for calibration.
        account: Tag of the account; empty: none is suspected.
        campaign: Tag of the campaign; empty: none.
        dummies: Random keys, at least 1,000.

    Returns:
        One reading a hypothesis, `provider` first; hand all to `holm`.
    """
    shared = text.epoch.shares[PROVIDER] < 1.0
    tries = hypotheses(text.epoch, account, campaign, nobody=shared)
    chances: dict[tuple[int, ...], FloatArray] = {}
    return tuple(_reading(text, one, chances, rng, dummies) for one in tries)


def _reading(
    text: GumbelText, hypothesis: Hypothesis, chances: dict[tuple[int, ...], FloatArray],
    rng: np.random.Generator, dummies: int,
) -> Reading:  # fmt: skip
    name, owners, tiers = hypothesis
    part = text.part(tiers)
    if tiers not in chances:
        chances[tiers] = chance_scores(part.grams, text.alpha, rng, dummies)
    n = len(part.grams.tokens)
    score, log_p = summed(part.grams, part.keys(owners), text.alpha)
    return assessed("gumbel", name, (n, score), (log_p, standard(score, n, text.alpha)), chances[tiers])
