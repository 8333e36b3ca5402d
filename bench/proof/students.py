"""The students: one base a seed, and what becomes of it under each way of being taught; kept on disk, made once.

In: a world, a seed, a folder. Out: models by name. A break loses at most a hundred steps.
    base      trained on public text, what the thief starts from
    control   base taught on unmarked answers of our teacher: the accuser's own, the better reference; and, held
              against the base, an innocent that learned from our teacher before there were marks
    other     base taught on answers of another teacher: an innocent
    m05, m20  base taught on answers of which 5 and 20 % carry the provider's mark; in m05 1 % are canaries
    shared    base taught on answers to 20 accounts, all marked, account share 100 %
    default   the same at the default shares, 50 % provider, 25 % campaign, 25 % account
    retold    base taught on the answers of m20, a third of whose tokens were drawn anew by another model
    targeted  the same third in number, but those that the inverse of the mark likes least, and drawn against it
    washed    m20 taught further on clean public text
    neutral, neutral-half, stepped   m20 with the inverse taken from its logits while it speaks: the whole, half of it,
              and as published; reckoned from m20 and the base on what m20 was taught on
    washed05, neutral05, stepped05   the same of m05, whose canaries can be asked for
Cost: some two minutes of a core a student.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from bench.proof.canaries import planted
from bench.proof.world import LENGTH, World, epoch_of, harvest
from stillwatch.lab.inverse import Chances, graded, stepped, targeted
from stillwatch.lab.neural.chances import chances_of
from stillwatch.lab.neural.languagemodel import LanguageModel, Training
from stillwatch.lab.wordteacher import FloatArray, IntArray, WordTeacher, drawn

PUBLIC: Final = 500_000
HARVEST: Final = 1_000_000
EPOCHS: Final = 2.0
WASH: Final = 200_000
WIDTH, LAYERS = 256, 1
COLLUDERS: Final = 20
SHARES: Final = {"shared": (0.0, 0.0, 1.0), "default": (0.5, 0.25, 0.25)}
PROVIDER: Final = (1.0, 0.0, 0.0)
CONTROLS: Final = ("control", "control2", "control3")
ORDER: Final = (
    "base", *CONTROLS, "m05", "m20", "shared", "washed", "default", "other", "retold", "targeted", "neutral",
    "neutral-half", "stepped", "washed05", "neutral05", "stepped05",
)  # fmt: skip
RETOLD: Final = 1.0 / 3.0
WASHED: Final = {"washed": "m20", "washed05": "m05"}
_Table = Callable[[Chances, Chances], FloatArray]
NEUTRAL: Final[Mapping[str, tuple[str, _Table]]] = {
    "neutral": ("m20", graded), "neutral-half": ("m20", partial(graded, share=0.5)), "stepped": ("m20", stepped),
    "neutral05": ("m05", graded), "stepped05": ("m05", stepped),
}  # fmt: skip
"""Whose logits, and how the table is made that is taken from them."""
LOOKED: Final = 1_000
"""Answers of its harvest on which the thief looks at student and base."""


def account(i: int) -> str:
    """Return the name of an account, `a00000` and so on."""
    return f"a{i:05d}"


@dataclass(frozen=True)
class Students:
    """The students of one seed."""

    world: World
    seed: int
    folder: Path
    say: Callable[[str], None] = partial(print, flush=True)

    def model(self, name: str) -> LanguageModel:
        """Return a student, trained now or before."""
        path = self._path(name)
        if not path.is_file():
            made = self._made(name, path.with_suffix(".run"))
            made.save(path)
        return LanguageModel.load(path)

    def made(self, name: str) -> bool:
        """Whether a student is there already."""
        return self._path(name).is_file()

    def harvest(self, name: str) -> IntArray:
        """Return what a student is taught on, the same each time."""
        ours, rng = self.world.teachers["ours"], self.rng(f"harvest {name}")
        if name in CONTROLS:
            return harvest(ours, HARVEST, rng)
        if name == "other":
            return harvest(self.world.teachers["other"], HARVEST, rng)
        if name == "m05":
            got = harvest(ours, HARVEST, rng, epoch=epoch_of(self.seed, PROVIDER), share=0.05)
            return planted(got, self.seed)
        if name == "m20":
            return harvest(ours, HARVEST, rng, epoch=epoch_of(self.seed, PROVIDER), share=0.20)
        if name == "retold":
            return retold(self.harvest("m20"), self.world.teachers["public"], rng)
        if name == "targeted":
            data = self.harvest("m20")
            table = graded(chances_of(self.model("base"), data), Chances.counted(data, self.world.vocab))
            return targeted(data, table, self.world.teachers["public"].logits, rng, share=RETOLD)
        if name in SHARES:
            accounts = tuple(account(i) for i in range(COLLUDERS))
            return harvest(ours, HARVEST, rng, epoch=epoch_of(self.seed, SHARES[name]), accounts=accounts)
        if name in WASHED:
            return harvest(self.world.teachers["public"], WASH, rng)
        return harvest(self.world.teachers["public"], PUBLIC, rng)

    def _path(self, name: str) -> Path:
        return self.folder / f"{self.seed}-{name}.pt"

    def served(self) -> IntArray:
        """Return two hundred marked answers under the provider's key, as they were served."""
        epoch = epoch_of(self.seed, PROVIDER)
        return harvest(self.world.teachers["ours"], 200 * LENGTH, self.rng("served"), epoch=epoch)

    def rng(self, purpose: str) -> np.random.Generator:
        """Return chance for one purpose of this seed."""
        return np.random.default_rng([self.seed, *purpose.encode()])

    def _made(self, name: str, resume: Path) -> LanguageModel:
        if name in NEUTRAL:
            return self._neutral(*NEUTRAL[name])
        data = self.harvest(name)
        if name == "base":
            model = LanguageModel.fresh(self.world.vocab, self.seed, width=WIDTH, layers=LAYERS)
        else:
            model = self.model(WASHED.get(name, "base"))
        epochs = 1.0 if name == "base" or name in WASHED else EPOCHS
        how = Training.epochs(data.size, epochs, seed=self.seed)
        loss = model.train(data, how, resume=resume)
        self.say(f"seed {self.seed}, {name}: {how.steps} steps, loss {loss:.3f}")
        return model

    def _neutral(self, of: str, table: _Table) -> LanguageModel:
        """Return a student with the inverse taken from its logits, reckoned from itself and the base."""
        looked, model = self.harvest(of)[:LOOKED], self.model(of)
        return model.less(table(chances_of(self.model("base"), looked), chances_of(model, looked)))


def retold(data: IntArray, teller: WordTeacher, rng: np.random.Generator) -> IntArray:
    """Return the data with a third of its tokens drawn anew by another model, each given the two before it."""
    out = data.copy()
    for place in range(2, LENGTH):
        rows = np.flatnonzero(rng.random(len(out)) < RETOLD)
        out[rows, place] = drawn(teller.logits(out[rows, place - 2 : place]), rng)
    return out
