"""A gated recurrence whose gates see the input only, and the loss over a vocabulary, both made for one CPU core.

In: tokens, shape (n, t). Out: hidden states, shape (n, t, width); the mean loss and its gradients.
The recurrence s_t = (1 - z_t) s_(t-1) + z_t h_t has no product with the state before, so that all products of a layer
are one matrix product over all places. Each layer sees its input at this place and at the one before.
The loss goes through the vocabulary in blocks that stay in cache and makes its gradients as it goes, in bfloat16.
Source: Feng et al. 2024, arXiv:2410.01201 (minGRU); So et al. 2021, arXiv:2109.08668 (inputs of the place before).
Imports torch: import it only after `need.need_torch`.
"""

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import nn

ROWS: Final = 512
"""Places that go through the vocabulary together: their logits stay in cache."""
_BF16: Final = torch.bfloat16


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, keep: torch.Tensor, new: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """Run s_t = keep_t s_(t-1) + new_t over the first axis; shapes (t, n, width), start (n, width)."""
        states = torch.empty_like(new)
        state = start
        for place in range(len(new)):
            state = torch.addcmul(new[place], keep[place], state, out=states[place])
        ctx.save_for_backward(keep, states, start)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        keep, states, start = ctx.saved_tensors
        grad = gradients[0].clone()
        for place in range(len(grad) - 2, -1, -1):
            grad[place].addcmul_(grad[place + 1], keep[place + 1])
        before = torch.cat((start[None], states[:-1]))
        return grad * before, grad, None


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, table: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean of -log softmax(hidden @ table.T)[target]; shapes (n, width), (vocab, width), (n,)."""
        small, x = table.to(_BF16), hidden.to(_BF16)
        to_hidden, to_table = torch.empty_like(hidden), torch.zeros_like(table)
        total = hidden.new_zeros(())
        for first in range(0, len(x), ROWS):
            rows, wanted = x[first : first + ROWS], targets[first : first + ROWS]
            logits = (rows @ small.T).float()
            logits -= logits.amax(1, keepdim=True)
            total -= logits.gather(1, wanted[:, None]).sum()
            mass = logits.exp_().sum(1, keepdim=True)
            total += mass.log().sum()
            weights = logits.to(_BF16)
            to_hidden[first : first + ROWS] = (weights @ small).float() / mass - table[wanted]
            to_table += weights.T @ (rows / mass).to(_BF16)
        to_table.index_add_(0, targets, hidden, alpha=-1.0)
        ctx.save_for_backward(to_hidden / len(x), to_table / len(x))
        return total / len(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        to_hidden, to_table = ctx.saved_tensors
        return to_hidden * gradients[0], to_table * gradients[0], None


def loss(hidden: torch.Tensor, table: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy in nats, shape ().

    Args:
        hidden: Shape (n, width).
        table: What a token's logit is taken with, shape (vocab, width).
        targets: Token ids, shape (n,).
    """
    found: torch.Tensor = _Loss.apply(hidden, table, targets)
    return found


class _Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inward = nn.Linear(2 * width, 2 * width)
        self.outward = nn.Linear(width, width)

    def forward(
        self, x: torch.Tensor, before: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return outputs, and what the next place needs: normed input and state; x of shape (t, n, width)."""
        here = self.norm(x)
        both = torch.cat((here, torch.cat((before[None], here[:-1]))), dim=-1)
        gate, new = self.inward(both).float().chunk(2, dim=-1)
        keep = torch.sigmoid(gate)
        states = _Scan.apply(keep, (1.0 - keep) * new, state)
        return x + self.outward(F.gelu(states)), here[-1], states[-1]


class ScanNet(nn.Module):
    """Embedding, layers of the recurrence, and logits through the embedding again."""

    def __init__(self, vocab: int, width: int, layers: int) -> None:
        super().__init__()
        self.width = width
        self.table = nn.Embedding(vocab, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.layers = nn.ModuleList(_Layer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def start(self, n: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return what each layer has before the first token, shapes (n, width)."""
        zero = torch.zeros((n, self.width))
        return [(zero, zero) for _ in self.layers]

    def forward(
        self, tokens: torch.Tensor, state: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        """Return hidden states, shape (t, n, width), and what the next place needs; tokens of shape (t, n)."""
        with torch.autocast("cpu", _BF16):
            x = self.table(tokens)
            after = []
            for layer, (before, old) in zip(self.layers, state, strict=True):
                x, here, new = layer(x, before, old)
                after.append((here, new))
            return self.norm(x.float()), after

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return logits in single precision, shape (..., vocab)."""
        return hidden @ self.table.weight.T
