"""Honest users of the same task, over the same wire: what they ask, what they get, what it lacks.

In: slots and the task's honest items. Out: answers beside the items, and how far the confidence they are told is off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from stillwatch.lab.cell import Measured
from stillwatch.lab.client import Wire
from stillwatch.lab.slots import Slot
from stillwatch.lab.task import Answer, Ask, Bench, Item
from stillwatch.stats.intervals import BootstrapConfig, bootstrap_interval

HOW: Final = Ask(logprobs=5)


class Served(NamedTuple):
    """One honest request."""

    item: Item
    answer: Answer


@dataclass(slots=True)
class Honest:
    """Asks one item a slot, in order."""

    wire: Wire
    bench: Bench
    slots: Sequence[Slot]
    served: list[Served] = field(default_factory=list, repr=False)

    def next_time(self) -> float:
        """Return when the next request is due; infinite when there is none."""
        at = len(self.served)
        return self.slots[at].time if at < min(len(self.slots), len(self.bench.honest)) else float("inf")

    async def ask_next(self) -> None:
        """Send the next request and keep what came back."""
        slot, item = self.slots[len(self.served)], self.bench.honest[len(self.served)]
        how = HOW if "logprobs" in self.bench.forms else Ask()
        body = self.bench.request(item, _worded(how, slot.words))
        self.served.append(Served(item, await self.wire.send(slot, body)))


def _worded(how: Ask, words: str) -> Ask:
    from dataclasses import replace

    return replace(how, before=words)


def confidence_moved(bench: Bench, served: Sequence[Served], rng: np.random.Generator) -> Measured | None:
    """Return the mean error of the probability that users are told of their answer; 1 where they are told none.

    None where the task gives no probability of a whole answer.
    """
    answered = [one for one in served if one.answer.status == 200]
    known = bench.teacher().probabilities([one.item for one in answered]) if answered else []
    if not known or not all(known):
        return None
    off = []
    for one, true in zip(answered, known, strict=True):
        said = bench.read(one.answer)
        told = one.answer.logprobs[0].get(said) if one.answer.logprobs else None
        off.append(1.0 if told is None else abs(float(np.exp(told)) - true.get(said, 0.0)))
    values = np.array(off)
    low, high = bootstrap_interval(values, lambda v: float(v.mean()), rng, config=BootstrapConfig(resamples=500))
    return Measured(value=float(values.mean()), low=low, high=high, n=len(values))
