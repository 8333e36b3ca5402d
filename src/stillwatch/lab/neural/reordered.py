"""Put back in order what a defence told conclusion first: the thief's own model says which order is the likelier one.

In: a harvest with reasoning, the thief's base. Out: the harvest in the order that the base, which learned from the
thief's own worked examples, finds likelier over all rows: as told, or with the first sentence at the end.
Cost: two passes of the base. Left to `sequencetask.invert`: reasoning of which nothing is told.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stillwatch.lab.task import HarvestRow, Job
from stillwatch.treatments.reasoningtext import sentences

if TYPE_CHECKING:
    from stillwatch.lab.neural.sequencetask import SequenceBench


def reordered(bench: "SequenceBench", rows: Sequence[HarvestRow], job: Job) -> list[HarvestRow]:
    """Return the rows in the likelier order; `job.found` says whether they were changed."""
    told = [row for row in rows if row.reasoning and row.answer]
    if not told:
        return list(rows)
    base = bench.model("base")
    as_told, turned = (
        float(base.losses(bench.examples(some)).mean()) for some in (told, [_turned(row) for row in told])
    )
    job.found["reordered"] = int(turned < as_told)
    return [_turned(row) for row in rows] if turned < as_told else list(rows)


def _turned(row: HarvestRow) -> HarvestRow:
    first, *rest = sentences(row.reasoning) or [""]
    return replace(row, reasoning=" ".join([*rest, first]))
