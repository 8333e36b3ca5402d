"""S3: a sweep over everything, without memory of what was asked before."""

from typing import Final

from stillwatch.detect.scenarios.scenario import Scenario

BREADTH: Final = Scenario(
    name="S3",
    title="Memoryless breadth sweep",
    null="The account's requests are as alike to one another as those of honest accounts with like subjects.",
    clears="The account declares an evaluation, or its requests turn out to follow one subject.",
    look_alikes="Evaluations, synthetic-data customers, shuffled batch jobs.",
    accuses=True,
    score=lambda features: features.breadth,
)
