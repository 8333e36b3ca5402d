"""Buckets: how many requests and tokens an account may use, by the generic cell rate algorithm.

In: limits, an account's meter, `now`. Out: whether a request may go, or how long to wait; the meter, moved on.
Per meter and constant share, what is let through in any span of t seconds is at most rate x (t + burst), where
burst counts as the largest single request when that is more.
Cost: 5 floats an account. Source: ITU-T I.371 annex A (the virtual scheduling form of GCRA).
"""

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from stillwatch.policy.config import PlanLimit, PolicyConfig

DAY: Final = 86_400.0
MOST_DEBT: Final = 3_600.0
"""Most seconds of its rate that an answer longer than estimated can leave a meter owing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one account may use, a second; infinite where nothing limits it."""

    requests: float = math.inf
    tokens: float = math.inf
    burst: float = 10.0
    """Seconds of the rate that may be used at once."""

    @property
    def limited(self) -> bool:
        """Whether anything is limited."""
        return math.isfinite(self.requests) or math.isfinite(self.tokens)


@dataclass(slots=True)
class Meter:
    """What one account has used: the moments at which its two buckets are full again, and a day's workload."""

    requests_at: float = -math.inf
    tokens_at: float = -math.inf
    rate: Rate = Rate()
    """What the last request was measured by; its answer is settled by the same."""
    day: int = 0
    workload_tokens: float = 0.0

    def take(self, rate: Rate, tokens: float, now: float) -> float:
        """Take one request and `tokens` tokens, both or neither; return 0, or the seconds to wait.

        What is larger than a whole bucket goes through when the bucket is full, and is owed.
        """
        requests, request_wait = drawn(self.requests_at, 1.0 / rate.requests, rate.burst, now)
        filled, token_wait = drawn(self.tokens_at, max(tokens, 0.0) / rate.tokens, rate.burst, now)
        wait, self.rate = max(request_wait, token_wait), rate
        if wait <= 0.0:
            self.requests_at, self.tokens_at = requests, filled
        return wait

    def settle(self, more: float, now: float) -> None:
        """Add tokens that the estimate missed, or give back what it had too many."""
        if math.isfinite(self.rate.tokens):
            owed = max(self.tokens_at, now) + more / self.rate.tokens
            self.tokens_at = min(owed, max(now + MOST_DEBT, self.tokens_at))

    def full(self, now: float) -> bool:
        """Return whether forgetting it changes nothing: full buckets, and no workload counted today."""
        return max(self.requests_at, self.tokens_at) <= now and (
            self.day != int(now // DAY) or not self.workload_tokens
        )

    def restart(self) -> None:
        """Fill both buckets, after the clock ran backwards; the day's workload stays counted."""
        self.requests_at = self.tokens_at = -math.inf

    def spend_workload(self, tokens: float, now: float) -> None:
        """Count tokens against the day's quota of a declared workload; days are those of UTC."""
        day = int(now // DAY)
        if day != self.day:
            self.day, self.workload_tokens = day, 0.0
        self.workload_tokens += tokens

    def workload_left(self, quota: float, now: float) -> bool:
        """Return whether the day's quota has room."""
        return quota > 0 and (int(now // DAY) != self.day or self.workload_tokens < quota)


def drawn(full_at: float, cost: float, burst: float, now: float) -> tuple[float, float]:
    """Draw on one bucket at `now`.

    Args:
        full_at: When the bucket is full as things stand.
        cost: What is drawn, in seconds of the rate; 0 or more.
        burst: Size of the bucket, in seconds of the rate.
        now: Seconds.

    Returns:
        When it would be full again, and how long to wait first; the wait is 0 when there is room.

    >>> drawn(0.0, 0.5, 10.0, 100.0)
    (100.5, 0.0)
    >>> drawn(110.0, 0.5, 10.0, 100.0)
    (110.5, 0.5)
    """
    after = max(full_at, now) + cost
    wait = after - now - max(burst, cost)
    return after, wait if wait > 1e-6 else 0.0


def rate_of(plan: str, config: PolicyConfig, *, keeps: float = 1.0, part: float = 1.0) -> Rate:
    """Return what an account of `plan` may use.

    Args:
        plan: Its plan.
        config: Limits, first match first.
        keeps: Share that a biting `slow` rule leaves it; below 1 limits also where no limit holds.
        part: Share of the whole that one worker may give; in (0, 1].
    """
    limit = next((one for one in config.limits if fnmatchcase(plan, one.plan)), PlanLimit())
    requests, tokens = limit.requests_per_minute, limit.tokens_per_minute
    if keeps < 1.0:
        requests = min(requests, config.slowed_requests_per_minute)
        tokens = min(tokens, config.slowed_tokens_per_minute)
    scale = keeps * part / 60.0
    return Rate(requests=requests * scale, tokens=tokens * scale, burst=config.burst_seconds)
