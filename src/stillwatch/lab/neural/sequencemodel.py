"""Teacher, base and student of a puzzle: question tokens in, reasoning and answer out, in batches.

In: examples as ids (see `words`). Out: completions, greedy or drawn, with the probabilities they were drawn from.
Cost: 0.35 M parameters; on one core of a 2.1 GHz server training goes through 23,000 tokens a second, and 300 questions
are answered in 2 s.
Needs the extra `lab`; imports torch when first used.
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from stillwatch.lab.neural.languagemodel import Progress, Training, pace, write
from stillwatch.lab.neural.need import need_torch
from stillwatch.lab.neural.words import END, PAD
from stillwatch.lab.wordteacher import Hook
from stillwatch.treatments.poe import product

if TYPE_CHECKING:
    from stillwatch.lab.neural.attention import AttentionNet

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
BLOCK: Final = 256


class Size(NamedTuple):
    """What a net is built from."""

    vocab: int
    asked: int
    said: int
    width: int = 96
    layers: int = 3


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What a model is trained on."""

    asked: IntArray = field(repr=False)
    """Shape (n, asked)."""
    said: IntArray = field(repr=False)
    """Shape (n, said), `PAD` behind the end."""
    weights: FloatArray = field(repr=False)
    """Shape (n,)."""
    soft: FloatArray | None = field(default=None, repr=False)
    """Distributions to learn instead of `said`, shape (n, said, vocab); a place of zeros has none."""

    def joined(self, other: "Examples") -> "Examples":
        """Return both, one after the other; only what neither softens or both do stays soft."""
        soft = None
        if self.soft is not None or other.soft is not None:
            vocab = (self.soft if self.soft is not None else other.soft).shape[2]  # type: ignore[union-attr]
            zero = [np.zeros((*one.said.shape, vocab), np.float32) for one in (self, other)]
            soft = np.concatenate([zero[i] if one.soft is None else one.soft for i, one in enumerate((self, other))])
        return Examples(
            np.concatenate((self.asked, other.asked)), np.concatenate((self.said, other.said)),
            np.concatenate((self.weights, other.weights)), soft,
        )  # fmt: skip


class Said(NamedTuple):
    """Completions and what they were drawn from."""

    tokens: IntArray
    """Shape (n, said), `PAD` behind the end."""
    logs: FloatArray
    """Log-probabilities at each place, shape (n, said, vocab)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How completions are drawn."""

    temperature: float = 0.0
    """0 takes the likeliest token everywhere."""
    seed: int = 0
    partner: "SequenceModel | None" = field(default=None, repr=False)
    """A weaker model of the same size; tokens are drawn from the product of both."""
    share: float = 0.0
    """Its weight, from 0 to 1."""
    hook: Hook | None = field(default=None, repr=False)
    """A mark: changes logits in place; what it returns is not looked at."""


class _Run:
    """One net on its way through completions."""

    def __init__(self, net: "AttentionNet", asked: IntArray) -> None:
        self._torch, self._net, self._kept = need_torch(), net, None
        self._first = asked

    def logits(self, token: IntArray | None) -> FloatArray:
        """Return the logits after a token, shape (n, 1); after the question where there is none."""
        torch: Any = self._torch
        with torch.no_grad():
            given = torch.from_numpy(np.ascontiguousarray(self._first if token is None else token))
            hidden, self._kept = self._net(given, self._kept)
            found: FloatArray = self._net.head(hidden[:, -1]).numpy()
        return found


class SequenceModel:
    """A net, its size, and NumPy on both sides of it."""

    def __init__(self, net: "AttentionNet", size: Size) -> None:
        """Take a net and its size; `fresh` and `load` make them."""
        self._net, self.size = net, size

    @classmethod
    def fresh(cls, size: Size, seed: int) -> "SequenceModel":
        """Return an untrained model.

        Raises:
            StillwatchError: torch is not installed.
        """
        torch = need_torch()
        from stillwatch.lab.neural.attention import AttentionNet

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(AttentionNet(size.vocab, size.asked + size.said, size.width, size.layers), size)

    @property
    def parameters(self) -> int:
        """Numbers that training sets."""
        return sum(one.numel() for one in self._net.parameters())

    def copy(self) -> "SequenceModel":
        """Return a model of its own with the same weights."""
        return SequenceModel(copy.deepcopy(self._net), self.size)

    def train(self, examples: Examples, how: Training, *, progress: Progress | None = None) -> float:
        """Train on examples and return the mean loss of the last 25 steps, in nats a token.

        Args:
            examples: At least one.
            how: `length` is not used: sequences are whole.
            progress: Told every 25 steps.
        """
        torch = need_torch()
        fused = torch.optim.AdamW(
            self._net.parameters(), how.rate, betas=(0.9, 0.98), weight_decay=how.decay, fused=True
        )
        share = examples.weights.astype(np.float64) / examples.weights.sum()
        heard: list[float] = []
        for step in range(how.steps):
            chosen = np.random.default_rng((how.seed, step)).choice(len(share), size=how.batch, p=share)
            for group in fused.param_groups:
                group["lr"] = how.rate * pace(step, how.steps)
            lost = self._loss(torch, examples, chosen)
            fused.zero_grad()
            lost.backward()
            torch.nn.utils.clip_grad_norm_(self._net.parameters(), 1.0)
            fused.step()
            heard = [*heard[-24:], float(lost.detach())]
            if progress is not None and ((step + 1) % 25 == 0 or step + 1 == how.steps):
                progress(step + 1, how.steps, float(np.mean(heard)))
        return float(np.mean(heard)) if heard else float("nan")

    def _loss(self, torch: Any, examples: Examples, chosen: IntArray) -> Any:
        """Return the mean loss a token of what is said in a batch."""
        said = examples.said[chosen]
        longest = int((said != PAD).sum(1).max())
        said = said[:, :longest]
        tokens = torch.from_numpy(np.concatenate((examples.asked[chosen], said), axis=1)[:, :-1])
        hidden, _ = self._net(tokens)
        logits = self._net.head(hidden[:, self.size.asked - 1 :])
        keep = torch.from_numpy(said != PAD)
        logs = torch.log_softmax(logits[keep], -1)
        targets = torch.from_numpy(said)[keep]
        lost = -logs.gather(1, targets[:, None])[:, 0]
        if examples.soft is not None:
            wanted = torch.from_numpy(examples.soft[chosen][:, :longest])[keep]
            told = wanted.sum(1) > 0.0
            lost = torch.where(told, -(wanted * logs).sum(1), lost)
        return lost.mean()

    def losses(self, examples: Examples) -> FloatArray:
        """Return the mean loss a token of each example, shape (n,), in nats; the words that are said count alone."""
        torch = need_torch()
        out = np.empty(len(examples.asked), np.float32)
        with torch.no_grad():
            for first in range(0, len(out), BLOCK):
                said = examples.said[first : first + BLOCK]
                whole = np.concatenate((examples.asked[first : first + BLOCK], said), axis=1)[:, :-1]
                hidden, _ = self._net(torch.from_numpy(whole))
                logs = torch.log_softmax(self._net.head(hidden[:, self.size.asked - 1 :]), -1).numpy()
                told = np.take_along_axis(logs, said[..., None], 2)[..., 0]
                keep = said != PAD
                out[first : first + BLOCK] = -(told * keep).sum(1) / np.maximum(keep.sum(1), 1)
        return out

    def say(self, asked: IntArray, how: "Drawing | None" = None, forced: IntArray | None = None) -> Said:
        """Return completions of questions, shape (n, asked).

        Args:
            asked: Ids from `Words.questions`.
            how: Temperature and what else bears on the draw; left out, the likeliest tokens.
            forced: What completions begin with, shape (n, k), `PAD` where they are free from there on.
        """
        how = how or Drawing()
        rng = np.random.default_rng(how.seed)
        parts = [
            self._said(
                asked[first : first + BLOCK], how, rng, None if forced is None else forced[first : first + BLOCK]
            )
            for first in range(0, len(asked), BLOCK)
        ]
        if not parts:
            nothing = np.empty((0, self.size.said, self.size.vocab), np.float32)
            return Said(np.empty((0, self.size.said), np.int64), nothing)
        return Said(np.concatenate([one.tokens for one in parts]), np.concatenate([one.logs for one in parts]))

    def _said(self, asked: IntArray, how: "Drawing", rng: np.random.Generator, forced: IntArray | None) -> Said:
        n, said, vocab = len(asked), self.size.said, self.size.vocab
        tokens, logs = np.full((n, said), PAD, np.int64), np.zeros((n, said, vocab), np.float32)
        ended = np.zeros(n, np.bool_)
        runs = [_Run(self._net, asked)] + ([] if how.partner is None else [_Run(how.partner._net, asked)])
        for place in range(said):
            logits = [run.logits(tokens[:, place - 1 : place] if place else None) for run in runs]
            mixed = logits[0] if len(logits) == 1 else _product(logits[0], logits[1], how.share)
            if how.hook is not None:
                how.hook(mixed, tokens[:, :place], np.arange(n))
            mixed = mixed - mixed.max(1, keepdims=True)
            logs[:, place] = mixed - np.log(np.exp(mixed).sum(1, keepdims=True))
            chosen = mixed.argmax(1)
            if how.temperature > 0.0:
                chosen = (mixed / how.temperature + rng.gumbel(size=mixed.shape)).argmax(1)
            if forced is not None and place < forced.shape[1]:
                chosen = np.where(forced[:, place] != PAD, forced[:, place], chosen)
            tokens[:, place] = np.where(ended, PAD, chosen)
            ended |= chosen == END
            if ended.all():
                break
        return Said(tokens, logs)

    def save(self, path: Path) -> None:
        """Write the model to a file, whole or not at all."""
        write({"size": list(self.size), "net": self._net.state_dict()}, path)

    @classmethod
    def load(cls, path: Path) -> "SequenceModel":
        """Return the model in a file that `save` wrote; the file may hold weights only, never code."""
        held = need_torch().load(path, weights_only=True)
        model = cls.fresh(Size(*held["size"]), 0)
        model._net.load_state_dict(held["net"])
        return model


def _product(first: FloatArray, second: FloatArray, share: float) -> FloatArray:
    return product(first.astype(np.float64), second.astype(np.float64), share).astype(np.float32)
