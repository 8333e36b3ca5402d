"""Take one sample of one proxy: processor time a unit, added latency, lag of chunks.

In: a running proxy. Out: figures of one sample. Left to `__main__`: order and repeats; to `figures`: medians.
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.gateway import processor, wire
from bench.gateway.client import Plan
from bench.gateway.proxies import PYTHON_PATH, ROOT, Proxy

SETTLE: Final = 0.6
"""Seconds after the client has ended that still count, for what a proxy does after the answer."""
TIMEOUT: Final = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much one sample is; counts are for a fast proxy, slow ones get their share of it."""

    requests: int
    bursts: int
    chunks: int
    """Chunks of each paced stream."""
    pairs: int


FULL: Final = Size(requests=4000, bursts=1000, chunks=200, pairs=1500)
QUICK: Final = Size(requests=1000, bursts=200, chunks=60, pairs=300)
MANY, FEW = 40, 8
"""Paced streams at once: as many as one core carries easily, and so few that the slowest proxy carries them too."""


def client(plan: Plan) -> dict[str, Any]:
    """Run the load client in a process of its own and return what it found."""
    with processor.pinned(processor.split_cores()[1]):
        done = subprocess.run(
            [sys.executable, "-m", "bench.gateway.client", json.dumps(asdict(plan))],
            env=PYTHON_PATH, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT,
        )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cost(proxy: Proxy, plan: Plan, units: int) -> dict[str, Any]:
    """Return processor seconds a unit while the client runs `plan`, and what the client saw.

    Raises:
        SystemExit: an answer was not whole; a figure over failed requests says nothing.
    """
    pids = proxy.pids()
    before = processor.seconds(pids)
    found = client(plan)
    time.sleep(SETTLE)
    spent = processor.seconds(pids) - before
    if found["begun"] or found["whole"] != plan.requests:
        raise SystemExit(f"{proxy.name}, {plan.model}: {found['statuses']} instead of {plan.requests} whole answers.")
    return {"cpu": spent / units, "spent": spent, "wall": found["wall"], "lags": found["lags"]}


def json_cost(proxy: Proxy, size: Size, seed: int) -> dict[str, Any]:
    """Return processor seconds a JSON request."""
    requests = max(50, int(size.requests * proxy.sampling))
    plan = Plan(mode="load", ports=(proxy.port,), keys=proxy.keys, requests=requests, connections=8, seed=seed)
    return cost(proxy, plan, requests)


def burst_cost(proxy: Proxy, size: Size, seed: int) -> dict[str, Any]:
    """Return processor seconds a chunk of streams that come all at once."""
    requests = max(10, int(size.bursts * proxy.sampling))
    plan = Plan(
        mode="load", ports=(proxy.port,), keys=proxy.keys, model=wire.BURST, requests=requests, connections=4, seed=seed
    )
    return cost(proxy, plan, requests * wire.BURST_CHUNKS)


def paced_cost(proxy: Proxy, size: Size, seed: int, streams: int) -> dict[str, Any]:
    """Return processor seconds a chunk of streams that come at reading pace, 50 chunks a second each."""
    plan = Plan(
        mode="paced", ports=(proxy.port,), keys=proxy.keys, model=wire.PACED, requests=streams, connections=streams,
        chunks=size.chunks, seed=seed,
    )  # fmt: skip
    return cost(proxy, plan, streams * size.chunks)


def added(direct: Proxy, proxy: Proxy, size: Size, seed: int) -> dict[str, Any]:
    """Return seconds that the proxy adds for one client, direct and through by turns in one run."""
    pairs = max(100, int(size.pairs * proxy.sampling))
    plan = Plan(mode="pairs", ports=(direct.port, proxy.port), keys=proxy.keys, requests=pairs, seed=seed)
    found = client(plan)
    if found["begun"]:
        raise SystemExit(f"{proxy.name}: {found['statuses']} in the latency run.")
    near, far = (sorted(found["ports"][str(port)]) for port in plan.ports)
    return {
        "p50": quantile(far, 0.5) - quantile(near, 0.5),
        "p99": quantile(far, 0.99) - quantile(near, 0.99),
        "direct_p50": quantile(near, 0.5),
        "direct_p99": quantile(near, 0.99),
    }


def quantile(ordered: list[float], share: float) -> float:
    """Return a quantile of sorted values, the next one upwards.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile([1.0, 2.0, 3.0, 4.0], 0.99), quantile([], 0.5)
    (3.0, 4.0, nan)
    """
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")
