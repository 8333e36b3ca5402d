"""Tasks of the lab, in the order that plans and the scorecard list them."""

from stillwatch.lab.task import Task
from stillwatch.terms.catalog import Catalog

TASKS: Catalog[Task] = Catalog("task")
"""Every task. One that needs torch imports it when its bench is made, not here."""

__all__ = ["TASKS"]
