"""S2: text that many unrelated accounts repeat and nobody else uses.

A scenario of campaigns: `linkage` finds the anchors, `explain` weighs them.
"""

from typing import Final

from stillwatch.detect.scenarios.scenario import Scenario

SHARED_ANCHOR: Final = Scenario(
    name="S2",
    title="Shared novel anchor",
    null="Members carry the shared text at most 5 times as often as other accounts active at the same time.",
    clears="The shared text also turns up in accounts that have nothing to do with the block.",
    look_alikes="A popular tool or template, a class with one exercise.",
    accuses=True,
    score=None,
)
