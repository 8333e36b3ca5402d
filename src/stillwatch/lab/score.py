"""From answers on the test items to the scorecard's figures, each with an interval.

In: which answers were right, of teacher, base and student. Out: `Measured`. Intervals are 95 %: exact for rates,
percentile bootstrap over test items for ratios, the same items drawn for all three models.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stillwatch.lab.cell import Measured
from stillwatch.lab.task import Bench, Item, Student
from stillwatch.stats.intervals import BootstrapConfig, bootstrap_interval, clopper_pearson

Floats = npt.NDArray[np.float64]
BOOTSTRAP = BootstrapConfig(resamples=1000)


def rate(hits: Sequence[bool] | Floats) -> Measured:
    """Return a share with its exact interval; of nothing 0 in (0, 1)."""
    n, k = len(hits), int(np.sum(np.asarray(hits, dtype=np.float64)))
    low, high = clopper_pearson(k, n)
    return Measured(value=k / n if n else 0.0, low=float(low), high=float(high), n=n)


def right(bench: Bench, items: Sequence[Item], student: Student) -> Floats:
    """Return 1 for each item answered right, else 0."""
    said = student.answers(items)
    return np.array([bench.right(item, answer) for item, answer in zip(items, said, strict=True)], dtype=np.float64)


def retained(student: Floats, base: Floats, teacher: Floats, rng: np.random.Generator) -> Measured | None:
    """Return (student - base) / (teacher - base); None where the teacher has no lead.

    Args:
        student: Right or not, one an item; likewise the others, on the same items.
        base: What the thief had.
        teacher: What it stole from.
        rng: Of the bootstrap.
    """

    def share(rows: Floats) -> float:
        s, b, t = rows.mean(axis=0)
        return float((s - b) / (t - b)) if t > b else float("nan")

    rows = np.stack([student, base, teacher], axis=1)
    if not len(rows) or not teacher.mean() > base.mean():
        return None
    low, high = bootstrap_interval(rows, share, rng, config=BOOTSTRAP)
    return Measured(value=share(rows), low=low, high=high, n=len(rows))


def paired(after: Floats, before: Floats, rng: np.random.Generator) -> Measured:
    """Return how many points of a hundred are lost from `before` to `after`, item by item."""
    lost = 100.0 * (before - after)
    if not len(lost):
        return Measured(value=0.0, low=0.0, high=0.0)
    low, high = bootstrap_interval(lost, lambda rows: float(rows.mean()), rng, config=BOOTSTRAP)
    return Measured(value=float(lost.mean()), low=low, high=high, n=len(lost))
