"""Tasks of the lab, in the order that plans and the scorecard list them."""

from stillwatch.lab.neural.opentask import OpenTask
from stillwatch.lab.neural.puzzles import PUZZLES
from stillwatch.lab.neural.sequencetask import SequenceTask
from stillwatch.lab.task import Task
from stillwatch.lab.tasks.labels import LabelTask
from stillwatch.terms.catalog import Catalog

TASKS: Catalog[Task] = Catalog(
    "task",
    LabelTask(name="banking", instruction="Name the intent of this message to a bank.", teaching=6_000,
              seeds_a_label=2),
    LabelTask(name="clinc", instruction="Name the intent of this message to an assistant.", teaching=6_000,
              seeds_a_label=2, rank=64),
    LabelTask(name="sst2", instruction="Name the sentiment of this sentence.", teaching=6_000, seeds_a_label=20),
    LabelTask(name="ag_news", instruction="Name the section of this news item.", teaching=3_600, seeds_a_label=4),
    LabelTask(name="nextword", instruction="Continue this text with one word.", teaching=6_000, seeds_a_label=1,
              rank=24, most=14_000),
    LabelTask(name="toy", instruction="Name the intent of this message to an assistant.", teaching=300,
              seeds_a_label=2),
    LabelTask(name="banking-file", instruction="Name the intent of this message to a bank.", teaching=6_000,
              seeds_a_label=2, source="banking", from_file=True),
    *(SequenceTask(puzzle=puzzle) for puzzle in PUZZLES), OpenTask(),
)  # fmt: skip
"""Every task. One that needs torch imports it when its bench is made, not here."""

__all__ = ["TASKS"]
