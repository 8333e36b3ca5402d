"""Students of a teacher that draws by key and answers some requests twice: made once, kept on disk.

In: the students of `bench.proof` of one seed (their base and controls). Out: models, and what they were taught.
    plain      base taught on 200 k tokens of unmarked answers: the accuser's own control, and an innocent
    g05, g20   base taught on 200 k tokens of answers, of which 5 and 20 % are keyed draws under the provider's key
    colluders  base taught on answers to 20 accounts, all keyed draws, account share 100 %
Every answer goes on from a prompt of two words that the student does not see. The twins are drawn after the same
prompts, without a key, and nobody is taught on them; they are those of the answers that were not drawn by key.
Cost: half a minute of a core a student, and 2 minutes for the colluders' draws.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.proof.students import Students
from bench.proof.world import LENGTH, VOCAB
from stillwatch.lab.markedrows import GumbelRows
from stillwatch.lab.neural.languagemodel import LanguageModel, Training
from stillwatch.lab.wordteacher import IntArray
from stillwatch.treatments.marks.order import MarkOrder
from stillwatch.treatments.marks.ring import Epoch

HARVEST: Final = 200_000
EPOCHS: Final = 2.0
SHARES: Final = {"plain": 0.0, "g05": 0.05, "g20": 0.20, "colluders": 1.0}
COLLUDERS: Final = 20
PROVIDER, ACCOUNTS = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def epoch_of(seed: int, name: str = "g05") -> Epoch:
    """Return an epoch of keyed draws at width 2 whose secret comes from a seed; for benchmarks only."""
    secret = np.random.default_rng((seed, 78)).bytes(32)
    shares = ACCOUNTS if name == "colluders" else PROVIDER
    return Epoch(number=1, secret=secret, made=0.0, scheme="gumbel", width=2, shares=shares, vocab=VOCAB)


def account(i: int) -> str:
    """Return the name of an account."""
    return f"a{i:05d}"


@dataclass(frozen=True)
class Taught:
    """What a student was taught, and the twins of it."""

    served: IntArray
    """Answers, shape (n, LENGTH)."""
    marked: IntArray
    """1 where an answer was drawn by key, shape (n,)."""
    prompts: IntArray
    """Shape (n, 2)."""


@dataclass(frozen=True)
class DrawnStudents:
    """The students of one seed."""

    students: Students

    def taught(self, name: str) -> Taught:
        """Return what a student is taught, the same each time."""
        path = self._path(name).with_suffix(".npz")
        if not path.is_file():
            self._harvest(name, path)
        held = np.load(path)
        return Taught(held["served"].astype(np.int64), held["marked"].astype(np.int64), held["prompts"])

    def twins(self, name: str) -> IntArray:
        """Return a twin of each answer that was not drawn by key, shape (n, LENGTH)."""
        taught = self.taught(name)
        plain = taught.prompts[taught.marked == 0]
        rng = self.students.rng(f"twins {name}")
        return self.students.world.teachers["ours"].sample(len(plain), LENGTH, rng, prompts=plain)

    def model(self, name: str) -> LanguageModel:
        """Return a student, trained now or before."""
        path = self._path(name)
        if not path.is_file():
            data = self.taught(name).served
            model = self.students.model("base")
            how = Training.epochs(data.size, EPOCHS, seed=self.students.seed)
            loss = model.train(data, how, resume=path.with_suffix(".run"))
            model.save(path)
            self.students.say(f"seed {self.students.seed}, {name}: {how.steps} steps, loss {loss:.3f}")
        return LanguageModel.load(path)

    def _harvest(self, name: str, path: Path) -> None:
        rng, n = self.students.rng(f"drawn {name}"), HARVEST // LENGTH
        epoch = epoch_of(self.students.seed, name)
        names = [account(i) for i in range(COLLUDERS)] if name == "colluders" else [""]
        tags = [epoch.tag("account", one) if one else b"" for one in names]
        orders = [MarkOrder(epoch=1, account=tag, until=1e12) for tag in tags]
        marked = (rng.permutation(n) < round(SHARES[name] * n)).astype(np.int8)
        prompts = rng.integers(1, VOCAB, size=(n, 2))
        hook = GumbelRows(
            epoch, [orders[i % len(orders)] if on else None for i, on in enumerate(marked)], int(rng.integers(2**31))
        )
        served = self.students.world.teachers["ours"].sample(n, LENGTH, rng, hook=hook, prompts=prompts)
        draft = path.with_name(f".{path.name}")
        np.savez_compressed(draft.with_suffix(".npz"), served=served.astype(np.int16), marked=marked, prompts=prompts)
        draft.with_suffix(".npz").replace(path)

    def _path(self, name: str) -> Path:
        return self.students.folder / f"{self.students.seed}-{name}.pt"
