"""Settings of prices, section `[prices]` of the settings file; frozen and checked when built."""

from dataclasses import dataclass
from typing import Final

from stillwatch.terms.checks import check_range

PRICES_AS_OF: Final = "2026-11-01"
"""Day of the default prices below, ISO 8601; prices from a settings file carry none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceConfig:
    """Section `[prices]`: what a harvested token would have cost; dollars a million tokens.

    The defaults are common list prices of a large model, as of `PRICES_AS_OF`.
    """

    input: float = 3.0
    """Dollars a million prompt tokens; above 0. Set your own."""
    output: float = 15.0
    """Dollars a million answer tokens; above 0."""

    def __post_init__(self) -> None:
        check_range("prices.input", self.input, low=0.0, high=1e6)
        check_range("prices.output", self.output, low=0.0, high=1e6)

    @property
    def source(self) -> str:
        """Where the prices come from, in words."""
        return "defaults" if self == PriceConfig() else "settings file, [prices]"

    @property
    def as_of(self) -> str:
        """Day of the prices; empty where the settings file gives them."""
        return PRICES_AS_OF if self == PriceConfig() else ""
