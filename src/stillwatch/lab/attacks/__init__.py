"""Attacks of the lab, in the order that plans and the scorecard list them."""

from stillwatch.lab.attacks.chosen import Active, Bootstrap
from stillwatch.lab.attacks.lasthead import LastHead
from stillwatch.lab.attacks.mixed import Mixed
from stillwatch.lab.attacks.plain import ANSWERS, IMAGE, REASONING, SOFT
from stillwatch.lab.attacks.repeated import Averaged, Judge, Rejection
from stillwatch.lab.task import Attack
from stillwatch.terms.catalog import Catalog

ATTACKS: Catalog[Attack] = Catalog(
    "attack", ANSWERS, SOFT, REASONING, Active(), Bootstrap(), Rejection(), Judge(), Averaged(), Mixed(), LastHead(),
    IMAGE,
)  # fmt: skip
"""Every attack; the conformance suite runs them all."""

__all__ = ["ATTACKS"]
