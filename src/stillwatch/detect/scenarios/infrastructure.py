"""S6: accounts tied by payer, network and client. Never accuses alone."""

from typing import Final

from stillwatch.detect.scenarios.scenario import Scenario

INFRASTRUCTURE: Final = Scenario(
    name="S6",
    title="Hydra infrastructure block",
    null="Members share payers, networks and clients no more often than other accounts do.",
    clears="The shared payer or address is a school, a company, a relay or a reseller.",
    look_alikes="Universities, address translation, corporate sign-on, families.",
    accuses=False,
    score=None,
)
