"""Removal: what a thief does to a harvest to be rid of what a defence put into it. Lab-made harvests only.

In: a harvest, its signed manifest, the run folder's key. Out: another harvest.
Left to `attacks.adaptive`: choosing how to read probabilities, which needs no removal.
Source: Han et al. 2018, arXiv:1804.06872 (small-loss rows); Furlanello et al. 2018, arXiv:1805.04770 (retelling by
one's own students); clean fine-tuning is common practice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from stillwatch.lab.manifest import Manifest, checked
from stillwatch.lab.task import Bench, Harvest, HarvestRow, Inverting, Job
from stillwatch.terms.catalog import Catalog

DROPPED: Final = 0.15
"""Share of rows that the filter by loss drops."""
CLEAN_WEIGHT: Final = 8.0
"""How much a clean row counts beside a harvested one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One way of cleaning."""

    name: str
    clean: Callable[[Harvest, Bench, Job], list[HarvestRow]]


def by_loss(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Drop the rows whose answers surprise a student of the whole harvest most."""
    if len(harvest) < 20:
        return list(harvest)
    student = bench.train(harvest, job.start, job.rng)
    known = student.probabilities([row.item for row in harvest])
    if not any(known):
        said = student.answers([row.item for row in harvest])
        return [row for row, answer in zip(harvest, said, strict=True) if row.answer == answer]
    sure = np.array([one.get(row.answer, 0.0) for row, one in zip(harvest, known, strict=True)])
    kept = np.sort(np.argsort(-sure, kind="stable")[: round(len(harvest) * (1.0 - DROPPED))])
    return [harvest[i] for i in kept]


def retold(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Give every row the answer of a student that was trained on the other half."""
    order = job.rng.permutation(len(harvest))
    halves = [order[::2], order[1::2]]
    rows = list(harvest)
    for mine, others in (halves, halves[::-1]):
        if not len(mine) or not len(others):
            continue
        student = bench.train([harvest[i] for i in others], job.start, job.rng)
        said = student.answers([harvest[i].item for i in mine])
        for i, answer in zip(mine, said, strict=True):
            rows[i] = replace(harvest[i], answer=answer, logprobs=(), reasoning="")
    return rows


def clean_tuned(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Add what the thief knows to be right, with weight."""
    own = [HarvestRow(item=item, answer=item.answer, weight=CLEAN_WEIGHT) for item in bench.seeds]
    return [*harvest, *own]


def inverted(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Tell reasoning anew from questions and answers, where the task's students reason; else leave the harvest."""
    return bench.invert(harvest, job) if isinstance(bench, Inverting) and len(harvest) > 1 else list(harvest)


def bare(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Keep answers alone, where reasoning or probabilities are thought to be spoilt."""
    return [replace(row, reasoning="", logprobs=()) for row in harvest]


REMOVALS: Catalog[Removal] = Catalog(
    "removal", Removal(name="by-loss", clean=by_loss), Removal(name="retold", clean=retold),
    Removal(name="clean-tuned", clean=clean_tuned), Removal(name="inverted", clean=inverted),
    Removal(name="bare", clean=bare),
)  # fmt: skip
"""Every removal."""


def remove(harvest: Harvest, signed: tuple[Manifest, bytes], names: tuple[str, ...], bench: Bench, job: Job) -> Harvest:
    """Return the harvest after these removals, in order.

    Args:
        harvest: Rows of this lab.
        signed: Their manifest, and the run folder's key.
        names: Removals of the catalogue.
        bench: The task.
        job: The thief.

    Raises:
        StillwatchError: the manifest does not fit, or a removal is unknown.
    """
    rows: Harvest = checked(harvest, *signed)
    for name in names:
        rows = REMOVALS.get(name).clean(rows, bench, job)
    return rows
