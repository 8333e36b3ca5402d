"""Attacks that choose what to ask: active selection, and bootstrapping from a handful of seeds.

In: the pool, or only the seeds. Out: rows. Both train a student between rounds, as a thief would.
Source: Lewis and Gale 1994, arXiv:cmp-lg/9407020 (uncertainty); Pal et al. 2020, arXiv:1905.09165 (extraction by active
learning); Wang et al. 2023, arXiv:2212.10560 (bootstrapping).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stillwatch.lab.attacks.harvesting import collected, in_order
from stillwatch.lab.attacks.plain import ALTERNATIVES
from stillwatch.lab.task import Ask, Bench, Client, HarvestRow, Item, Job, Student

ROUNDS: Final = 3
"""Students trained to choose by; more cost training and gained nothing on banking77."""
SOFT: Final = Ask(logprobs=ALTERNATIVES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """Ask what the student so far is least sure of."""

    name: str = "active"
    needs: frozenset[str] = frozenset(("logprobs",))

    async def collect(self, client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
        """Ask a part at random, then the rest of the budget in rounds by uncertainty."""
        waiting = in_order(bench.pool, job.rng)
        part = max(1, client.left // (ROUNDS + 1))
        rows: list[HarvestRow] = []
        while client.left > 0 and waiting:
            now, waiting = waiting[:part], waiting[part:]
            rows += await collected(client, bench, now, SOFT)
            if client.left > 0 and waiting:
                student = bench.train(rows, job.start, job.rng)
                waiting = least_sure(student, waiting)
        return rows


def least_sure(student: Student, items: Sequence[Item]) -> list[Item]:
    """Return the items, those first whose two likeliest answers are closest to one another."""
    gaps = []
    for known in student.probabilities(items):
        best = sorted(known.values(), reverse=True)[:2]
        gaps.append(best[0] - best[1] if len(best) == 2 else 1.0)
    return [items[i] for i in np.argsort(gaps, kind="stable")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """Own nothing but the seeds: make new items out of halves of old ones, ask, and go on from those."""

    name: str = "bootstrap"
    needs: frozenset[str] = frozenset(("logprobs",))

    async def collect(self, client: Client, bench: Bench, job: Job) -> list[HarvestRow]:
        """Ask the seeds, then ever new mixtures."""
        rows = await collected(client, bench, in_order(bench.seeds, job.rng), SOFT)
        known = [row.item for row in rows] or list(bench.seeds)
        seen = {item.text for item in known}
        while client.left > 0:
            drawn = {item.text: item for item in (_mixed(known, number, job.rng) for number in range(client.left))}
            fresh = [item for text, item in drawn.items() if text not in seen]
            seen |= drawn.keys()
            if not fresh:
                break
            got = await collected(client, bench, fresh, SOFT)
            rows += got
            known += [row.item for row in got]
        return rows


def _mixed(known: Sequence[Item], number: int, rng: np.random.Generator) -> Item:
    """Return the first half of one text and the second half of another."""
    one, other = (known[i].text.split() for i in rng.integers(len(known), size=2))
    front = one[: max(1, round(len(one) * rng.uniform(0.3, 0.8)))]
    back = other[round(len(other) * rng.uniform(0.2, 0.7)) :]
    return Item(id=f"mixed {len(known)} {number}", text=" ".join([*front, *back]))
