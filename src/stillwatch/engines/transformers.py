"""Marks in Hugging Face Transformers: a logits processor with one mark a sequence.

In: `input_ids` and scores of a batch, as `generate` hands them over. Out: scores with the mark in them.
    marks = [ring.mark(order) for order in orders]            # ring = RingFile(path); None: this sequence is not marked
    processor = MarkProcessor(marks, sampling=Sampling(temperature=0.8, top_p=0.95))
    model.generate(..., do_sample=True, logits_processor=LogitsProcessorList([processor]))
`generate` calls processors of the caller's before it scales and truncates, so a green mark sees raw logits, as it must,
and a keyed draw has to truncate by itself: give `sampling` what `generate` is given.
Cost: 0.1 ms a sequence and step at a vocabulary of 49,152 for green, 1 ms for a keyed draw
(`python -m bench.marks.peers`).
Beam search reorders sequences and is not for marks. One processor serves one call of `generate`. Needs torch; imports
nothing of it before it is called, and nothing of Transformers. There is no proxy here: an order of `experts` is only
marked, and counted in `RingFile.missed`.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.engines.ringfile import Mark
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelAnswer, GumbelMark
from stillwatch.treatments.marks.sampling import Sampling, truncated

if TYPE_CHECKING:
    import torch


class MarkProcessor:
    """A logits processor; has what `transformers.LogitsProcessor` has.

    Raises:
        ValueError: on the first call, when the batch is not as long as the marks.
    """

    supports_continuous_batching = False

    def __init__(
        self, marks: Sequence[Mark | None], *, sampling: Sampling | None = None, seed: int | None = None
    ) -> None:
        """Take the marks of a batch.

        Args:
            marks: One a sequence, in the order of the batch; None for one that is not marked.
            sampling: How `generate` samples; for keyed draws only, which leave one token to choose.
            seed: For chance in keyed draws; left out, the machine's.
        """
        self._marks = [mark.answer() if isinstance(mark, GumbelMark) else mark for mark in marks]
        self._sampling = sampling or Sampling()
        self._rng = np.random.default_rng(seed)
        self._prompt = -1

    def __call__(self, input_ids: "torch.Tensor", scores: "torch.Tensor") -> "torch.Tensor":
        """Return marked scores, shape (batch, vocab); `scores` itself stays as it is."""
        if len(self._marks) != scores.shape[0]:
            raise ValueError(
                f"marks: are {len(self._marks)} for a batch of {scores.shape[0]}; give one a sequence, or None."
            )
        if self._prompt < 0:
            self._prompt = input_ids.shape[1]
        said = input_ids[:, self._prompt :].tolist()
        out = scores.clone()
        for row, mark in enumerate(self._marks):
            if isinstance(mark, GreenMark):
                self._favour(out[row], mark, said[row])
            elif mark is not None and not self._sampling.greedy:
                self._draw(out[row], mark, said[row])
        return out

    def _favour(self, row: "torch.Tensor", mark: GreenMark, said: list[int]) -> None:
        if mark.sure < math.inf and float((row.max() - row.logsumexp(0)).item()) >= mark.sure:
            return
        green = row.new_tensor(mark.bias(said, row.shape[0]))
        row += mark.delta * green

    def _draw(self, row: "torch.Tensor", answer: GumbelAnswer, said: list[int]) -> None:
        logits = truncated(row.detach().float().cpu().numpy(), self._sampling)
        token = answer.pick(logits, said, self._rng)
        kept = row[token].clone()
        row.fill_(-float("inf"))
        row[token] = kept
