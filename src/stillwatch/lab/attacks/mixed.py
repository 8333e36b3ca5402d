"""Several teachers mixed: half of the harvest from this provider, as much again from another that is not protected.

In: the pool and a rival's model. Out: rows of both. What the rival gives costs nothing here: the scorecard counts only
what went through the gateway, and says so. Left to the reader: what is stolen from whom.
"""

from dataclasses import dataclass

from stillwatch.lab.attacks.harvesting import collected, in_order
from stillwatch.lab.attacks.plain import ALTERNATIVES
from stillwatch.lab.task import Ask, Bench, Client, HarvestRow, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Ask two providers, each half of the items."""

    name: str = "mixed"
    needs: frozenset[str] = frozenset(("logprobs",))

    async def collect(self, client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
        """Spend half of the budget here, and ask the rival for as many other items."""
        items, half = in_order(bench.pool, job.rng), max(1, client.left // 2)
        rows = await collected(client, bench, items[:half], Ask(logprobs=ALTERNATIVES))
        rival, others = bench.rival(), items[half : 2 * half]
        if rival is not None and others:
            said = rival.answers(others)
            rows += [HarvestRow(item=item, answer=answer) for item, answer in zip(others, said, strict=True)]
        job.found["rows_of_rival"] = len(others) if rival is not None else 0
        return rows
