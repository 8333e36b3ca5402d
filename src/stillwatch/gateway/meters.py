"""Meters of accounts: where a desk keeps what each account has used, in this worker's memory.

In: an account, a rate, tokens. Out: the seconds to wait, or 0. Bounded: accounts at rest are forgotten first, for whom
that changes nothing. Cost: a microsecond a call. Left to `sharedmeters`: one count for all workers of a machine.
"""

from typing import Final, Protocol

from stillwatch.policy.buckets import Meter, Rate

MOST_METERS: Final = 50_000
"""Accounts whose use is counted at one time; beyond, those at rest are forgotten first."""


class Meters(Protocol):
    """What accounts have used; every call returns at once."""

    part: float
    """Share of every limit that this worker gives: 1 where all workers count together."""
    dropped: int
    """Accounts whose use was forgotten although it counted, or could not be counted."""

    def take(self, account: str, rate: Rate, tokens: float, now: float) -> float:
        """Take one request and `tokens` tokens, both or neither; return 0, or the seconds to wait."""
        ...

    def settle(self, account: str, more: float, now: float) -> None:
        """Add tokens that the estimate missed, or give back what it had too many; by the rate of the last request."""
        ...

    def spend_workload(self, account: str, tokens: float, now: float) -> None:
        """Count tokens against the day's quota of a declared workload."""
        ...

    def workload_left(self, account: str, quota: float, now: float) -> bool:
        """Return whether the day's quota has room."""
        ...

    def restart(self, now: float) -> None:
        """Fill all buckets, after the clock ran backwards to `now`."""
        ...


class MemoryMeters:
    """`Meters` of one worker, which gives `part` of every limit: 1, or one over the number of workers."""

    def __init__(self, part: float = 1.0) -> None:
        self.part = part
        self.dropped = 0
        self._meters: dict[str, Meter] = {}

    def __len__(self) -> int:
        return len(self._meters)

    def take(self, account: str, rate: Rate, tokens: float, now: float) -> float:
        """As `Meters` says."""
        return self._of(account, now).take(rate, tokens, now)

    def settle(self, account: str, more: float, now: float) -> None:
        """As `Meters` says."""
        meter = self._meters.get(account)
        if meter is not None:
            meter.settle(more, now)

    def spend_workload(self, account: str, tokens: float, now: float) -> None:
        """As `Meters` says."""
        self._of(account, now).spend_workload(tokens, now)

    def workload_left(self, account: str, quota: float, now: float) -> bool:
        """As `Meters` says."""
        return (self._meters.get(account) or Meter()).workload_left(quota, now)

    def restart(self, now: float) -> None:
        """As `Meters` says."""
        for meter in self._meters.values():
            meter.restart()

    def _of(self, account: str, now: float) -> Meter:
        meter = self._meters.get(account)
        if meter is None:
            if len(self._meters) >= MOST_METERS:
                self._forget(now)
            meter = self._meters[account] = Meter()
        return meter

    def _forget(self, now: float) -> None:
        """Forget accounts whose buckets are full, else the older half; accounts vouched for by others have no end."""
        idle = [account for account, meter in self._meters.items() if meter.full(now)]
        if len(idle) < MOST_METERS // 2:
            self.dropped += MOST_METERS // 2
            idle = list(self._meters)[: MOST_METERS // 2]
        for account in idle:
            del self._meters[account]
