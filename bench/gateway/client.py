"""The load client, a process of its own: sends what it is asked to and prints what came back, as JSON.

In: one JSON object on the command line (`Plan`). Out: one JSON object.
Modes: `load` sends `requests` over `connections` as fast as answers come; `paced` follows `connections` streams of
`chunks` chunks; `pairs` sends `requests` to two ports by turns, in drawn order; `aborts` hangs up on streams after
their first chunk; `until` sends until the other side is gone.
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.gateway import wire
from bench.gateway.exchange import Wire

PATIENCE = 120.0
"""Seconds after which a run is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run of the client does."""

    mode: str
    ports: tuple[int, ...]
    model: str = wire.JSON
    requests: int = 100
    connections: int = 8
    chunks: int = 0
    keys: str = ""
    """File with one key a line; empty for a key that nobody checks."""
    key: str = "sk-bench-key-that-nobody-checks"
    seed: int = 1
    tickets: int = 1
    """Number of the first request."""


@dataclass(slots=True)
class Run:
    """State of a run."""

    plan: Plan
    keys: list[str]
    rng: random.Random
    sent: int = 0
    whole: int = 0
    """Answers that came whole, with status 200."""
    begun: int = 0
    """Answers that did not."""
    seconds: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    events: int = 0
    statuses: dict[int, int] = field(default_factory=dict)

    def next(self) -> tuple[int, bytes]:
        """Return the next request, under the next key."""
        ticket = self.plan.tickets + self.sent
        key = self.keys[self.sent % len(self.keys)]
        self.sent += 1
        return ticket, wire.request(wire.body(self.plan.model, ticket=ticket, chunks=self.plan.chunks), key)

    def note(self, connection: Wire) -> None:
        """Take in one answer."""
        self.statuses[connection.status] = self.statuses.get(connection.status, 0) + 1
        self.whole += connection.status == 200
        self.begun += connection.status != 200
        self.seconds.append(connection.ended - connection.begun)
        self.lags += connection.lags
        self.events += connection.events
        connection.lags, connection.events = [], 0


async def connect(port: int, done: Any) -> Wire:
    """Return an open connection."""
    _, protocol = await asyncio.get_running_loop().create_connection(lambda: Wire(done), "127.0.0.1", port)
    assert isinstance(protocol, Wire)
    return protocol


async def load(run: Run) -> None:
    """Send the requests over the connections, one at a time on each; `until` stops where the other side does."""
    finished, idle = asyncio.get_running_loop().create_future(), 0
    total = run.plan.requests

    def done(connection: Wire) -> None:
        nonlocal idle
        run.note(connection)
        if run.sent < total and connection.status != -1 and not connection.transport.is_closing():
            connection.ticket, request = run.next()
            connection.send(request)
            return
        idle += 1
        if idle == run.plan.connections and not finished.done():
            finished.set_result(None)

    connections = [await connect(run.plan.ports[0], done) for _ in range(run.plan.connections)]
    for connection in connections:
        connection.ticket, request = run.next()
        connection.send(request)
        if run.plan.mode == "paced":
            await asyncio.sleep(run.rng.uniform(0, 2 * wire.PACE))
    await asyncio.wait_for(finished, PATIENCE)


async def pairs(run: Run) -> dict[str, list[float]]:
    """Return the seconds of every answer by port: each pair in drawn order, nothing else under way."""
    waiting: list[asyncio.Future[None]] = []
    loop = asyncio.get_running_loop()

    def done(connection: Wire) -> None:
        waiting[0].set_result(None)

    connections = {str(port): await connect(port, done) for port in run.plan.ports}
    found: dict[str, list[float]] = {port: [] for port in connections}
    for _ in range(run.plan.requests):
        for port in run.rng.sample(sorted(connections), len(connections)):
            waiting[:] = [loop.create_future()]
            connection = connections[port]
            connection.ticket, request = run.next()
            connection.send(request)
            await waiting[0]
            run.note(connection)
            found[port].append(connection.ended - connection.begun)
    return found


async def aborts(run: Run) -> dict[int, float]:
    """Return when each stream was hung up on, by ticket."""
    left: dict[int, float] = {}
    loop = asyncio.get_running_loop()

    async def one(gate: asyncio.Semaphore) -> None:
        async with gate:
            come: asyncio.Future[None] = loop.create_future()

            def settle(_: Wire) -> None:
                if not come.done():
                    come.set_result(None)

            connection = await connect(run.plan.ports[0], settle)
            connection.first = settle
            connection.ticket, request = run.next()
            connection.send(request)
            await come
            await asyncio.sleep(run.rng.uniform(0, wire.PACE))
            connection.done = lambda _: None
            left[connection.ticket] = time.monotonic()
            if connection.ticket % 2:
                connection.transport.abort()
            else:
                connection.transport.close()

    gate = asyncio.Semaphore(run.plan.connections)
    await asyncio.wait_for(asyncio.gather(*(one(gate) for _ in range(run.plan.requests))), PATIENCE)
    return left


async def main(plan: Plan) -> dict[str, Any]:
    """Run the plan and return what it found."""
    keys = Path(plan.keys).read_text(encoding="utf-8").split() if plan.keys else [plan.key]
    run = Run(plan=plan, keys=keys, rng=random.Random(plan.seed))
    begun = time.perf_counter()
    extra: dict[str, Any] = {}
    if plan.mode == "pairs":
        extra["ports"] = await pairs(run)
    elif plan.mode == "aborts":
        extra["left"] = await aborts(run)
    else:
        await load(run)
    if plan.mode != "until":
        extra |= {"seconds": run.seconds, "lags": run.lags}
    return {
        "wall": time.perf_counter() - begun,
        "sent": run.sent,
        "statuses": run.statuses,
        "events": run.events,
        "whole": run.whole,
        "begun": run.begun,
        **extra,
    }


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps(uvloop.run(main(Plan(**{**asked, "ports": tuple(asked["ports"])})))))
