"""Ask and learn: answers only, answers with probabilities, answers with reasoning, and the task shown as a picture.

In: the pool. Out: a row an answer. The adaptive thief asks each item in the same way; what it does against a defence
is in `adaptive`. Source: Orekondy et al. 2019, arXiv:1812.02766 (answers); Hinton et al. 2015, arXiv:1503.02531.
"""

from dataclasses import dataclass
from typing import Final

from stillwatch.lab.attacks.harvesting import collected, in_order
from stillwatch.lab.task import Ask, Bench, Client, HarvestRow, Job

ALTERNATIVES: Final = 20
"""As many as common APIs give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """Ask every item of the pool once, in one way."""

    name: str
    how: Ask
    needs: frozenset[str]

    async def collect(self, client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
        """Ask until the budget is spent."""
        return await collected(client, bench, in_order(bench.pool, job.rng), self.how)


ANSWERS: Final = Plain(name="answers", how=Ask(), needs=frozenset(("answers",)))
SOFT: Final = Plain(name="soft", how=Ask(logprobs=ALTERNATIVES), needs=frozenset(("logprobs",)))
REASONING: Final = Plain(name="reasoning", how=Ask(reasoning=True), needs=frozenset(("reasoning",)))
IMAGE: Final = Plain(name="image", how=Ask(image=True), needs=frozenset(("images",)))
