"""S10: histories with answers that were never given to this account."""

from typing import Final

from stillwatch.detect.scenarios.scenario import Scenario

REPLAY: Final = Scenario(
    name="S10",
    title="Replay of foreign transcripts",
    null="The account sends histories that were not issued to it no more often than honest accounts do.",
    clears="The account imports its history from another service, or a router switches models in a session.",
    look_alikes="History import, routers that change models, edited transcripts.",
    accuses=True,
    score=lambda features: features.foreign * (features.requests >= 5),
)
