"""Draw marked and plain answers from the embedded teacher, and keep their token ids alone.

In: prompts, strengths of the mark or a proxy to mix in, a seed. Out: one `.npz` a strength: tokens
of every answer, nats under the plain model, seconds a token, which key.
Cost: 60 tokens/s on one core. Used by `bench.marks.teacher`.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np

from stillwatch.engines.llamacpp.asked import Asked
from stillwatch.engines.llamacpp.favoured import Chooser, Unmarked, chooser
from stillwatch.engines.llamacpp.generate import Answer
from stillwatch.engines.llamacpp.model import Model
from stillwatch.engines.llamacpp.proxy import Mixture
from stillwatch.lab.teacher import Teacher
from stillwatch.treatments.marks.green import GreenMark
from stillwatch.treatments.marks.gumbel import GumbelMark
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.ring import Epoch

KEYS = 8
"""Epochs that answers are spread over, so that figures do not hang on one key."""
ANSWER = 240
SUBJECTS = (
    "iron", "the tides", "bread", "glaciers", "the printing press", "honey bees", "chess", "volcanoes", "rivers",
    "the violin", "spices", "the Moon", "paper", "wolves", "the compass", "markets",
)  # fmt: skip
WAYS = (
    "Write two paragraphs about {}.",
    "Tell a short story in which {} matters.",
    "Explain to a curious child what is special about {}.",
    "Write a letter to a friend about {}.",
)


@dataclass(frozen=True)
class Draw:
    """How one set of answers is drawn."""

    name: str
    delta: float
    """0 for no mark."""
    asked: Asked
    seed: int = 1
    spare: float = 1.0
    """See `Epoch`."""
    scheme: str = "green"
    mixture: Mixture | None = None
    first: int = 0
    """Prompts before it are left out."""


def prompts() -> list[str]:
    return [way.format(subject) for subject in SUBJECTS for way in WAYS]


def epoch_of(key: int, delta: float, seed: int = 1, spare: float = 1.0, scheme: str = "green") -> Epoch:
    """Return one of the epochs of the measurement; its secret is no secret."""
    secret = np.random.default_rng([seed, key]).bytes(32)
    if scheme == "gumbel":
        return Epoch(number=1, secret=secret, made=0.0, scheme=scheme, width=2, vocab=49_152)
    return Epoch(number=1, secret=secret, made=0.0, delta=delta or 1.0, spare=spare, vocab=49_152)


def mark_of(key: int, one: Draw) -> Chooser:
    """Return the mark of the account that every answer goes to, under one of the keys."""
    if not one.delta and one.scheme == "green":
        return Unmarked()
    epoch = epoch_of(key, one.delta, one.seed, one.spare, one.scheme)
    order = MarkOrder(epoch=1, account=epoch.tag("account", "acme"), until=1e12)
    return chooser(GumbelMark(epoch, order) if one.scheme == "gumbel" else GreenMark(epoch, order))


async def draw(teacher: Teacher, draws: list[Draw], folder: Path) -> None:
    """Draw every set that is not there yet; one file each, complete or not there."""
    head = {"authorization": f"Bearer {teacher.key}"}
    async with aiohttp.ClientSession() as session:
        model = Model(session, teacher.url)
        await model.look(teacher.key)
        for one in draws:
            path = folder / f"{one.name}.npz"
            if not path.exists():
                print(f"drawing {one.name}", flush=True)
                found = [await _answer(model, one, i, text, head) for i, text in enumerate(prompts()) if i >= one.first]
                _keep(path, found)


async def _answer(model: Model, one: Draw, number: int, text: str, head: dict[str, str]) -> tuple[int, Answer, float]:
    key = number % KEYS
    mark = mark_of(key, one)
    asked = Asked(**{**_fields(one.asked), "seed": one.seed * 100_000 + number, "most": ANSWER})
    prompt = await model.prompt_of({"messages": [{"role": "user", "content": text}]}, head)
    answer = Answer(model=model, asked=asked, mark=mark, mixture=one.mixture, prompt=prompt, head=head)
    begun = time.perf_counter()
    async for _ in answer.pieces(0):
        pass
    return key, answer, (time.perf_counter() - begun) / max(1, len(answer.said))


def _fields(asked: Asked) -> dict[str, object]:
    return {name: getattr(asked, name) for name in Asked.__dataclass_fields__}


def _keep(path: Path, found: list[tuple[int, Answer, float]]) -> None:
    lengths = np.array([len(answer.said) for _, answer, _ in found])
    draft = path.with_suffix(".part.npz")
    np.savez(
        draft,
        tokens=np.concatenate([np.array(answer.said, np.int32) for _, answer, _ in found]),
        lengths=lengths, keys=np.array([key for key, _, _ in found]),
        log_p=np.array([answer.log_p for _, answer, _ in found]), seconds=np.array([took for _, _, took in found]),
        ended=np.array([answer.reason == "stop" for _, answer, _ in found]),
    )  # fmt: skip
    draft.rename(path)
