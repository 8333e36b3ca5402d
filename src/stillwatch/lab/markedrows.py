"""Marks for many texts that are drawn side by side: the same green lists and draws as an engine's, in batches.

In: an epoch, and one order a text. Out: a `Hook` for `WordTeacher.sample`.
    orders = [MarkOrder(epoch=1, account=epoch.tag("account", "acme"), until=1e12), None]     # None: not marked
    teacher.sample(2, 100, rng, hook=GreenRows(epoch, orders, vocab=2048))
Contexts are tokens of the answer, the prompt left out. Cost: with the teacher 40,000 tokens a second for green,
3,000 for keyed draws, at a vocabulary of 2,048.
"""

import math
from collections.abc import Sequence

import numpy as np

from stillwatch.lab.wordteacher import FloatArray, IntArray
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelMark
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.prf import PAD, PHI, ContextTable, mix64_into, seeds
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import keys_for, tiers_of


class GreenRows:
    """The green mark of each text. Holds keys; never shown."""

    def __init__(self, epoch: Epoch, orders: Sequence[MarkOrder | None], vocab: int) -> None:
        """Take the epoch, scheme `green`, one order or None a text, and the tokens of the vocabulary.

        Raises:
            StillwatchError: the epoch is not of scheme `green`, or an order is of another epoch.
        """
        GreenMark(epoch)
        self._epoch, self._table = epoch, ContextTable.of(epoch, vocab)
        self._marked = np.array([order is not None for order in orders], np.bool_)
        known = {}
        for order in dict.fromkeys(order for order in orders if order is not None):
            GreenMark(epoch, order)
            known[order] = keys_for(epoch, order.account, order.campaign).halves
        nobody = keys_for(epoch).halves
        halves = [nobody if order is None else known[order] for order in orders]
        self._a = np.array([a for a, _ in halves], np.uint64).reshape(-1, 3)
        self._b = np.array([b for _, b in halves], np.uint64).reshape(-1, 3)
        self._steps = np.arange(-(-vocab // 64), dtype=np.uint64) * np.uint64(PHI)
        self._sure = math.log(epoch.spare) if epoch.spare < 1.0 else math.inf

    def __repr__(self) -> str:
        return f"GreenRows(epoch={self._epoch.number}, texts={len(self._marked)})"

    def __call__(self, logits: FloatArray, said: IntArray, rows: IntArray) -> None:
        """Add the mark to the logits of marked texts, in place; see `wordteacher.Hook`."""
        n, length = said.shape
        columns = [said[:, length - 1 - j] if j < length else np.full(n, PAD, np.int64)
                   for j in range(self._epoch.width)]  # fmt: skip
        digests = self._table.digests(*columns)
        tiers = tiers_of(digests, self._epoch).astype(np.intp)
        found = seeds(digests, self._a[rows, tiers], self._b[rows, tiers])
        words = found[:, None] + self._steps
        mix64_into(words, np.empty_like(words))
        octets = words.astype("<u8", copy=False).view(np.uint8)
        green = np.unpackbits(octets, axis=1, count=logits.shape[1], bitorder="little").astype(np.float32)
        green *= (self._epoch.delta * (self._marked[rows] & self._unsure(logits))).astype(np.float32)[:, None]
        logits += green

    def _unsure(self, logits: FloatArray) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
        """Return where no token has a chance of `epoch.spare`, shape (n,)."""
        if self._sure == math.inf:
            return np.ones(len(logits), np.bool_)
        rest = np.exp(logits - logits.max(1, keepdims=True)).sum(1)
        return np.asarray(-np.log(rest) < self._sure)


class GumbelRows:
    """The keyed draw of each text; texts without an order are drawn with chance. Holds keys; never shown."""

    def __init__(self, epoch: Epoch, orders: Sequence[MarkOrder | None], seed: int) -> None:
        """Take the epoch, scheme `gumbel`, one order or None a text, and a seed for draws without a key.

        Raises:
            StillwatchError: the epoch is not of scheme `gumbel`, or an order is of another epoch.
        """
        self._answers = [None if order is None else GumbelMark(epoch, order).answer() for order in orders]
        self._rng = np.random.default_rng(seed)

    def __repr__(self) -> str:
        return f"GumbelRows(texts={len(self._answers)})"

    def __call__(self, logits: FloatArray, said: IntArray, rows: IntArray) -> IntArray:
        """Return the tokens drawn; see `wordteacher.Hook`."""
        noise = self._rng.gumbel(size=logits.shape).astype(np.float32)
        chosen: IntArray = np.argmax(logits + noise, axis=1).astype(np.int64)
        for place, row in enumerate(rows):
            answer = self._answers[row]
            if answer is not None:
                chosen[place] = answer.pick(logits[place], said[place], self._rng)
        return chosen
