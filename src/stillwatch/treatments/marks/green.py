"""The green-list mark: half of the vocabulary, chosen anew by key and context, is made a little likelier.

In: the tokens so far and the logits of the next. Out: which tokens are green; logits with `delta` nats added to those.
Token w is green when bit w mod 64 of word(w div 64) of the context's stream is 1 (see `prf`): one 64-bit mix serves
64 tokens, and every token of every context is green with chance 1/2, whatever the others are.
Cost: 30 microseconds a step at a vocabulary of 49,152 (`python -m bench.marks`).
Left to engines: calling it on raw logits, before temperature and truncation, and leaving out text that must be exact.
Source: Kirchenbauer et al. 2023, arXiv:2301.10226; the counter stream and the tiers are ours.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.prf import PHI, U64, ContextHash, IntArray, mix64_into, seed_int
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import bounds, keys_for, tier_int

GAMMA: Final = 0.5
"""Share of green tokens."""
_PHI: Final = np.uint64(PHI)
_SIX, _LOW, _ONE = np.uint64(6), np.uint64(63), np.uint64(1)
BoolArray = npt.NDArray[np.bool_]


def green_bits(seeds: U64, tokens: IntArray) -> U64:
    """Return 1 for green and 0 for red, for tokens under the seeds of their contexts; shapes broadcast."""
    token = np.asarray(tokens).astype(np.uint64, copy=False)
    word = np.atleast_1d((token >> _SIX) * _PHI + seeds)
    mix64_into(word, np.empty_like(word))
    word >>= token & _LOW
    word &= _ONE
    return word


class GreenMark:
    """The mark of one answer: one account, one campaign, one epoch. Holds keys; never shown.

    Raises:
        StillwatchError: the epoch is another than the order's, or not of scheme `green`.
    """

    def __init__(self, epoch: Epoch, order: MarkOrder | None = None) -> None:
        """Take the keys that the order asks for; without an order, the provider's for every context."""
        if epoch.scheme != "green":
            raise StillwatchError(f"mark epoch {epoch.number}: has scheme {epoch.scheme}; a green mark needs `green`.")
        if order is not None and order.epoch != epoch.number:
            raise StillwatchError(f"mark epoch {epoch.number}: the order asks for epoch {order.epoch}; look that up.")
        self.epoch = epoch
        self.delta = epoch.delta
        self.sure = math.log(epoch.spare) if epoch.spare < 1.0 else math.inf
        """Log-probability of the likeliest token from which on a place is left unmarked; infinite for none."""
        self._hash = ContextHash.of(epoch)
        self._limits = bounds(epoch)
        self._keys = keys_for(epoch, order.account, order.campaign) if order else keys_for(epoch)
        self._steps: U64 = np.empty(0, np.uint64)
        self._spare: U64 = np.empty(0, np.uint64)

    def __repr__(self) -> str:
        return f"GreenMark(epoch={self.epoch.number})"

    def seed(self, context_tokens: Sequence[int]) -> int:
        """Return the seed of the context that `context_tokens` end with, under its tier's key; secret."""
        digest = self._hash.digest(context_tokens)
        return seed_int(digest, self._keys[tier_int(digest, self._limits)])

    def words(self, context_tokens: Sequence[int], vocab: int) -> U64:
        """Return the green list as bits, 64 tokens a word, shape (ceil(vocab / 64),); for engines that unpack it."""
        n = -(-vocab // 64)
        if len(self._steps) != n:
            self._steps = np.arange(n, dtype=np.uint64) * _PHI
            self._spare = np.empty(n, np.uint64)
        out = self._steps + np.uint64(self.seed(context_tokens))
        mix64_into(out, self._spare)
        return out

    def bias(self, context_tokens: Sequence[int], vocab: int) -> BoolArray:
        """Return which tokens are green after `context_tokens`, shape (vocab,).

        Args:
            context_tokens: The tokens so far, prompt included; only the last `epoch.width` matter.
            vocab: Tokens in the vocabulary, or as many logits as the engine has.
        """
        octets = self.words(context_tokens, vocab).astype("<u8", copy=False).view(np.uint8)
        return np.unpackbits(octets, count=vocab, bitorder="little").view(np.bool_)

    def bias_candidates(self, context_tokens: Sequence[int], ids: npt.ArrayLike) -> BoolArray:
        """Return which of the tokens `ids` are green after `context_tokens`, shape (n,)."""
        seed = np.array([self.seed(context_tokens)], np.uint64)
        return green_bits(seed, np.asarray(ids, np.int64)).astype(np.bool_)

    def apply(self, logits: npt.NDArray[Any], context_tokens: Sequence[int]) -> None:
        """Add `delta` to the green tokens' logits, in place, unless the model is sure of this place.

        Args:
            logits: Raw, shape (vocab,), of a float type.
            context_tokens: As `bias` takes them.
        """
        if self.sure < math.inf and self._is_sure(logits):
            return
        green = self.bias(context_tokens, logits.shape[-1])
        logits += np.multiply(green, self.delta, dtype=logits.dtype)

    def _is_sure(self, logits: npt.NDArray[Any]) -> bool:
        """Return whether the likeliest token has a chance of at least `epoch.spare`."""
        return bool(-math.log(float(np.exp(logits - logits.max()).sum())) >= self.sure)
