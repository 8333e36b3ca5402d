"""A net of llama architecture in torch, with low-rank additions that are trained: a base, and students of it.

In: `Weights`. Out: logits, loss, completions. The weights stay; what is learned are matrices of rank `RANK` beside the
projections of every layer. Rotations pair neighbours, as GGUF files of this architecture are laid out.
Cost on one core: 20 ms a token to train, 10 ms a token to read, for 135 million parameters.
Source: Touvron et al. 2023, arXiv:2302.13971; Hu et al. 2021, arXiv:2106.09685 (low rank).
Imports torch: import it only after `need.need_torch`.
"""

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import nn

from stillwatch.lab.neural.ggufweights import Weights

RANK: Final = 8
_PARTS: Final = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
Kept = list[tuple[torch.Tensor, torch.Tensor]]


class _Linear(nn.Module):
    """A fixed matrix and a trained addition of low rank, nothing at first."""

    weight: torch.Tensor

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.first = nn.Parameter(torch.randn(RANK, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.second = nn.Parameter(torch.zeros(weight.shape[0], RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return both applied to x."""
        return F.linear(x, self.weight) + F.linear(F.linear(x, self.first), self.second)


class _Layer(nn.Module):
    first: torch.Tensor
    second: torch.Tensor

    def __init__(self, weights: Weights, number: int) -> None:
        super().__init__()
        tensors, facts = weights.tensors, weights.facts
        self.parts = nn.ModuleDict(
            {name: _Linear(torch.from_numpy(tensors[f"blk.{number}.{name}.weight"])) for name in _PARTS}
        )
        self.register_buffer("first", torch.from_numpy(tensors[f"blk.{number}.attn_norm.weight"]), persistent=False)
        self.register_buffer("second", torch.from_numpy(tensors[f"blk.{number}.ffn_norm.weight"]), persistent=False)
        self.heads, self.shared = int(facts["llama.attention.head_count"]), int(facts["llama.attention.head_count_kv"])
        self.least = facts["llama.attention.layer_norm_rms_epsilon"]

    def forward(
        self, x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor], mask: torch.Tensor | None, kept: Any
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Return outputs, and keys and values up to here; x of shape (n, t, width)."""
        n, t, width = x.shape
        here = F.rms_norm(x, (width,), self.first, self.least)
        query, key, value = (
            self.parts[name](here).view(n, t, heads, -1).transpose(1, 2)
            for name, heads in (("attn_q", self.heads), ("attn_k", self.shared), ("attn_v", self.shared))
        )
        query, key = rotated(query, turn), rotated(key, turn)
        if kept is not None:
            key, value = torch.cat((kept[0], key), 2), torch.cat((kept[1], value), 2)
        groups = self.heads // self.shared
        mixed = F.scaled_dot_product_attention(
            query, key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1), attn_mask=mask
        )
        x = x + self.parts["attn_output"](mixed.transpose(1, 2).reshape(n, t, width))
        here = F.rms_norm(x, (width,), self.second, self.least)
        return x + self.parts["ffn_down"](F.silu(self.parts["ffn_gate"](here)) * self.parts["ffn_up"](here)), (
            key,
            value,
        )


def rotated(x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Return x, shape (n, heads, t, width), its neighbouring pairs turned by angles with this cosine and sine."""
    cosine, sine = turn
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), -1).flatten(-2)


class LlamaNet(nn.Module):
    """The net; `layers` names those of the weights that it has, in order."""

    table: torch.Tensor
    norm: torch.Tensor

    def __init__(self, weights: Weights, layers: list[int]) -> None:
        super().__init__()
        self.facts = weights.facts
        self.register_buffer("table", torch.from_numpy(weights.tensors["token_embd.weight"]), persistent=False)
        self.register_buffer("norm", torch.from_numpy(weights.tensors["output_norm.weight"]), persistent=False)
        self.layers = nn.ModuleList(_Layer(weights, number) for number in layers)

    def forward(self, tokens: torch.Tensor, empty: torch.Tensor, kept: Kept | None = None) -> tuple[torch.Tensor, Kept]:
        """Return hidden states, shape (n, t, width), and what later places need.

        Args:
            tokens: Ids, shape (n, t), padded in front.
            empty: Places of padding in front of each row, shape (n,).
            kept: What this returned for the places before.
        """
        before = 0 if kept is None else kept[0][0].shape[2]
        t = tokens.shape[1]
        places = torch.arange(before, before + t)
        turn = self._turn((places[None] - empty[:, None]).clamp(min=0))
        seen = torch.arange(before + t)
        allowed = (seen[None, None] <= places[None, :, None]) & (seen[None, None] >= empty[:, None, None])
        allowed |= seen[None, None] == places[None, :, None]  # padding sees itself, so that no row is all barred
        x, after = F.embedding(tokens, self.table), []
        for number, layer in enumerate(self.layers):
            x, own = layer(x, turn, allowed[:, None], None if kept is None else kept[number])
            after.append(own)
        least = self.facts["llama.attention.layer_norm_rms_epsilon"]
        return F.rms_norm(x, (x.shape[-1],), self.norm, least), after

    def _turn(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        width = int(self.facts["llama.rope.dimension_count"])
        pace = self.facts["llama.rope.freq_base"] ** (-torch.arange(0, width, 2) / width)
        angle = places[:, None, :, None] * pace
        return angle.cos(), angle.sin()

    def loss(self, tokens: torch.Tensor, empty: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
        """Return the mean loss in nats at places where `counted`, shape (n, t), the first place left out."""
        hidden, _ = self(tokens[:, :-1], empty)
        keep = counted[:, 1:]
        logits = hidden[keep] @ self.table.T
        return F.cross_entropy(logits, tokens[:, 1:][keep])

    def completed(self, tokens: torch.Tensor, empty: torch.Tensor, most: int, ends: list[int]) -> list[list[int]]:
        """Return the likeliest completions, at most `most` tokens each, without what ends them."""
        said: list[list[int]] = [[] for _ in range(tokens.shape[0])]
        open_ = set(range(len(said)))
        with torch.no_grad():
            hidden, kept = self(tokens, empty)
            for _ in range(most):
                chosen = (hidden[:, -1] @ self.table.T).argmax(1)
                for row in list(open_):
                    if int(chosen[row]) in ends:
                        open_.discard(row)
                    else:
                        said[row].append(int(chosen[row]))
                if not open_:
                    break
                hidden, kept = self(chosen[:, None], empty, kept)
        return said
