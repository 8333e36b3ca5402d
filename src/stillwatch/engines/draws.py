"""Keyed draws for a whole batch in torch, wherever its logits are.

In: logits of some rows, how each is sampled, its context and key. Out: the token of each row.
Bit for bit the words of `treatments.marks.philox`; logarithms may differ in the last place between devices.
Cost: about 110 small operations on (rows, vocab / 4) integers. Left to the caller: which rows are marked.
torch is imported when a function is called.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.treatments.marks import philox
from stillwatch.treatments.marks.sampling import Sampling

if TYPE_CHECKING:
    import torch

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_STEPS = (0x9E3779B9, 0xBB67AE85)
_TOKENS = 0x574D544B


def keyed_noise(
    keys: Sequence[int], contexts: Sequence[Sequence[int]], vocab: int, device: "torch.device"
) -> "torch.Tensor":
    """Return Gumbel noise of every token for each row, shape (rows, vocab), float32."""
    import torch

    key = np.array(keys, np.uint64)
    block = philox.context_block(key, np.array(contexts, np.int64))
    low, high = (key & np.uint64(_MASK)) ^ block[3], (key >> np.uint64(32)) ^ np.uint64(_TOKENS)
    columns = [torch.from_numpy(word.astype(np.int64)).to(device)[:, None] for word in (*block[:3], low, high)]
    counters = torch.arange((vocab + 3) // 4, dtype=torch.int64, device=device)[None, :].expand(len(keys), -1)
    words = torch.stack(_rounds(counters, columns), dim=-1).reshape(len(keys), -1)[:, :vocab]
    uniform = (((words >> 8).double() + 1.0) / (2**24 + 1)).float()
    return -torch.log(-torch.log(uniform))


def _rounds(counters: "torch.Tensor", columns: "list[torch.Tensor]") -> "list[torch.Tensor]":
    b, c, d, low, high = columns
    a = counters
    for _ in range(10):
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            (second >> 32 & _MASK) ^ b ^ low,
            second & _MASK,
            (first >> 32 & _MASK) ^ d ^ high,
            first & _MASK,
        )
        low, high = low + _STEPS[0] & _MASK, high + _STEPS[1] & _MASK
    return [word.expand_as(counters) for word in (a, b, c, d)]


def cut(logits: "torch.Tensor", how: Sequence[Sampling]) -> "torch.Tensor":
    """Return logits scaled and truncated row by row as `treatments.marks.sampling.truncated` does.

    Args:
        logits: Shape (rows, vocab), float32.
        how: One a row, none greedy.
    """
    import torch

    def column(values: "list[float]") -> "torch.Tensor":
        return torch.tensor(values, dtype=torch.float32, device=logits.device)[:, None]

    out = logits / column([one.temperature for one in how])
    if any(one.min_p > 0.0 for one in how):
        floor = out.amax(dim=-1, keepdim=True) + column([one.min_p for one in how]).log()
        out = out.masked_fill(out < floor, -float("inf"))
    vocab = out.shape[-1]
    if any(one.top_p < 1.0 or 0 < one.top_k < vocab for one in how):
        ordered = out.sort(dim=-1, descending=True).values
        most = column([float(one.top_k if 0 < one.top_k < vocab else vocab) for one in how])
        place = torch.arange(vocab, device=logits.device)[None, :]
        kept = ordered.masked_fill(place >= most, -float("inf"))
        chance = kept.softmax(dim=-1)
        before = chance.cumsum(dim=-1) - chance
        # Rounding brings the sum to 1 before the last token; 2 is never reached.
        share = column([one.top_p if one.top_p < 1.0 else 2.0 for one in how])
        wanted = (before < share) & (place < most)
        least = ordered.masked_fill(~wanted, float("inf")).amin(dim=-1, keepdim=True)
        out = out.masked_fill(out < least, -float("inf"))
    return out


def fresh_noise(rows: int, vocab: int, rngs: Sequence[np.random.Generator], device: "torch.device") -> "torch.Tensor":
    """Return Gumbel noise that no key made, one generator a row, shape (rows, vocab), float32."""
    import torch

    drawn = np.stack([rng.gumbel(size=vocab) for rng in rngs]) if rows else np.zeros((0, vocab))
    return torch.from_numpy(drawn.astype(np.float32)).to(device)
