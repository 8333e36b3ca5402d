"""Attacks that ask one item several times: rejection sampling, averaging against noise, the teacher as judge.

In: the pool. Out: fewer rows than queries, each surer. Source: Yuan et al. 2023, arXiv:2308.01825 (rejection
sampling); Zheng et al. 2023, arXiv:2306.05685 (model as judge); averaging is as old as noise.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stillwatch.lab.attacks.harvesting import in_order, row_of
from stillwatch.lab.attacks.plain import ALTERNATIVES
from stillwatch.lab.task import Answer, Ask, Bench, Client, HarvestRow, Item, Job

SAMPLES: Final = 5
AGREEING: Final = 4
"""Of `SAMPLES`, answers that must be alike for a row to be kept."""
TIMES: Final = 3
"""Wordings that one item is asked in to average noise away."""
WORDINGS: Final = (
    "Say what this is about.", "Which of your labels fits?", "Label the text below.", "Answer with one label.",
    "Sort this text.", "Choose a label for it.",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Draw several answers and keep those that agree."""

    name: str = "rejection"
    needs: frozenset[str] = frozenset(("samples",))

    async def collect(self, client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
        """Ask each item for `SAMPLES` answers; where only one comes, ask again."""
        rows = []
        for item in in_order(bench.pool, job.rng):
            said: list[str] = []
            last: Answer | None = None
            while len(said) < SAMPLES and client.left > 0:
                last = await client.ask(item, Ask(samples=SAMPLES - len(said), temperature=1.0))
                if last is None or last.status != 200:
                    break
                said += [bench.read(replace(last, texts=(text,))) for text in last.texts]
            if client.left <= 0 and not said:
                break
            best = Counter(said).most_common(1)
            if best and best[0][1] >= min(AGREEING, len(said)):
                rows.append(HarvestRow(item=item, answer=best[0][0], reasoning=last.reasoning if last else ""))
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Averaged:
    """Ask each item in several wordings and take the mean of what is told, so that noise by request cancels."""

    name: str = "averaged"
    needs: frozenset[str] = frozenset(("logprobs",))

    async def collect(self, client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
        """Ask until the budget is spent."""
        return await self.over(client, bench, job, in_order(bench.pool, job.rng))

    async def over(self, client: Client, bench: Bench, job: Job, items: Sequence[Item]) -> list[HarvestRow]:
        """Ask these items until the budget is spent."""
        rows = []
        for item in items:
            if client.left <= 0:
                break
            answers = await asked_in_words(client, item, job)
            row = averaged(bench, item, answers)
            if row is not None:
                rows.append(row)
        return rows


async def asked_in_words(client: Client, item: Item, job: Job) -> list[Answer]:
    """Return the answers to one item in `TIMES` different wordings."""
    answers = []
    for at in job.rng.choice(len(WORDINGS), size=TIMES, replace=False):
        answer = await client.ask(item, Ask(logprobs=ALTERNATIVES, before=WORDINGS[at]))
        if answer is None:
            break
        answers.append(answer)
    return answers


def averaged(bench: Bench, item: Item, answers: Sequence[Answer]) -> HarvestRow | None:
    """Return one row for several answers to one item: the mean of the probabilities, and what was said most."""
    rows = [row for answer in answers if (row := row_of(bench, item, answer)) is not None]
    if not rows:
        return None
    said = Counter(row.answer for row in rows).most_common(1)[0][0]
    told = [row.logprobs[0] for row in rows if row.logprobs and row.logprobs[0]]
    if not told or any(len(row.logprobs) > 1 for row in rows):  # means of whole texts mean nothing: take one
        return replace(rows[0], answer=said) if rows[0].answer != said else rows[0]
    return replace(rows[0], answer=said, logprobs=(mean_of(told),))


def mean_of(told: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the logs of mean probabilities; a token that is not told of somewhere counts as the least told there."""
    least = [min(one.values()) for one in told]
    names = sorted({name for one in told for name in one})
    return {
        name: math.log(sum(math.exp(one.get(name, low)) for one, low in zip(told, least, strict=True)) / len(told))
        for name in names
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Label with the student, let the teacher judge, and keep what it finds right."""

    name: str = "judge"
    needs: frozenset[str] = frozenset(("judge",))

    async def collect(self, client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
        """Ask for labels with half of the budget; with the other half, whether the student's labels are right."""
        half, waiting = client.left // 2, in_order(bench.pool, job.rng)
        rows: list[HarvestRow] = []
        while waiting and client.left > half:
            item = waiting.pop(0)
            answer = await client.ask(item, Ask())
            row = row_of(bench, item, answer) if answer is not None else None
            rows += [row] if row is not None else []
        student = bench.train(rows, job.start, job.rng)
        waiting = waiting[: client.left]
        for item, proposed in zip(waiting, student.answers(waiting), strict=True):
            answer = await client.ask(item, Ask(judge=proposed))
            if answer is None:
                break
            if answer.status == 200 and answer.text.strip().lower().startswith("yes"):
                rows.append(HarvestRow(item=item, answer=proposed))
        return rows
