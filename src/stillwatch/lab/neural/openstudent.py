"""The thief's base and students of an open-ended teacher: a copy without some layers, whose last layers are trained.

In: weights, rows of tokens, a `Course`. Out: nets, losses, what they say, how far they are from the teacher.
Frozen layers are reckoned once a row and kept, so that a second pass over a harvest costs the open layers alone.
A model's distance from the teacher is the mean of KL(teacher || model) in nats a token, over places of answers that the
teacher gave to prompts that nobody was trained on: the teacher is at 0, and the base's distance is the teacher's lead.
Cost on one core with bfloat16 products: 3 ms a token to prepare, 1 ms a token and pass to train, 5 ms a token to say.
Source: Hinton et al. 2015, arXiv:1503.02531; Men et al. 2024, arXiv:2403.03853 (layers that can be left out).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stillwatch.lab.neural.languagemodel import pace, write
from stillwatch.lab.neural.need import need_torch
from stillwatch.lab.score import BOOTSTRAP
from stillwatch.stats.intervals import bootstrap_interval

FloatArray = npt.NDArray[np.float64]
TOGETHER: Final = 32
"""Rows that go through a net together."""
KEPT_EVERY: Final = 25
"""Steps between two writes of the file to resume from."""
STEEPEST: Final = 1.0
"""Greatest norm of a gradient; longer ones are cut."""


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One thing that was asked and said, in tokens."""

    asked: tuple[int, ...] = field(repr=False)
    said: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One run of training."""

    passes: int
    """Times that each row is seen."""
    rate: float
    """Greatest learning rate; it warms up over a tenth of the steps and falls to a tenth along a cosine."""
    batch: int = 16
    seed: int = 0

    def steps(self, rows: int) -> int:
        """Return how many batches that takes."""
        return max(1, round(self.passes * rows / self.batch))


def padded(rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """Return tokens padded in front, shape (n, t), and how many places of each row are padding."""
    torch = need_torch()
    longest = max(map(len, rows))
    tokens = np.zeros((len(rows), longest), np.int64)
    for row, one in zip(tokens, rows, strict=True):
        row[longest - len(one) :] = one
    return torch.from_numpy(tokens), torch.tensor([longest - len(one) for one in rows])


def grown(net: Any) -> Any:
    """Return a copy of a net whose open layers are its own; what is frozen is shared."""
    return copy.deepcopy(net, {id(one): one for one in net.buffers()})


class Prepared:
    """Lines and what a net's frozen layers make of them."""

    def __init__(self, net: Any, lines: Sequence[Line], known: dict[Line, Any] | None = None) -> None:
        """Run the frozen layers over the lines.

        Args:
            net: Whose frozen layers.
            lines: What was asked and said.
            known: What frozen layers of the same net made of lines before; new ones are added.
        """
        torch = need_torch()
        self.lines = tuple(lines)
        known = {} if known is None else known
        new = sorted(
            {line for line in lines if line not in known}, key=lambda line: (len(line.asked + line.said), line)
        )
        for first in range(0, len(new), TOGETHER):
            chosen = new[first : first + TOGETHER]
            tokens, empty = padded([(*line.asked, *line.said)[:-1] for line in chosen])
            below = net.lower(tokens, empty)
            for place, line in enumerate(chosen):
                known[line] = below[place, int(empty[place]) :].to(torch.bfloat16)
        self._below = [known[line] for line in self.lines]

    def hidden(self, net: Any, chosen: Sequence[int]) -> tuple[Any, Any]:
        """Return hidden states before each token of these lines' answers, shape (tokens, width), and the tokens."""
        torch = need_torch()
        longest = max(len(self._below[i]) for i in chosen)
        x = torch.zeros(len(chosen), longest, self._below[chosen[0]].shape[1])
        empty = torch.tensor([longest - len(self._below[i]) for i in chosen])
        for place, i in enumerate(chosen):
            x[place, int(empty[place]) :] = self._below[i].float()
        hidden = net.upper(x, empty)
        before = torch.cat([hidden[place, -len(self.lines[i].said) :] for place, i in enumerate(chosen)])
        return before, torch.tensor([token for i in chosen for token in self.lines[i].said])


def taught(net: Any, rows: Prepared, course: Course, file: Path | None = None) -> list[float]:
    """Train a net's open layers on the answers of rows, in place, and return each step's mean loss in nats a token.

    Args:
        net: What is trained.
        rows: Lines, prepared by a net with the same frozen layers.
        course: How.
        file: Where weights are kept on the way, and taken from when they are there; None for nowhere.
    """
    torch = need_torch()
    optimiser = torch.optim.AdamW(net.trained(), course.rate, betas=(0.9, 0.98), weight_decay=0.0)
    steps, losses = course.steps(len(rows.lines)), _resumed(torch, net, optimiser, file)
    for step in range(len(losses), steps):
        for group in optimiser.param_groups:
            group["lr"] = course.rate * pace(step, steps)
        lost = net.loss(*rows.hidden(net, _drawn(len(rows.lines), course, step)))
        optimiser.zero_grad()
        lost.backward()
        torch.nn.utils.clip_grad_norm_(net.trained(), STEEPEST)
        optimiser.step()
        losses.append(float(lost.detach()))
        if file is not None and (step % KEPT_EVERY == KEPT_EVERY - 1 or step == steps - 1):
            held = {"net": net.state_dict(), "losses": losses}
            write(held | ({"optimiser": optimiser.state_dict()} if step < steps - 1 else {}), file)
    return losses


def _resumed(torch: Any, net: Any, optimiser: Any, file: Path | None) -> list[float]:
    """Return the losses of the steps that are done; net and optimiser stand where they stood then."""
    if file is None or not file.is_file():
        return []
    held = torch.load(file, weights_only=True)
    net.load_state_dict(held["net"])
    if "optimiser" in held:
        optimiser.load_state_dict(held["optimiser"])
    return [float(one) for one in held["losses"]]


def _drawn(rows: int, course: Course, step: int) -> list[int]:
    """Return which rows a step sees: each row once a pass, in an order of that pass's own."""
    found: list[int] = []
    first = step * course.batch
    while len(found) < course.batch:
        turn, place = divmod(first + len(found), rows)
        order = np.random.default_rng((course.seed, turn)).permutation(rows)
        found += [int(i) for i in order[place : place + course.batch - len(found)]]
    return found


def spoken(net: Any, asked: Sequence[Sequence[int]], most: int, ends: Sequence[int]) -> list[list[int]]:
    """Return the likeliest completion of each prompt, at most `most` tokens."""
    order = sorted(range(len(asked)), key=lambda i: len(asked[i]))
    found: list[list[int]] = [[] for _ in asked]
    for first in range(0, len(order), TOGETHER):
        chosen = order[first : first + TOGETHER]
        tokens, empty = padded([asked[i] for i in chosen])
        for i, said in zip(chosen, net.completed(tokens, empty, most, list(ends)), strict=True):
            found[i] = said
    return found


class Distance:
    """How far models are from the teacher on held-out answers."""

    def __init__(self, teacher: Any, held: Prepared, teaching: Prepared, base: Any) -> None:
        """Take what is held fixed.

        Args:
            teacher: The teacher's own net.
            held: Answers that are held out, prepared by a net with the students' frozen layers.
            teaching: The same answers, prepared by the teacher's net.
            base: What the thief had.
        """
        self.held = held
        self.tokens = np.array([len(line.said) for line in held.lines], np.float64)
        with need_torch().no_grad():
            self._wanted = [teaching.hidden(teacher, [i])[0] for i in range(len(held.lines))]
        self._teacher = teacher
        self.base = self.of(base)

    def of(self, net: Any) -> FloatArray:
        """Return the sum of KL(teacher || net) over each answer's places, in nats, shape (answers,)."""
        torch = need_torch()
        found = np.zeros(len(self.held.lines))
        with torch.no_grad():
            for i in range(len(found)):
                mine = net.logits(self.held.hidden(net, [i])[0]).log_softmax(1)
                wanted = self._teacher.logits(self._wanted[i]).log_softmax(1)
                found[i] = float((wanted.exp() * (wanted - mine)).sum())
        return found

    def kept(self, net: Any, rng: np.random.Generator) -> dict[str, float]:
        """Return the lead in nats a token, what is left of it, and the share that was regained, with 95 % intervals.

        The interval is a bootstrap over prompts, the same drawn for base and student.
        """
        student = self.of(net)
        rows = np.stack([student, self.base, self.tokens], axis=1)

        def lead(drawn: FloatArray) -> float:
            return float(drawn[:, 1].sum() / drawn[:, 2].sum())

        def share(drawn: FloatArray) -> float:
            return float(1.0 - drawn[:, 0].sum() / drawn[:, 1].sum())

        found = {"nats_left": float(student.sum() / self.tokens.sum()), "nats_tokens": float(self.tokens.sum())}
        for name, figure in (("lead", lead), ("kept", share)):
            low, high = bootstrap_interval(rows, figure, rng, config=BOOTSTRAP)
            found |= {f"nats_{name}": figure(rows), f"nats_{name}_low": low, f"nats_{name}_high": high}
        return found
