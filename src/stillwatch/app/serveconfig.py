"""Settings of the processes behind `stillwatch serve`, section `[serve]`; frozen and checked when built."""

import math
from dataclasses import dataclass

from stillwatch.terms.checks import check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig:
    """Section `[serve]`: addresses and processes."""

    host: str = "127.0.0.1"
    """Address that callers reach; `0.0.0.0` or `::` for all. Put TLS in front of anything but this machine."""
    port: int = 8080
    """Port that callers reach; 0 takes any free one."""
    workers: int = 1
    """Worker processes, at least 1; one a core that answers may use."""
    drain_seconds: float = 30.0
    """How long answers under way may take to end when the gateway is told to stop, in seconds; above 0."""
    admin_host: str = "127.0.0.1"
    """Address of the listener for metrics and health; never one that callers reach."""
    admin_port: int = 9464
    """Port of that listener; 0 takes any free one."""

    def __post_init__(self) -> None:
        check_range("serve.workers", self.workers, low=0, high=1025)
        check_range("serve.drain_seconds", self.drain_seconds, low=0.0, high=math.inf)
        for name in ("port", "admin_port"):
            check_range(f"serve.{name}", getattr(self, name), low=-1, high=65_536)
