"""S1: requests that coerce written-out reasoning.

A weak hint for one request (tutors ask the same), so it counts only as a share of an account's
requests, against honest accounts of the same stratum.
"""

from typing import Final

from stillwatch.detect.scenarios.scenario import Scenario

REASONING: Final = Scenario(
    name="S1",
    title="Reasoning-trace coercion",
    null="The account asks for written-out reasoning no more often than honest accounts of its stratum.",
    clears="The account shows a use that needs the steps, such as tutoring or an audit trail.",
    look_alikes="Tutors, auditors, evaluations with a step-by-step prompt.",
    accuses=True,
    score=lambda features: features.reasoning * (features.requests >= 5),
)
