"""Settings of the watcher, section `[watch]` of the settings file; frozen and checked when built."""

import math
from dataclasses import dataclass

from stillwatch.terms.checks import check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchConfig:
    """Section `[watch]`: how live traffic is taken in and judged."""

    poll_seconds: float = 0.2
    """How often the watcher looks for closed segments, in seconds; above 0."""
    settle_seconds: float = 3.0
    """How long after the end of a block its last events may arrive before it is judged, in seconds; 0 or more."""
    rest_share: float = 1.0
    """Rest after a judgement, as a share of the time it took; 0 or more. At 1 judging takes half a core at most."""
    keep_days: float = 90.0
    """How long events are kept, in days; above 0. They go in spans of seven days."""
    drain_seconds: float = 30.0
    """How long the watcher goes on taking segments after it was told to stop, in seconds; above 0."""
    calibration: str = ""
    """File of `stillwatch calibrate`; empty compares accounts with the first half of the traffic kept."""
    time_lapse: float = 1.0
    """Event seconds a wall second, for demonstrations; above 0."""
    time_origin: float = 0.0
    """Event time at the first start where `time_lapse` is not 1, in seconds since 1970; 0 for that start's own."""
    time_until: float = 0.0
    """Event time at which the lapse is over and event time runs as fast as the wall; 0 for never."""

    def __post_init__(self) -> None:
        for name in ("poll_seconds", "keep_days", "drain_seconds", "time_lapse"):
            check_range(f"watch.{name}", getattr(self, name), low=0.0, high=math.inf)
        for name in ("settle_seconds", "rest_share", "time_origin", "time_until"):
            check_range(f"watch.{name}", getattr(self, name), low=-1e-9, high=math.inf)
