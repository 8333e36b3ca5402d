"""Scenarios: detection as data, every one registered in this line.

S2 and S6 speak of campaigns, the others of accounts; S13 never accuses alone.
"""

from typing import Final

from stillwatch.detect.scenarios.breadth import BREADTH
from stillwatch.detect.scenarios.infrastructure import INFRASTRUCTURE
from stillwatch.detect.scenarios.reasoning import REASONING
from stillwatch.detect.scenarios.replay import REPLAY
from stillwatch.detect.scenarios.scenario import Scenario
from stillwatch.detect.scenarios.shared_anchor import SHARED_ANCHOR
from stillwatch.detect.scenarios.sweep import SWEEP
from stillwatch.terms.catalog import Catalog

SCENARIOS: Final[Catalog[Scenario]] = Catalog(
    "scenario", REASONING, SHARED_ANCHOR, BREADTH, INFRASTRUCTURE, REPLAY, SWEEP
)
"""Every scenario, in the order of their numbers."""
