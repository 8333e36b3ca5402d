"""Do honest documents look marked? Every document is read under keys that it never saw.

In: documents. Out: at each nominal level how many (document, key) pairs pass, the 99 % Clopper-Pearson interval of
that rate, and the exact rate that whole counts allow at this level (never above nominal). Beside it: the same without
removing repeats, which is what readers do that count every token.
Each document has tier keys of its own; epochs (context tables) change with every thousandth document.
Gate: counts are what the exact rates make of them, and no exact rate lies above its level.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.marks.documents import Documents
from stillwatch.forensics.marks.calibrate import random_keys
from stillwatch.forensics.marks.green import GreenText
from stillwatch.forensics.marks.pairs import TokenText
from stillwatch.forensics.marks.power import least_hits
from stillwatch.stats.exact import binomial_tail
from stillwatch.stats.intervals import clopper_pearson
from stillwatch.treatments.marks.green import green_bits
from stillwatch.treatments.marks.prf import ContextTable, seeds
from stillwatch.treatments.marks.ring import Epoch
from stillwatch.treatments.marks.tiers import tiers_of

LEVELS = (1e-2, 1e-3, 1e-4)
EPOCHS = 10
FloatArray = npt.NDArray[np.float64]
Halves = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]


@dataclass(frozen=True)
class Level:
    """One row of the table."""

    width: int
    keys: int
    """Keys a document."""
    nominal: float
    tests: int
    passed: int
    low: float
    high: float
    """Ends of the 99 % interval for the rate of `passed`."""
    allowed: float
    """Mean exact chance, over documents, that a whole count reaches this level."""
    repeats_kept: float
    """Rate when every token counts."""
    scheme: str = "green"
    bounded: bool = False
    """Whether p-values are upper bounds, so that the rate may lie below the exact one."""

    @property
    def held(self) -> bool:
        """Whether the count is what the exact rate makes of it; a sound reader fails once in 10,000 rows."""
        low, high = clopper_pearson(self.passed, self.tests, confidence=0.9999)
        return bool(low <= self.allowed and (self.bounded or self.allowed <= high)) and self.allowed <= self.nominal

    @property
    def within(self) -> bool:
        """Whether the 99 % interval holds the exact rate, or lies below it where that is a bound."""
        return self.low <= self.allowed and (self.bounded or self.allowed <= self.high)


def run(found: Documents, width: int, keys: int, seed: int) -> list[Level]:
    """Return one row a level."""
    rng = np.random.default_rng([seed, width])
    epochs = [Epoch(number=1, secret=rng.bytes(32), made=0.0, width=width) for _ in range(EPOCHS)]
    tables = [ContextTable.of(epoch, found.vocab) for epoch in epochs]
    log_p, loose, scored = [], [], []
    for number, tokens in enumerate(found.tokens):
        epoch, table = epochs[number % EPOCHS], tables[number % EPOCHS]
        text = GreenText.of(TokenText.of([tokens]), epoch, vocab=found.vocab, table=table)
        drawn = [random_keys(rng, keys) for _ in range(3)]
        hits = sum(part.hits_of(*halves) for part, halves in zip(text.words, drawn, strict=True))
        n = int(text.scored.sum())
        log_p.append(binomial_tail(hits, n, 0.5))
        scored.append(n)
        loose.append(every_token(tokens, epoch, table, drawn))
    return [level(width, np.array(log_p), np.array(loose), np.array(scored), nominal) for nominal in LEVELS]


def every_token(tokens: npt.NDArray[np.int64], epoch: Epoch, table: ContextTable, drawn: list[Halves]) -> float:
    """Return the log p-value under the first key when repeats count."""
    digests = table.following(tokens)[epoch.width :]
    tiers = tiers_of(digests, epoch)
    a, b = (np.array([halves[side][0] for halves in drawn]) for side in (0, 1))
    green = green_bits(seeds(digests, a[tiers], b[tiers]), tokens[epoch.width :])
    return float(binomial_tail(int(green.sum()), len(green), 0.5))


def level(width: int, log_p: FloatArray, loose: FloatArray, scored: npt.NDArray[np.int64], nominal: float) -> Level:
    """Return one row from (documents, keys) log p-values."""
    bound = math.log(nominal)
    passed = int((log_p <= bound).sum())
    low, high = clopper_pearson(passed, log_p.size, confidence=0.99)
    least = least_hits(scored, bound)
    allowed = float(
        np.exp(np.where(least <= scored, binomial_tail(np.minimum(least, scored + 1), scored, 0.5), -np.inf)).mean()
    )
    return Level(
        width=width, keys=log_p.shape[1], nominal=nominal, tests=log_p.size, passed=passed, low=float(low),
        high=float(high), allowed=allowed, repeats_kept=float((loose <= bound).mean()),
    )  # fmt: skip
