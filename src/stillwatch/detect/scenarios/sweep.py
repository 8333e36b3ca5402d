"""S13: many slot-variants of few skeletons, or one narrow domain mined for explanations.

Templated batch jobs and a hospital look the same, so it never accuses; it adds to a receipt.
"""

from typing import Final

from stillwatch.detect.scenarios.scenario import Scenario

SWEEP: Final = Scenario(
    name="S13",
    title="Variation sweep",
    null="The account fills the same skeletons with new slots no more often than honest accounts of its stratum.",
    clears="The account declares its batch job.",
    look_alikes="Templated batch jobs, a hospital, a help desk.",
    accuses=False,
    score=lambda features: features.variants,
)
