"""Keyed draws against a suspect: after each context one token was the key's; does the suspect favour just that one?

In: contexts, each with tokens, a probability r of each and a payoff f, none of which knows a key. Out: the sum of
payoffs of the tokens that a key draws there, less what a fresh key would bring, and an exact bound on its tail.
The key draws the token with the greatest log r + noise; over fresh keys it is token w with chance r(w), whatever r is.
So under the null each context brings an independent payoff with a known distribution, whatever the suspect, whatever r:
    K(t) = sum over contexts of log sum_w r(w) exp(t (f(w) - mean)),     P(sum >= x) <= exp(K(t) - t x) for every t > 0
A poor r draws other tokens than the teacher did, which costs power and never validity. Where a share alpha of draws is
under a second key, both keys' tokens are paid, by their shares. Uniforms have 24 bits: chances hold to one in 10^7.
Cost: 0.1 microseconds a (context, token) and key. Left to `drawnscores`: r and f. Left to `keyed`: green marks.
Source: Gumbel 1954 (the maximum); Chernoff 1952; Ville 1939 for texts that the mark shaped.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.forensics.marks.calibrate import DUMMIES
from stillwatch.stats.arrays import FloatArray, IntArray
from stillwatch.treatments.marks.philox import pair_words, uniforms
from stillwatch.treatments.marks.prf import U64

LEAST: Final = 1e-5
"""Tokens that a reference gives less are left out; beyond that uniforms of 24 bits do not draw as r says."""
SAMPLE, TOP = 64, 32
"""Contexts that random keys are tried on, and tokens of each."""
SCALES: Final = 4.0 * 0.5 ** np.arange(12)
"""Values of t whose mean of exp(t S - K) is held against texts that the mark shaped; fixed before anything is known."""
_WIDE: Final = 2.0 ** np.linspace(-4.0, 3.0, 15)
_NARROW: Final = 2.0 ** np.linspace(-0.4, 0.4, 9)
DrawKeys = tuple[int, int]
"""First and second key of a draw, see `pair_of_keys`."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnContexts:
    """Contexts with what may follow them, one after the other; shows sizes only."""

    contexts: IntArray = field(repr=False)
    """Tokens before, oldest first; shape (contexts, width)."""
    digests: U64 = field(repr=False)
    """Keyed digest of each context, shape (contexts,)."""
    starts: IntArray = field(repr=False)
    """Where each context's tokens begin, shape (contexts,)."""
    tokens: IntArray = field(repr=False)
    log_r: FloatArray = field(repr=False)
    """Each context's chances sum to 1."""
    payoff: FloatArray = field(repr=False)
    """Each context's has mean 0 under r."""
    alpha: float

    def __repr__(self) -> str:
        return f"DrawnContexts({len(self.starts)} contexts)"

    @classmethod
    def of(
        cls, contexts: tuple[IntArray, U64], owner: IntArray, tokens: IntArray, values: tuple[FloatArray, FloatArray],
        *, alpha: float,
    ) -> "DrawnContexts":  # fmt: skip
        """Return what counts: tokens that may be drawn, of contexts in which it matters which.

        Args:
            contexts: Tokens before each context, shape (n, width), and their digests, shape (n,).
            owner: Number of each token's context, ascending, shape (m,).
            tokens: Each once a context, shape (m,).
            values: Chances r of at least 0, any scale, and payoffs, finite; shape (m,) each.
            alpha: Share of draws under the second key.
        """
        r, payoff = (np.asarray(one, np.float64) for one in values)
        total = np.bincount(owner, weights=r, minlength=len(contexts[1]))
        kept = r > LEAST * total[owner]
        owner, tokens, r, payoff = owner[kept], tokens[kept], r[kept], payoff[kept]
        number, owner = np.unique(owner, return_inverse=True)
        r = r / np.bincount(owner, weights=r)[owner]
        payoff = payoff - np.bincount(owner, weights=r * payoff)[owner]
        matters = np.bincount(owner, weights=r * np.square(payoff)) > 1e-12
        chosen = matters[owner]
        _, starts = np.unique(owner[chosen], return_index=True)
        number = number[matters]
        return cls(
            contexts[0][number].astype(np.int64), contexts[1][number], starts.astype(np.int64),
            tokens[chosen].astype(np.int64), np.log(r[chosen]), payoff[chosen], alpha,
        )  # fmt: skip

    @property
    def owner(self) -> IntArray:
        """Number of each token's context."""
        sizes = np.diff(self.starts, append=len(self.tokens))
        return np.repeat(np.arange(len(self.starts)), sizes)

    def only(self, chosen: NDArray[np.bool_]) -> "DrawnContexts":
        """Return the contexts chosen, by mask; it must not look at any key's draws."""
        every = chosen[self.owner]
        _, starts = np.unique(self.owner[every], return_index=True)
        return DrawnContexts(self.contexts[chosen], self.digests[chosen], starts.astype(np.int64), self.tokens[every],
                             self.log_r[every], self.payoff[every], self.alpha)  # fmt: skip

    @property
    def variances(self) -> FloatArray:
        """Variance of each context's payoff under a fresh key, shape (contexts,)."""
        if not len(self.starts):
            return np.zeros(0)
        squares = np.add.reduceat(np.exp(self.log_r) * np.square(self.payoff), self.starts)
        return np.asarray(squares * ((1.0 - self.alpha) ** 2 + self.alpha**2))

    @property
    def most(self) -> tuple[float, float]:
        """The greatest sum that any key could bring, and the log of its chance."""
        if not len(self.starts):
            return 0.0, 0.0
        top = np.maximum.reduceat(self.payoff, self.starts)
        ties = np.where(self.payoff >= top[self.owner], np.exp(self.log_r), 0.0)
        keys = 2.0 if 0.0 < self.alpha < 1.0 else 1.0
        return float(top.sum()), keys * float(np.log(np.add.reduceat(ties, self.starts)).sum())

    def total(self, keys: DrawKeys) -> float:
        """Return the sum of payoffs under a key."""
        if not len(self.starts):
            return 0.0
        paid = (1.0 - self.alpha) * self.payoff[self._drawn(keys[0])]
        if self.alpha > 0.0:
            paid = paid + self.alpha * self.payoff[self._drawn(keys[1])]
        return float(paid.sum())

    def _drawn(self, key: int) -> IntArray:
        """Return the place of the token that a key draws after each context."""
        owner = self.owner
        return self._greatest(pair_words(np.array([key], np.uint64), self.contexts[owner], self.tokens), owner)

    def _greatest(self, words: U64, owner: IntArray) -> IntArray:
        """Return the place of the token with the greatest log r + noise in each context."""
        value = self.log_r - np.log(-np.log(uniforms(words).astype(np.float64)))
        best = np.flatnonzero(value >= np.maximum.reduceat(value, self.starts)[owner])
        return best[np.searchsorted(owner[best], np.arange(len(self.starts)))]

    def cumulant(self, t: float) -> float:
        """Return K(t): the log of the mean of exp(t times the sum) over fresh keys."""
        if not len(self.starts):
            return 0.0
        shares = (1.0 - self.alpha, self.alpha) if self.alpha > 0.0 else (1.0,)
        return sum(self._log_mean(t * share) for share in shares)

    def _log_mean(self, t: float) -> float:
        exponent = self.log_r + t * self.payoff
        top = np.maximum.reduceat(exponent, self.starts)
        return float((top + np.log(np.add.reduceat(np.exp(exponent - top[self.owner]), self.starts))).sum())

    def tail(self, total: float) -> float:
        """Return the log of a bound on the chance that a fresh key brings so much: exact for any r and payoffs."""
        variance = float(self.variances.sum())
        if total <= 0.0 or variance <= 0.0:
            return 0.0
        found, best = 0.0, total / variance
        for factors in (_WIDE, _NARROW):
            tries = best * factors
            logs = [self.cumulant(float(t)) - float(t) * total for t in tries]
            at = int(np.argmin(logs))
            found, best = min(found, logs[at]), float(tries[at])
        return max(found, self.most[1])

    def running_tail(self, total: float) -> float:
        """Return the same where contexts follow one another and each may depend on the key's draws after the earlier.

        The mean over `SCALES` of exp(t S - K(t)) has mean at most 1 whenever it is looked at, so that its reciprocal is
        a p-value by Ville's inequality. Payoffs must lie within -1 to 1 before their mean is taken off.
        """
        logs = np.array([t * total - self.cumulant(float(t)) for t in SCALES])
        return min(0.0, float(np.log(len(SCALES)) - np.logaddexp.reduce(logs)))

    def chance(self, rng: np.random.Generator, dummies: int = DUMMIES) -> FloatArray:
        """Return what random keys draw on a sample of the contexts, standardised, shape (dummies,).

        Each context's likeliest tokens are parted into two near-halves, and a draw counts by its half: whether keys
        draw as r says is seen in that with few contexts, where payoffs are too uneven for a thousand keys to tell.
        """
        part = self._halved(rng)
        variance = float(part.variances.sum())
        if variance <= 0.0:
            return np.zeros(dummies)
        owner = part.owner
        contexts, sums = part.contexts[owner], np.empty(dummies)
        for i, key in enumerate(rng.integers(0, 2**64, (dummies, 1), np.uint64)):
            sums[i] = part.payoff[part._greatest(pair_words(key, contexts, part.tokens), owner)].sum()
        return np.asarray(sums / np.sqrt(variance))

    def _halved(self, rng: np.random.Generator) -> "DrawnContexts":
        """Return at most `SAMPLE` contexts, drawn without a key, with `TOP` tokens each: half of the chance pays 1."""
        order = np.sort(rng.permutation(len(self.starts))[:SAMPLE])
        every = np.isin(self.owner, order)
        owner, tokens, log_r = self.owner[every], self.tokens[every], self.log_r[every]
        likeliest = np.lexsort((tokens, -log_r, owner))
        owner, tokens, r = owner[likeliest], tokens[likeliest], np.exp(log_r[likeliest])
        first = np.searchsorted(owner, owner)
        before = np.cumsum(r) - r
        within = before - before[first]
        top = np.arange(len(owner)) - first < TOP
        pays = (within < 0.5).astype(np.float64)
        held = self.contexts, self.digests
        return DrawnContexts.of(held, owner[top], tokens[top], (r[top], pays[top]), alpha=0.0)
