"""Removal: what a thief does to a harvest, or to its student, to be rid of what a defence put in. Lab-made only.

In: a harvest, its signed manifest, the run folder's key. Out: another harvest; after training, another student.
Left to `attacks.adaptive`: choosing how to read probabilities, which needs no removal. Left to `inverse`: what a mark
seems to have done.
Source: Han et al. 2018, arXiv:1804.06872 (small-loss rows); Furlanello et al. 2018, arXiv:1805.04770 (retelling by
one's own students); Pan et al. 2025, arXiv:2502.11598 (targeted paraphrase, neutralisation); clean fine-tuning is
common practice.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from stillwatch.lab.manifest import Manifest, checked
from stillwatch.lab.task import Bench, Harvest, HarvestRow, Inverting, Job, Neutralising, Student
from stillwatch.terms.catalog import Catalog

DROPPED: Final = 0.15
"""Share of rows that the filter by loss drops."""
CLEAN_WEIGHT: Final = 8.0
"""How much a clean row counts beside a harvested one."""
TARGETED: Final = 1.0 / 3.0
"""Share of rows that are told anew against the inverse of a mark."""
_WORD: Final = re.compile(r"\w+|[^\w\s]")
_Pairs = Sequence[tuple[str, str]]


def kept(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Leave the harvest as it is."""
    return list(harvest)


def trained(student: Student, harvest: Harvest, bench: Bench, job: Job) -> Student:
    """Leave the student as it is."""
    return student


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One way of cleaning."""

    name: str
    clean: Callable[[Harvest, Bench, Job], list[HarvestRow]] = kept
    """Before training."""
    finish: Callable[[Student, Harvest, Bench, Job], Student] = trained
    """After it."""


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


def targeted(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Have the third of rows told anew that bears most of what the harvest says more often than the thief's base.

    What the base does not say may be a mark's work or the teacher's knowledge; the thief cannot tell. A student of the
    other rows tells them anew.
    """
    many = round(TARGETED * len(harvest))
    if not 0 < many < len(harvest):
        return list(harvest)
    items = [row.item for row in harvest]
    said = [_pairs(f"{row.reasoning} {row.answer}") for row in harvest]
    borne = _borne(said, [_pairs(text) for text in bench.base(job.start).answers(items)])
    order = np.argsort(-borne, kind="stable")
    chosen = np.sort(order[:many])
    student = bench.train([harvest[i] for i in np.sort(order[many:])], job.start, job.rng)
    rows = list(harvest)
    for i, answer in zip(chosen, student.answers([items[i] for i in chosen]), strict=True):
        rows[i] = replace(harvest[i], answer=answer, logprobs=(), reasoning="")
    return rows


def _pairs(text: str) -> _Pairs:
    """Return every word of a text with the word before it."""
    words = _WORD.findall(text)
    return list(zip(["", *words], words, strict=False))


def _borne(said: Sequence[_Pairs], known: Sequence[_Pairs]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """Return for each text the mean log of how much likelier its pairs are here than there, each kept within a nat."""
    counts = [Counter(pair for pairs in texts for pair in pairs) for texts in (said, known)]
    befores = [Counter[str]() for _ in counts]
    for before, count in zip(befores, counts, strict=True):
        for (word, _), times in count.items():
            before[word] += times

    def score(pair: tuple[str, str]) -> float:
        here, there = ((count[pair] + 0.5) / (before[pair[0]] + 1.0)
                       for count, before in zip(counts, befores, strict=True))  # fmt: skip
        return float(np.clip(np.log(here / there), -1.0, 1.0))

    return np.array([np.mean([score(pair) for pair in pairs]) if pairs else -np.inf for pairs in said])


def neutralised(student: Student, harvest: Harvest, bench: Bench, job: Job) -> Student:
    """Take the inverse of a mark from what the student says, where the task's students speak token by token."""
    return bench.neutralised(student, harvest, job) if isinstance(bench, Neutralising) and len(harvest) else student


def reordered(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Put reasoning that was told conclusion first back in order, where the task's students reason."""
    return bench.in_order(harvest, job) if isinstance(bench, Inverting) else list(harvest)


def by_answer(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Keep the rows whose answer a student of the other half gives as well: a check without a key to the answers."""
    told = retold(harvest, bench, job)
    agreed = [row for row, other in zip(harvest, told, strict=True) if row.answer == other.answer]
    return agreed or list(harvest)


def bare(harvest: Harvest, bench: Bench, job: Job) -> list[HarvestRow]:
    """Keep answers alone, where reasoning or probabilities are thought to be spoilt."""
    return [replace(row, reasoning="", logprobs=()) for row in harvest]


REMOVALS: Catalog[Removal] = Catalog(
    "removal", Removal(name="by-loss", clean=by_loss), Removal(name="retold", clean=retold),
    Removal(name="clean-tuned", clean=clean_tuned), Removal(name="inverted", clean=inverted),
    Removal(name="bare", clean=bare), Removal(name="targeted", clean=targeted),
    Removal(name="neutralised", finish=neutralised), Removal(name="by-answer", clean=by_answer),
    Removal(name="reordered", clean=reordered),
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


def finished(student: Student, harvest: Harvest, names: tuple[str, ...], bench: Bench, job: Job) -> Student:
    """Return the student after what these removals do once it is trained, in order.

    Args:
        student: Of the harvest.
        harvest: What `remove` gave back, so that the lab made it.
        names: Removals of the catalogue.
        bench: The task.
        job: The thief.
    """
    for name in names:
        student = REMOVALS.get(name).finish(student, harvest, bench, job)
    return student
