"""A toy teacher for tests of the lab: six intents of the packaged set, trained in a tenth of a second."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from stillwatch.lab.client import answer_of
from stillwatch.lab.task import Answer, Ask, Item
from stillwatch.lab.tasks import sets
from stillwatch.lab.tasks.labels import LabelBench, LabelTask
from stillwatch.lab.tasks.labelteacher import LabelTeacher


def toy_bench(seed: int = 1, *, rank: int = 0) -> LabelBench:
    """Return the toy task, its teacher trained."""
    task = LabelTask(name="toy", instruction="Name the intent.", teaching=300, seeds_a_label=2, rank=rank)
    return task.bench_of(sets.load(sets.TOY, None), seed, 0.2)


@dataclass
class DirectClient:
    """`task.Client` straight to the teacher, without a wire; counts and remembers what was asked."""

    bench: LabelBench
    budget: int
    refuse_after: int = 10**9
    asked: list[tuple[str, Ask]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._teacher = LabelTeacher(self.bench.model, self.bench.seed)

    @property
    def left(self) -> int:
        """Requests that the budget still allows."""
        return self.budget - len(self.asked)

    async def ask(self, item: Item, how: Ask) -> Answer | None:
        """Answer as the gateway would, refusing once `refuse_after` requests were answered."""
        if self.left <= 0:
            return None
        self.asked.append((item.id, how))
        if len(self.asked) > self.refuse_after:
            return Answer(status=403)
        return answer_of(200, orjson.dumps(self._teacher.respond(self.bench.request(item, how))))


def accuracy(bench: LabelBench, said: Sequence[str]) -> float:
    """Return the share of the test items answered right."""
    return sum(bench.right(item, one) for item, one in zip(bench.test, said, strict=True)) / len(bench.test)
