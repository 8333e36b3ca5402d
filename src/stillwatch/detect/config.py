"""Settings of detection, section `[detect]` of the settings file; frozen and checked when built."""

import math
from dataclasses import dataclass

from stillwatch.terms.checks import check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectConfig:
    """Section `[detect]` of the settings file."""

    q: float = 0.05
    """False discovery rate over reported campaigns; between 0 and 1."""
    alpha: float = 0.01
    """Chance that one honest account is accused on its own evidence; between 0 and 1."""
    block_seconds: float = 10_800.0
    """Longest event-time block of the fixed grid, in seconds; shorter logs get shorter blocks; above 0."""
    min_holders: int = 10
    """Fewest accounts (those of one organisation count once) that can be a campaign; at least 3. With
    fewer than ten, no group can be told from a few people who share a tool."""
    max_keys: int = 40_000
    """Most shared keys that linkage looks at, the most repeated first; bounds time and memory."""
    controls: int = 3_000
    """Accounts outside every candidate that stand for honest ones; at least 100."""
    seed: int = 0
    """Seed of the control draw and of the regroupings; the same seed gives the same verdicts."""

    def __post_init__(self) -> None:
        check_range("detect.q", self.q, low=0.0, high=1.0)
        check_range("detect.alpha", self.alpha, low=0.0, high=1.0)
        check_range("detect.block_seconds", self.block_seconds, low=0.0, high=math.inf)
        check_range("detect.min_holders", self.min_holders, low=2, high=math.inf)
        check_range("detect.max_keys", self.max_keys, low=0, high=math.inf)
        check_range("detect.controls", self.controls, low=99, high=math.inf)
