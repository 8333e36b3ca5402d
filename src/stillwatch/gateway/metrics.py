"""Counters of one worker: plain integers, and times in fixed buckets.

In: what happened. Out: `snapshot()`, a dict of numbers that can be added up across workers.
Cost: under a microsecond an event. Left to `exposition`: Prometheus.
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from typing import Any, Final

TIME_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the buckets, seconds."""
_LAG_EVERY: Final = 0.1


class Histogram:
    """Times in fixed buckets; the last bucket has no upper bound."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(TIME_BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one time."""
        self.counts[bisect_left(TIME_BOUNDS, seconds)] += 1
        self.total += seconds

    def snapshot(self) -> dict[str, Any]:
        """Return counts a bucket, not cumulated, and the sum of all times in seconds."""
        return {"counts": list(self.counts), "sum": self.total}


class Metrics:
    """What one worker counted since it started."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """By route, status class (`2xx`) and action."""
        self.upstream_errors: Counter[str] = Counter()
        """By kind: `connect`, `timeout`, `died`, `status`."""
        self.failed_open: Counter[str] = Counter()
        """By stage that failed and was passed over: `action`, `admit`, `refusal`, `settle`, `treatment`."""
        self.twins: Counter[str] = Counter()
        """Second answers, by what became of them: `kept`, `failed`, `busy` (not begun), `spent` (the day's number)."""
        self.in_flight = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.disconnects = 0
        self.recorded = 0
        self.dropped = 0
        """Events that the recorder did not take."""
        self.latency = Histogram()
        """From arrival to the last byte."""
        self.first_byte = Histogram()
        """From arrival to the first byte of the answer."""
        self.upstream_wait = Histogram()
        """From sending upstream to its headers."""
        self.loop_lag = Histogram()
        self.last_lag = 0.0

    def snapshot(self) -> dict[str, Any]:
        """Return every number; JSON can hold it. Keys of counters are joined by a blank."""
        return {
            "requests": {" ".join(key): count for key, count in self.requests.items()},
            "upstream_errors": dict(self.upstream_errors),
            "failed_open": dict(self.failed_open),
            "twins": dict(self.twins),
            "in_flight": self.in_flight,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "disconnects": self.disconnects,
            "recorded": self.recorded,
            "dropped": self.dropped,
            "loop_lag_seconds": self.last_lag,
            "latency": self.latency.snapshot(),
            "first_byte": self.first_byte.snapshot(),
            "upstream_wait": self.upstream_wait.snapshot(),
            "loop_lag": self.loop_lag.snapshot(),
        }


class LagSampler:
    """Measures how late the event loop runs what was due, ten times a second."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sample on `loop` until `stop`."""
        self._loop = loop
        self._due = loop.time() + _LAG_EVERY
        self._handle = loop.call_at(self._due, self._sample)

    def _sample(self) -> None:
        if self._loop is None:
            return
        now = self._loop.time()
        self._metrics.last_lag = max(0.0, now - self._due)
        self._metrics.loop_lag.add(self._metrics.last_lag)
        self._due = now + _LAG_EVERY
        self._handle = self._loop.call_at(self._due, self._sample)

    def stop(self) -> None:
        """Stop sampling; twice does no harm."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop = None
