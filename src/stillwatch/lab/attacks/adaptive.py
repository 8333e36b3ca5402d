"""What a thief who knows the defences does with any harvest before it trains: find out what can still be believed.

In: the rows of an attack. Out: the same rows, read in the way that predicts answers best. Texts of answers cannot be
bent without harm to honest users, probabilities can: so the thief keeps a seventh of its rows aside, trains on the rest
read as probabilities, as bare answers and as half of each, and takes the reading whose student agrees most with the
answers set aside. Cost: three students. No right answer and no test item is looked at.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, log
from typing import Final

from stillwatch.lab.task import Bench, Harvest, HarvestRow, Job

ASIDE: Final = 7
READINGS: Final = ("probabilities", "half", "answers")


def read_as(row: HarvestRow, reading: str) -> HarvestRow:
    """Return a row as probabilities, as its bare answer, or as the mean of both."""
    if not row.logprobs or reading == "probabilities" or len(row.logprobs) > 1:
        return row
    if reading == "answers":
        return replace(row, logprobs=())
    told = row.logprobs[0]
    mixed = {name: log(max(exp(value) / 2.0, 1e-12)) for name, value in told.items()}
    mixed[row.answer] = log(0.5 + exp(told.get(row.answer, -30.0)) / 2.0)
    return replace(row, logprobs=(mixed,))


def best_reading(bench: Bench, harvest: Harvest, job: Job) -> tuple[Harvest, str]:
    """Return the harvest in the reading that predicts best, and that reading's name.

    A harvest without probabilities, or whose probabilities run over several tokens, is left as it is.
    """
    if len(harvest) < 4 * ASIDE or not any(len(row.logprobs) == 1 for row in harvest):
        return harvest, "answers"
    order = job.rng.permutation(len(harvest))
    aside = [harvest[i] for i in order[: len(harvest) // ASIDE]]
    rest = [harvest[i] for i in order[len(harvest) // ASIDE :]]
    scores = {reading: _agreement(bench, rest, aside, reading, job) for reading in READINGS}
    best = max(READINGS, key=lambda reading: scores[reading])
    return [read_as(row, best) for row in harvest], best


def _agreement(bench: Bench, rest: Sequence[HarvestRow], aside: Sequence[HarvestRow], reading: str, job: Job) -> float:
    student = bench.train([read_as(row, reading) for row in rest], job.start, job.rng)
    said = student.answers([row.item for row in aside])
    return sum(a == row.answer for a, row in zip(said, aside, strict=True)) / len(aside)
