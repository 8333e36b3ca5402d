"""The keyed draw: a token is drawn as it always was, but with numbers that a key and the context make.

In: logits that are ready to be drawn from, the answer so far. Out: the token. Averaged over keys, each token keeps its
chance; given the key, the draw leaves a trace in which tokens follow which contexts.
Contexts are the last `width` tokens of the answer, the prompt left out; one that came before in the same answer is
drawn without a key, or answers would fall into loops. The digest of a context chooses its tier, and so its key
(`tiers`). With a share `alpha` of draws a second key steps in, so that one prompt has more than one answer.
With shares (1, 0, 0) and a native key the draws are those of vLLM 0.33's own mark: `gumbel` for alpha 0,
`dual_key_gumbel` above.
Cost: 0.4 ms a step at a vocabulary of 49,152, 0.15 ms after truncation to 50. Needs a temperature above 0.
Left to engines: calling `truncated` first. Left to `forensics.marks.gumbel`: reading.
Source: Aaronson 2022 (the Gumbel-max mark); vLLM 0.33 `vllm/v1/watermarking`; the tiers are ours.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.philox import PAD, Drawn, Scratch, derive_key, uniforms
from stillwatch.treatments.marks.prf import ContextHash
from stillwatch.treatments.marks.ring import Epoch, TierKey
from stillwatch.treatments.marks.sampling import Logits
from stillwatch.treatments.marks.tiers import PROVIDER, bounds, keys_for, tier_int

ALPHA: Final = 0.1
"""Share of draws under the second key, where nothing else is said."""
HISTORY: Final = 8192
"""Latest places of an answer that are searched for a repeated context, as in vLLM."""
_MOST: Final = np.float32(16.7)
"""Above all noise that there is: uniforms end at 1 - 2^-24."""
_SLACK: Final = 1e-3
"""Above all that single precision loses in a bound for noise."""


class GumbelMark:
    """The keys of one answer: one account, one campaign, one epoch. Never shown.

    Raises:
        StillwatchError: the epoch is another than the order's or not of scheme `gumbel`, or `alpha` is out of range.
    """

    def __init__(self, epoch: Epoch, order: MarkOrder | None = None, *, alpha: float | None = None) -> None:
        """Take the keys that the order asks for; without an order, the provider's for every context.

        Args:
            epoch: Scheme `gumbel`.
            order: Whom the answer is for.
            alpha: Share of draws under the second key, from 0 to 1; left out, `mixing(epoch)`.
        """
        if epoch.scheme != "gumbel":
            raise StillwatchError(f"mark epoch {epoch.number}: has scheme {epoch.scheme}; a draw needs `gumbel`.")
        if order is not None and order.epoch != epoch.number:
            raise StillwatchError(f"mark epoch {epoch.number}: the order asks for epoch {order.epoch}; look that up.")
        self.epoch = epoch
        self.alpha = mixing(epoch) if alpha is None else alpha
        if not 0.0 <= self.alpha <= 1.0:
            raise StillwatchError(f"alpha = {self.alpha}: must lie from 0 to 1.")
        self._hash = ContextHash.of(epoch)
        self._limits = bounds(epoch)
        owners = keys_for(epoch, order.account, order.campaign) if order else keys_for(epoch)
        self._keys = [pair_of_keys(draw_key(epoch, key), self.alpha) for key in owners]

    def __repr__(self) -> str:
        return f"GumbelMark(epoch={self.epoch.number})"

    def answer(self) -> "GumbelAnswer":
        """Return a fresh answer to be drawn under these keys."""
        return GumbelAnswer(self)

    def key(self, context: Sequence[int], second: bool = False) -> int:
        """Return the 64-bit key of a context of `epoch.width` tokens, padded with -1 in front; secret."""
        tier = PROVIDER if self.epoch.shares[0] == 1.0 else tier_int(self._hash.digest(context), self._limits)
        return self._keys[tier][second]


class GumbelAnswer:
    """One answer in the making: remembers which contexts were used, and starts anew where an answer went back."""

    def __init__(self, mark: GumbelMark) -> None:
        """Start with no tokens."""
        self._mark = mark
        self._room = Scratch(), Scratch()
        self._known = 0
        self._newest = PAD
        self._last: dict[tuple[int, ...], int] = {}

    @property
    def epoch(self) -> Epoch:
        """The epoch it is drawn under."""
        return self._mark.epoch

    def pick(self, logits: Logits, said: Sequence[int], rng: np.random.Generator) -> int:
        """Return the token drawn after `said`.

        Args:
            logits: Shape (vocab,), scaled and truncated (`sampling.truncated`); -inf for what may not be drawn.
            said: Tokens of the answer so far, the prompt left out.
            rng: Chance for repeated contexts and for the choice between the two keys.

        Raises:
            ValueError: no token may be drawn.
        """
        draw = self.next_draw(said, rng)
        if draw is None:
            return keyless(logits, rng)
        return keyed(logits, np.array(draw[0], np.int64), draw[1], self._room)

    def next_draw(self, said: Sequence[int], rng: np.random.Generator) -> tuple[tuple[int, ...], int] | None:
        """Return the context and the secret key of the token after `said`; None where it is drawn without one.

        For engines that draw on an accelerator. Arguments as for `pick`.
        """
        context, repeated = self._context(said)
        if repeated:
            return None
        second = 0.0 < self._mark.alpha and (self._mark.alpha == 1.0 or float(rng.random()) < self._mark.alpha)
        return context, self._mark.key(context, second)

    def _context(self, said: Sequence[int]) -> tuple[tuple[int, ...], bool]:
        """Return the context of the next token and whether it came before within `HISTORY` places."""
        if len(said) < self._known or (self._known and int(said[self._known - 1]) != self._newest):
            self._known, self._last = 0, {}
        for place in range(self._known, len(said)):
            self._last[self._before(said, place)] = place
        self._known = len(said)
        self._newest = int(said[-1]) if len(said) else PAD
        context = self._before(said, len(said))
        return context, self._last.get(context, -1 - HISTORY) >= max(0, len(said) - HISTORY)

    def _before(self, said: Sequence[int], place: int) -> tuple[int, ...]:
        width = self._mark.epoch.width
        tail = [int(token) for token in said[max(0, place - width) : place]]
        return (*([PAD] * (width - len(tail))), *tail)


def mixing(epoch: Epoch) -> float:
    """Return the share of draws under the second key: none where the key is an engine's own, else `ALPHA`."""
    return 0.0 if epoch.native_key else ALPHA


def draw_key(epoch: Epoch, key: TierKey) -> int:
    """Return the 64-bit key that a tier's key draws with; the provider's may be an engine's own."""
    return epoch.native_key if epoch.native_key and key == epoch.provider_key() else key.a


def pair_of_keys(key: int, alpha: float) -> tuple[int, int]:
    """Return the first and the second key; for alpha 0 the key itself stands for both, as in vLLM's `gumbel`."""
    return (key, key) if alpha == 0.0 else (derive_key(key, b"key_a"), derive_key(key, b"key_b"))


def keyless(logits: Logits, rng: np.random.Generator) -> int:
    """Return a token drawn with fresh chance."""
    ids = np.flatnonzero(logits > -np.inf)
    _some(ids)
    return int(ids[np.argmax(logits[ids] + rng.gumbel(size=ids.size))])


def keyed(logits: Logits, context: NDArray[np.int64], key: int, room: tuple[Scratch, Scratch] | None = None) -> int:
    """Return the token that a key draws after a context: the greatest logit plus keyed Gumbel noise.

    Args:
        logits: Shape (vocab,), scaled and truncated.
        context: Tokens before, shape (width,), -1 for none.
        key: 64 bits.
        room: Memory to work in, of this thread; left out, fresh.

    Raises:
        ValueError: no token may be drawn.
    """
    wide, narrow = room if room is not None else (Scratch(), Scratch())
    top = int(np.argmax(logits))
    _some(logits[top : top + 1][logits[top : top + 1] > -np.inf])
    drawn = Drawn(key, context.tolist(), wide)
    best = logits[top] + noise(np.array([drawn.word(top)], np.uint64))[0]
    # Exact: rounding keeps order, so whoever falls short with at least its own noise falls short with its own.
    able = np.zeros(4 * -(-logits.size // 4), np.bool_)
    np.greater_equal(logits + _MOST, best, out=able[: logits.size])
    chosen = able.view(np.uint32) != 0
    # Gathering costs more than it saves where most of it stays.
    few = 2 * int(np.count_nonzero(chosen)) < chosen.size
    columns = np.flatnonzero(chosen) if few else np.arange(chosen.size)
    words = drawn.words(columns.view(np.uint64)).ravel()
    own = _rows(logits, columns if few else None)
    upper = at_most(words, narrow)
    upper += own
    first = int(np.argmax(upper))
    best = max(best, own[first] + noise(words[first : first + 1])[0])
    left = np.flatnonzero(upper >= best)
    totals = own[left] + noise(words[left])
    left = left[totals == totals.max()]
    return int((4 * columns[left % columns.size] + left // columns.size).min())


def at_most(words: NDArray[np.uint64], scratch: Scratch) -> NDArray[np.float32]:
    """Return, without a logarithm, bounds that the noise of words never exceeds, and comes near to from 2 on.

    -log(-log u) is at most -log(1 - u), and a float's bits read as a number never lie above its logarithm.

    Args:
        words: Shape (n,).
        scratch: Memory to work in.

    Returns:
        Shape (n,), valid until that memory is used again.
    """
    held = scratch.rows(2, words.size)
    np.right_shift(words, np.uint64(8), out=held[0])
    both: Logits = held[1].view(np.float32)
    rest, out = both[: words.size], both[words.size :]
    np.copyto(rest, held[0])
    np.subtract(np.float32(2**24), rest, out=rest)
    np.copyto(out, rest.view(np.int32))
    out *= np.float32(-math.log(2.0) / 2**23)
    out += np.float32(151.0 * math.log(2.0) + _SLACK)
    return out


def noise(words: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return Gumbel noise of words, in single precision as vLLM has it."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(-np.log(uniforms(words))), dtype=np.float32)


def _rows(logits: Logits, columns: NDArray[np.intp] | None) -> Logits:
    """Return the logits of tokens 4 c + r by row r, then column c; all columns for None; -inf beyond the last."""
    if over := -logits.size % 4:
        logits = np.concatenate([logits, np.full(over, -np.inf, np.float32)])
    table = logits.reshape(-1, 4)
    chosen: Logits = table if columns is None else np.take(table, columns, axis=0)
    return np.ravel(chosen.T)


def _some(ids: NDArray[Any]) -> None:
    if ids.size == 0:
        raise ValueError("logits: are all -inf; leave at least one token to draw.")
