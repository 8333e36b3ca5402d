"""Hang up on a thousand streams: how soon does the upstream hear of it, and what is left behind?

In: a running proxy before the dummy upstream. Out: seconds from the caller's hanging up to the upstream's connection
closing, streams that never closed, sockets and memory that the proxy holds more of than before.
Half of the callers close, half reset; all after their first chunk, at a drawn moment between two chunks.
"""

import json
import time
import urllib.request
from typing import Any, Final

from bench.gateway import processor, wire
from bench.gateway.client import Plan
from bench.gateway.measures import client, quantile
from bench.gateway.proxies import Proxy

CONNECTIONS, FEW_CONNECTIONS = 40, 8
"""Streams under way at once; few before a slow proxy, which would otherwise spend its whole core on them."""
WARM: Final = 200
"""Aborts beforehand, so that pools and buffers have their size when memory is first looked at."""
PATIENCE: Final = 10.0
"""Seconds after which a stream that is still open counts as leaked."""
ENDLESS: Final = 3000
"""Chunks of a stream that nobody waits for: a minute."""


def aborts(upstream: Proxy, proxy: Proxy, count: int, seed: int) -> dict[str, Any]:
    """Hang up on `count` streams and return what happened."""
    _hang_up(upstream, proxy, WARM if count > WARM else count // 4, seed)
    pids = proxy.pids()
    before = processor.sockets(pids), processor.resident(pids), asked(upstream, "open")["streams"]
    left, closed = _hang_up(upstream, proxy, count, seed)
    delays = sorted(closed[ticket] - moment for ticket, moment in left.items() if ticket in closed)
    pids = proxy.pids()
    return {
        "count": count,
        "p50": quantile(delays, 0.5),
        "p99": quantile(delays, 0.99),
        "worst": delays[-1] if delays else None,
        "never_closed": count - len(delays),
        "streams_left": asked(upstream, "open")["streams"] - before[2],
        "sockets_left": processor.sockets(pids) - before[0],
        "memory_left": processor.resident(pids) - before[1],
    }


def asked(upstream: Proxy, what: str) -> dict[str, Any]:
    """Return what the upstream says of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{upstream.port}/-/{what}", timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def _hang_up(upstream: Proxy, proxy: Proxy, count: int, seed: int) -> tuple[dict[int, float], dict[int, float]]:
    """Return when each stream was left, and when the upstream saw it close."""
    asked(upstream, "closed")
    begun = asked(upstream, "open")["streams"]
    plan = Plan(
        mode="aborts", ports=(proxy.port,), keys=proxy.keys, model=wire.PACED, requests=count,
        connections=CONNECTIONS if proxy.sampling == 1.0 else FEW_CONNECTIONS, chunks=ENDLESS, seed=seed,
    )  # fmt: skip
    left = {int(ticket): moment for ticket, moment in client(plan)["left"].items()}
    until = time.monotonic() + PATIENCE
    while asked(upstream, "open")["streams"] > begun and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1.0)
    return left, {int(ticket): moment for ticket, moment in asked(upstream, "closed").items()}
