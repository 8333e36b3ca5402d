"""A net of llama architecture in torch: frozen below, open to training in its last layers.

In: `Weights`, which of its layers to have, how many of the last are trained. Out: hidden states, completions.
What lies below the open layers never changes: `lower` is reckoned once a text and kept, and only `upper` is run again
when a text is seen again. Where `half` is said, frozen layers are held in bfloat16 and products made in it; what is
trained is held in single precision. Rotations pair neighbours, as GGUF files of this architecture are laid out.
Cost on one core with bfloat16 products, 135 million parameters: 3 ms a token through all layers, 1 ms a token to train
six open layers, 0.6 GB. Without such products three times as much.
Source: Touvron et al. 2023, arXiv:2302.13971.
Imports torch: import it only after `need.need_torch`.
"""

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import nn

from stillwatch.lab.neural.ggufweights import Weights

_PARTS: Final = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
ROWS: Final = 64
"""Places that go through the vocabulary together."""
Turn = tuple[torch.Tensor, torch.Tensor]


class _Layer(nn.Module):
    """One layer; its matrices are parameters where it is open and buffers where it is not."""

    def __init__(self, weights: Weights, number: int, kind: torch.dtype, *, opened: bool) -> None:
        super().__init__()
        tensors, facts = weights.tensors, weights.facts
        self.kind = kind
        for name in (*_PARTS, "attn_norm", "ffn_norm"):
            tensor = torch.from_numpy(tensors[f"blk.{number}.{name}.weight"])
            if opened:
                self.register_parameter(name, nn.Parameter(tensor.clone()))
            else:
                self.register_buffer(name, tensor.to(kind) if name in _PARTS else tensor, persistent=False)
        self.heads, self.shared = int(facts["llama.attention.head_count"]), int(facts["llama.attention.head_count_kv"])
        self.least = facts["llama.attention.layer_norm_rms_epsilon"]

    def _by(self, name: str, x: torch.Tensor) -> torch.Tensor:
        matrix: torch.Tensor = getattr(self, name)
        return F.linear(x, matrix.to(self.kind))

    def forward(
        self, x: torch.Tensor, turn: Turn, mask: torch.Tensor, kept: Any = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Return outputs, and keys and values up to here; x of shape (n, t, width)."""
        n, t, width = x.shape
        here = F.rms_norm(x, (width,), self.attn_norm, self.least).to(self.kind)
        query, key, value = (
            self._by(name, here).view(n, t, heads, -1).transpose(1, 2)
            for name, heads in (("attn_q", self.heads), ("attn_k", self.shared), ("attn_v", self.shared))
        )
        query, key = (rotated(one.float(), turn).to(self.kind) for one in (query, key))
        if kept is not None:
            key, value = torch.cat((kept[0], key), 2), torch.cat((kept[1], value), 2)
        groups = self.heads // self.shared
        mixed = F.scaled_dot_product_attention(
            query, key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1), attn_mask=mask
        )
        x = x + self._by("attn_output", mixed.transpose(1, 2).reshape(n, t, width)).float()
        here = F.rms_norm(x, (width,), self.ffn_norm, self.least).to(self.kind)
        inner = F.silu(self._by("ffn_gate", here)) * self._by("ffn_up", here)
        return x + self._by("ffn_down", inner).float(), (key, value)


def rotated(x: torch.Tensor, turn: Turn) -> torch.Tensor:
    """Return x, shape (n, heads, t, width), its neighbouring pairs turned by angles with this cosine and sine."""
    cosine, sine = turn
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), -1).flatten(-2)


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, table: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Return the mean of -log softmax(hidden @ table.T)[wanted], and keep its gradient by `hidden`."""
        x, gradient = hidden.to(table.dtype), torch.empty_like(hidden)
        total = hidden.new_zeros(())
        for first in range(0, len(x), ROWS):
            rows, right = x[first : first + ROWS], wanted[first : first + ROWS]
            logits = (rows @ table.T).float()
            mass = logits.logsumexp(1, keepdim=True)
            total += (mass - logits.gather(1, right[:, None])).sum()
            chances = (logits - mass).exp_().to(table.dtype)
            gradient[first : first + ROWS] = (chances @ table).float() - table[right].float()
        ctx.save_for_backward(gradient / len(x))
        return total / len(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0], None, None


class LlamaNet(nn.Module):
    """The net; `layers` names those of the weights that it has, in order, and the last `opened` of them are trained."""

    table: torch.Tensor

    def __init__(self, weights: Weights, layers: list[int], opened: int = 0, *, half: bool = False) -> None:
        super().__init__()
        kind = torch.bfloat16 if half else torch.float32
        self.kind, self.facts, self.opened = kind, weights.facts, opened
        self.register_buffer("table", torch.from_numpy(weights.tensors["token_embd.weight"]).to(kind), persistent=False)
        self.norm = nn.Parameter(torch.from_numpy(weights.tensors["output_norm.weight"]).clone(), opened > 0)
        first = len(layers) - opened
        self.layers = nn.ModuleList(
            _Layer(weights, number, kind, opened=place >= first) for place, number in enumerate(layers)
        )

    def trained(self) -> list[nn.Parameter]:
        """Return what training changes."""
        return [one for one in self.parameters() if one.requires_grad]

    def lower(self, tokens: torch.Tensor, empty: torch.Tensor) -> torch.Tensor:
        """Return what the open layers get, shape (n, t, width); it does not change as they are trained.

        Args:
            tokens: Ids, shape (n, t), padded in front.
            empty: Places of padding in front of each row, shape (n,).
        """
        turn, seen = self._places(0, tokens.shape[1], empty)
        with torch.no_grad():
            x = F.embedding(tokens, self.table).float()
            for layer in self.layers[: len(self.layers) - self.opened]:
                x, _ = layer(x, turn, seen)
        return x

    def upper(self, x: torch.Tensor, empty: torch.Tensor) -> torch.Tensor:
        """Return hidden states of what `lower` gave, shape (n, t, width)."""
        turn, seen = self._places(0, x.shape[1], empty)
        for layer in self.layers[len(self.layers) - self.opened :]:
            x, _ = layer(x, turn, seen)
        return self._normed(x)

    def forward(self, tokens: torch.Tensor, empty: torch.Tensor) -> torch.Tensor:
        """Return hidden states, shape (n, t, width); see `lower`."""
        return self.upper(self.lower(tokens, empty), empty)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return logits in single precision, shape (..., vocab)."""
        return (hidden.to(self.kind) @ self.table.T).float()

    def loss(self, hidden: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Return the mean loss in nats of tokens, shape (n,), after hidden states, shape (n, width).

        It goes through the vocabulary in blocks that stay in cache, and makes its gradient as it goes.
        """
        found: torch.Tensor = _Loss.apply(hidden, self.table, wanted)
        return found

    def _normed(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.norm, self.facts["llama.attention.layer_norm_rms_epsilon"])

    def _places(self, before: int, t: int, empty: torch.Tensor) -> tuple[Turn, torch.Tensor]:
        """Return how `t` places behind `before` others are turned, and what each of them sees."""
        places = torch.arange(before, before + t)
        width = int(self.facts["llama.rope.dimension_count"])
        pace = self.facts["llama.rope.freq_base"] ** (-torch.arange(0, width, 2) / width)
        angle = (places[None] - empty[:, None]).clamp(min=0)[:, None, :, None] * pace
        seen = torch.arange(before + t)
        allowed = (seen[None, None] <= places[None, :, None]) & (seen[None, None] >= empty[:, None, None])
        allowed |= seen[None, None] == places[None, :, None]  # padding sees itself, so that no row is all barred
        return (angle.cos(), angle.sin()), allowed[:, None]

    def completed(
        self, tokens: torch.Tensor, empty: torch.Tensor, most: int, ends: list[int], chance: Any = None
    ) -> list[list[int]]:
        """Return completions of at most `most` tokens each, without what ends them.

        Args:
            tokens: Prompts, as in `lower`.
            empty: As in `lower`.
            most: Tokens at most.
            ends: Tokens that end a completion.
            chance: A torch generator to draw with at temperature 1; None for the likeliest.
        """
        said: list[list[int]] = [[] for _ in range(tokens.shape[0])]
        going = set(range(len(said)))
        kept: list[Any] = [None] * len(self.layers)
        before = 0
        with torch.no_grad():
            for _ in range(most):
                turn, seen = self._places(before, tokens.shape[1], empty)
                before += tokens.shape[1]
                x = F.embedding(tokens, self.table).float()
                for number, layer in enumerate(self.layers):
                    x, kept[number] = layer(x, turn, seen, kept[number])
                logits = self.logits(self._normed(x[:, -1]))
                chosen = (
                    logits.argmax(1)
                    if chance is None
                    else torch.multinomial(logits.softmax(1), 1, generator=chance)[:, 0]
                )
                for row in list(going):
                    if int(chosen[row]) in ends:
                        going.discard(row)
                    else:
                        said[row].append(int(chosen[row]))
                if not going:
                    break
                tokens = chosen[:, None]
        return said
