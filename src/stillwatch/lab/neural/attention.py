"""A small transformer for tasks with right answers: prompts of one length, then reasoning and an answer.

In: tokens, shape (n, t). Out: hidden states, logits. Positions are learned, so that what stands in a fixed column is
found there; it reads what was kept of earlier places when it writes.
Source: Vaswani et al. 2017, arXiv:1706.03762; So et al. 2021, arXiv:2109.08668 (squared ReLU).
Imports torch: import it only after `need.need_torch`.
"""

import torch
import torch.nn.functional as F
from torch import nn

Kept = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of earlier places, a layer each; shape (n, heads, t, width / heads)."""


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inward = nn.Linear(width, 3 * width, bias=False)
        self.outward = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(
        self, x: torch.Tensor, kept: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Return outputs and keys and values up to here."""
        n, t, width = x.shape
        parts = self.inward(self.first(x)).view(n, t, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        if kept is not None:
            key, value = torch.cat((kept[0], key), 2), torch.cat((kept[1], value), 2)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=kept is None)
        x = x + self.outward(mixed.transpose(1, 2).reshape(n, t, width))
        return x + self.down(F.relu(self.up(self.second(x))).square()), (key, value)


class AttentionNet(nn.Module):
    """Embeddings of tokens and places, blocks, and a head of its own."""

    def __init__(self, vocab: int, length: int, width: int, layers: int) -> None:
        super().__init__()
        self.length = length
        self.tokens, self.places = nn.Embedding(vocab, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(_Block(width, 4) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocab)
        for table in (self.tokens, self.places):
            nn.init.normal_(table.weight, std=0.5)

    def forward(self, tokens: torch.Tensor, kept: Kept | None = None) -> tuple[torch.Tensor, Kept]:
        """Return hidden states, shape (n, t, width), and what later places need.

        Args:
            tokens: Ids, shape (n, t): a whole sequence, or one place after what is `kept`.
            kept: What this returned for the places before.
        """
        first = 0 if kept is None else kept[0][0].shape[2]
        x = self.tokens(tokens) + self.places(torch.arange(first, first + tokens.shape[1]))
        after = []
        for number, block in enumerate(self.blocks):
            x, own = block(x, None if kept is None else kept[number])
            after.append(own)
        return self.norm(x), after
