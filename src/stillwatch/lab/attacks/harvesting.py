"""What attacks share: asking one item after another, and rows from answers.

In: a client, items. Out: rows for a student; items that were refused leave none.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from stillwatch.lab.task import Answer, Ask, Bench, Client, HarvestRow, Item


def in_order(items: Sequence[Item], rng: np.random.Generator) -> list[Item]:
    """Return the items in a drawn order."""
    return [items[i] for i in rng.permutation(len(items))]


def row_of(bench: Bench, item: Item, answer: Answer) -> HarvestRow | None:
    """Return the row of one answer; None where it was refused or said nothing."""
    said = bench.read(answer)
    if answer.status != 200 or not said:
        return None
    return HarvestRow(item=item, answer=said, reasoning=answer.reasoning, logprobs=answer.logprobs)


async def collected(client: Client, bench: Bench, items: Iterable[Item], how: Ask) -> list[HarvestRow]:
    """Ask every item the same way until the budget is spent, and return the rows."""
    rows = []
    for item in items:
        answer = await client.ask(item, how)
        if answer is None:
            break
        row = row_of(bench, item, answer)
        if row is not None:
            rows.append(row)
    return rows
