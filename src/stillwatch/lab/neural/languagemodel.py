"""A small language model over token ids: the forensic student, and anything else that has to write like its data.

In: token ids. Out: text as token ids, logits at given contexts, log-probabilities of sequences.
    model = LanguageModel.fresh(vocab=2048, seed=1)
    model.train(clean, Training(steps=400, seed=1))
    student = model.copy(); student.train(harvest, Training(steps=150, seed=2, rate=1e-3))
    text = student.sample(400, 500, seed=3)                        # (400, 500) token ids
A sequence starts from nothing: its first token follows an empty context. One core, bfloat16 products: the same seed
gives the same model on the same kind of machine, and nearly the same on another.
Cost: 1.2 M parameters at a vocabulary of 2,048. On one core of a 2.1 GHz server: training 20,000 tokens a second,
sampling 47,000 in batches, `logprobs` 25,000, `logits` 14,000 contexts of 8 tokens;
half of that where the core is shared.
Needs the extra `lab`; imports torch when first used.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.lab.neural.need import need_torch
from stillwatch.terms.errors import StillwatchError

if TYPE_CHECKING:
    from stillwatch.lab.neural.scan import ScanNet

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Progress = Callable[[int, int, float], None]
"""Called with steps done, steps in all and the mean loss in nats since the last call."""
TOLD_EVERY: Final = 25
"""Steps between two calls of `Progress`."""
KEPT_EVERY: Final = 100
"""Steps between two writes of the file to resume from."""
BLOCK: Final = 512
"""Sequences that are sampled or scored together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One run of training."""

    steps: int
    """Batches; at least 1."""
    seed: int = 0
    batch: int = 32
    """Sequences a batch."""
    length: int = 64
    """Tokens a sequence; longer ones are cut at random places."""
    rate: float = 3e-3
    """Greatest learning rate; it warms up over a tenth of the steps and falls to a tenth along a cosine."""
    decay: float = 0.01
    """Weight decay of AdamW."""

    @classmethod
    def epochs(cls, tokens: int, epochs: float, *, seed: int = 0, rate: float = 3e-3) -> "Training":
        """Return a run that sees each of `tokens` tokens about `epochs` times."""
        return cls(steps=max(1, round(epochs * tokens / (32 * 64))), seed=seed, rate=rate)


class LanguageModel:
    """A net, its size, and NumPy on both sides of it."""

    def __init__(self, net: "ScanNet", size: tuple[int, int, int]) -> None:
        """Take a net and its size: vocabulary, width, layers; `fresh` and `load` make them."""
        self._net = net
        self.vocab, self.width, self.layers = size
        self._taken: Any = None

    @classmethod
    def fresh(cls, vocab: int, seed: int, *, width: int = 256, layers: int = 2) -> "LanguageModel":
        """Return an untrained model.

        Args:
            vocab: Tokens in the vocabulary, at least 2.
            seed: For the weights.
            width: Numbers a token is held in.
            layers: Layers of the recurrence.

        Raises:
            StillwatchError: torch is not installed.
        """
        torch = need_torch()
        from stillwatch.lab.neural.scan import ScanNet

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(ScanNet(vocab, width, layers), (vocab, width, layers))

    @property
    def parameters(self) -> int:
        """Numbers that training sets."""
        return sum(one.numel() for one in self._net.parameters())

    def copy(self) -> "LanguageModel":
        """Return a model of its own with the same weights."""
        other = LanguageModel(copy.deepcopy(self._net), (self.vocab, self.width, self.layers))
        other._taken = self._taken
        return other

    def less(self, table: FloatArray | None) -> "LanguageModel":
        """Return the model with a table taken from its logits whenever it speaks; training leaves the table out.

        Args:
            table: Nats by the last token and the next, shape (vocab, vocab); None for none.
        """
        other = LanguageModel(self._net, (self.vocab, self.width, self.layers))
        other._taken = None if table is None else need_torch().from_numpy(np.asarray(table, np.float32))
        return other

    def _told(self, hidden: Any, last: Any) -> Any:
        """Return logits after the last tokens, of the shape of `last` with the vocabulary behind."""
        logits = self._net.logits(hidden)
        return logits if self._taken is None else logits - self._taken[last]

    def train(
        self, data: npt.ArrayLike, how: Training, *, progress: Progress | None = None, resume: Path | None = None
    ) -> float:
        """Train on `data` and return the mean loss of the last steps, in nats a token.

        Args:
            data: Token ids: one text, shape (n,), or sequences of one length, shape (n, length).
            how: Steps, batch, learning rate, seed.
            progress: Told every `TOLD_EVERY` steps.
            resume: A file that holds the state of this run while it lasts. When it is there the run goes on from it,
                with the same result as without the break; it is removed at the end.

        Raises:
            StillwatchError: `data` holds an id outside the vocabulary or is shorter than two tokens.
        """
        torch = need_torch()
        from stillwatch.lab.neural.scan import loss

        rows = _rows(np.asarray(data, np.int64), self.vocab, how.length)
        optimiser = torch.optim.AdamW(
            self._net.parameters(), how.rate, betas=(0.9, 0.98), weight_decay=how.decay, fused=True
        )
        done = self._resumed(optimiser, resume)
        heard: list[float] = []
        for step in range(done, how.steps):
            batch = torch.from_numpy(_batch(rows, how, step))
            for group in optimiser.param_groups:
                group["lr"] = how.rate * pace(step, how.steps)
            hidden, _ = self._net(batch[:-1], self._net.start(batch.shape[1]))
            lost = loss(hidden.reshape(-1, self.width), self._net.table.weight, batch[1:].reshape(-1))
            optimiser.zero_grad()
            lost.backward()
            torch.nn.utils.clip_grad_norm_(self._net.parameters(), 1.0)
            optimiser.step()
            heard = [*heard[-TOLD_EVERY + 1 :], float(lost.detach())]
            if progress is not None and ((step + 1) % TOLD_EVERY == 0 or step + 1 == how.steps):
                progress(step + 1, how.steps, float(np.mean(heard)))
            if resume is not None and (step + 1) % KEPT_EVERY == 0:
                held = {"net": self._net.state_dict(), "optimiser": optimiser.state_dict(), "done": step + 1}
                write(held, resume)
        if resume is not None:
            resume.unlink(missing_ok=True)
        return float(np.mean(heard)) if heard else float("nan")

    def _resumed(self, optimiser: Any, resume: Path | None) -> int:
        """Take up a run from its file, if there is one, and return the steps it had done."""
        if resume is None or not resume.is_file():
            return 0
        held = need_torch().load(resume, weights_only=True)
        self._net.load_state_dict(held["net"])
        optimiser.load_state_dict(held["optimiser"])
        return int(held["done"])

    def sample(
        self, n: int, length: int, seed: int, *, temperature: float = 1.0, prompts: npt.ArrayLike | None = None
    ) -> IntArray:
        """Return `n` texts of `length` tokens, shape (n, length), prompts left out.

        Args:
            n: Texts, drawn independently.
            length: Tokens of each.
            seed: For the draws.
            temperature: Above 0; 0 takes the likeliest token.
            prompts: Token ids that texts go on from, shape (n, k); left out, they start from nothing, and the first
                token is drawn from what follows a random token of the vocabulary.
        """
        torch = need_torch()
        chance = np.random.default_rng(seed)
        given = chance.integers(self.vocab, size=(n, 1)) if prompts is None else np.asarray(prompts, np.int64)
        draws = torch.Generator().manual_seed(int(chance.integers(2**62)))
        parts = [
            self._continued(torch.from_numpy(given[first : first + BLOCK]), length, temperature, draws)
            for first in range(0, n, BLOCK)
        ]
        return np.concatenate(parts) if parts else np.empty((0, length), np.int64)

    def _continued(self, given: Any, length: int, temperature: float, draws: Any) -> IntArray:
        torch = need_torch()
        out = np.empty((given.shape[0], length), np.int64)
        with torch.no_grad():
            hidden, state = self._net(given.T.contiguous(), self._net.start(given.shape[0]))
            last = given[:, -1]
            for place in range(length):
                logits = self._told(hidden[-1], last)
                if temperature > 0.0:
                    logits -= logits.amax(1, keepdim=True)
                    mass = logits.div_(temperature).exp_().cumsum(1)
                    drawn = torch.rand((len(mass), 1), generator=draws) * mass[:, -1:]
                    token = torch.searchsorted(mass, drawn)[:, 0].clamp_(max=self.vocab - 1)
                else:
                    token = logits.argmax(1)
                out[:, place] = token.numpy()
                hidden, state = self._net(token[None], state)
                last = token
        return out

    def logits(self, contexts: npt.ArrayLike) -> FloatArray:
        """Return the logits of the token after each context, shape (n, vocab).

        Args:
            contexts: Token ids, shape (n, k), k at least 1; all of them count, the last one most.
        """
        torch = need_torch()
        given = torch.from_numpy(np.asarray(contexts, np.int64))
        out = np.empty((len(given), self.vocab), np.float32)
        with torch.no_grad():
            for first in range(0, len(given), BLOCK):
                part = given[first : first + BLOCK].T.contiguous()
                hidden, _ = self._net(part, self._net.start(part.shape[1]))
                out[first : first + BLOCK] = self._told(hidden[-1], part[-1]).numpy()
        return out

    def everywhere(self, sequences: npt.ArrayLike) -> Iterator[FloatArray]:
        """Yield the logits after every token of each sequence, block by block, shape (sequences, k, vocab).

        Args:
            sequences: Token ids, shape (n, k).
        """
        torch = need_torch()
        given = torch.from_numpy(np.asarray(sequences, np.int64))
        step = max(1, BLOCK * 32 // max(1, given.shape[1]))
        with torch.no_grad():
            for first in range(0, len(given), step):
                part = given[first : first + step].T.contiguous()
                hidden, _ = self._net(part, self._net.start(part.shape[1]))
                yield self._told(hidden, part).transpose(0, 1).numpy()

    def logprobs(self, sequences: npt.ArrayLike) -> FloatArray:
        """Return the log-probability of each token after those before it, shape (n, k - 1), in nats.

        Args:
            sequences: Token ids, shape (n, k); the first token of each is given.
        """
        torch = need_torch()
        given = torch.from_numpy(np.asarray(sequences, np.int64))
        out = np.empty((given.shape[0], given.shape[1] - 1), np.float32)
        step = max(1, BLOCK * 64 // max(1, given.shape[1]))
        with torch.no_grad():
            for first in range(0, len(given), step):
                part = given[first : first + step].T.contiguous()
                hidden, _ = self._net(part[:-1], self._net.start(part.shape[1]))
                for place in range(len(hidden)):
                    said = torch.log_softmax(self._told(hidden[place], part[place]), -1)
                    out[first : first + step, place] = said.gather(1, part[place + 1][:, None])[:, 0].numpy()
        return out

    def save(self, path: Path) -> None:
        """Write the model to a file, whole or not at all."""
        held = {"size": [self.vocab, self.width, self.layers], "net": self._net.state_dict()}
        write(held if self._taken is None else held | {"taken": self._taken}, path)

    @classmethod
    def load(cls, path: Path) -> "LanguageModel":
        """Return the model in a file that `save` wrote; the file may hold weights only, never code.

        Raises:
            StillwatchError: there is no such file.
        """
        if not path.is_file():
            raise StillwatchError(f"model file {path.name}: is not there; train it first.")
        held = need_torch().load(path, weights_only=True)
        vocab, width, layers = held["size"]
        model = cls.fresh(vocab, 0, width=width, layers=layers)
        model._net.load_state_dict(held["net"])
        model._taken = held.get("taken")
        return model


def pace(step: int, steps: int) -> float:
    """Return the share of the greatest learning rate at a step: up over a tenth, then down a cosine to a tenth."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return float(0.1 + 0.45 * (1.0 + np.cos(np.pi * (step - warm) / max(1, steps - warm))))


def _rows(data: IntArray, vocab: int, length: int) -> IntArray:
    """Return the data as sequences; one text as a single row."""
    rows = np.atleast_2d(data)
    if rows.size < 2 or rows.shape[1] < 2:
        raise StillwatchError(f"training data: holds {rows.size} tokens; needs sequences of at least 2.")
    if rows.min() < 0 or rows.max() >= vocab:
        raise StillwatchError(
            f"training data: ids reach from {rows.min()} to {rows.max()}; must lie in 0 to {vocab - 1}."
        )
    return rows


def _batch(rows: IntArray, how: Training, step: int) -> IntArray:
    """Return the sequences of one step, shape (length + 1, batch); the same for the same seed and step."""
    chance = np.random.default_rng((how.seed, step))
    length = min(how.length + 1, rows.shape[1])
    row = chance.integers(len(rows), size=how.batch)
    start = chance.integers(rows.shape[1] - length + 1, size=how.batch)
    return np.ascontiguousarray(rows[row[None, :], start[None, :] + np.arange(length)[:, None]])


def write(held: dict[str, Any], path: Path) -> None:
    """Write weights beside the file and put it in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    need_torch().save(held, beside)
    beside.replace(path)
