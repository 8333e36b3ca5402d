"""Measure the gateway beside a bare pass-through and LiteLLM, in one run, before one dummy upstream.

In: a seed, or `--quick`. Out: tables. Exit code 0, or 1 where a figure that every machine must agree on misses its
goal: leaks, events lost, requests a core against LiteLLM. Times are recorded, not gated.
Cost: about ten minutes; `--quick` about two minutes. The first run installs LiteLLM into the user's cache
folder (some 750 MB); without it, or with `--no-litellm`, its column is left out and the page says so.

Run: python -m bench.gateway [--seed 1] [--quick] [--json] [--write] [--no-litellm] [--repeats N]
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench import page
from bench.gateway import (
    aborts,
    figures,
    litellm,
    losses,
    measures,
    processor,
    proxies,
    stillwatch,
    tables,
    visibility,
)
from bench.gateway.proxies import Proxy

MARKS: Final = ("<!-- gateway: begin -->", "<!-- gateway: end -->")
REPEATS, QUICK_REPEATS = 7, 2
ABORTS, QUICK_ABORTS = 1000, 200
PEER_ABORTS = 100
LOAD, QUICK_LOAD = 6.0, 2.0
"""Seconds under load before a gateway is ended."""
TRIES, QUICK_TRIES = 20, 5
"""Verdicts that are published to see how soon they are acted on."""


def samples(upstream: Proxy, all_proxies: list[Proxy], size: measures.Size, seeds: range) -> dict[str, Any]:
    """Return every sample, proxies by turns within each repeat."""
    found: dict[str, dict[str, list[float]]] = {p.name: {} for p in (upstream, *all_proxies)}
    for proxy in all_proxies:
        measures.json_cost(proxy, measures.QUICK, 0)

    def note(proxy: Proxy, measure: str, value: float) -> None:
        found[proxy.name].setdefault(measure, []).append(value)

    for seed in seeds:
        for proxy in (upstream, *all_proxies):
            note(proxy, "json", measures.json_cost(proxy, size, seed)["cpu"])
            note(proxy, "burst", measures.burst_cost(proxy, size, seed)["cpu"])
            note(proxy, "paced_few", measures.paced_cost(proxy, size, seed, measures.FEW)["cpu"])
            if proxy.sampling == 1.0:
                many = measures.paced_cost(proxy, size, seed, measures.MANY)
                lags = sorted(many["lags"])
                note(proxy, "paced_many", many["cpu"])
                note(proxy, "lag_p50", measures.quantile(lags, 0.5))
                note(proxy, "lag_p99", measures.quantile(lags, 0.99))
            if proxy is not upstream:
                through = measures.added(upstream, proxy, size, seed)
                note(proxy, "added_p50", through["p50"])
                note(proxy, "added_p99", through["p99"])
        print(f"repeat {seed - seeds.start + 1} of {len(seeds)}", file=sys.stderr)
    return found


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Run everything and return what was found."""
    size = measures.QUICK if given.quick else measures.FULL
    repeats = given.repeats or (QUICK_REPEATS if given.quick else REPEATS)
    load = os.getloadavg()[0]
    found: dict[str, Any] = {"absent": {}, "aborts": {}}
    serving = stillwatch.Serving()
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(proxies.upstream())
        state = stack.enter_context(stillwatch.folder(serving))
        mine = stack.enter_context(stillwatch.serve(upstream.port, state, serving))
        running = [stack.enter_context(proxies.plain(upstream.port)), mine]
        _peer(given, found["absent"], lambda: running.append(stack.enter_context(litellm.serving(upstream.port))))
        before = _watched(mine, state)
        found["samples"] = samples(upstream, running, size, range(given.seed, given.seed + repeats))
        found["resident"] = {proxy.name: processor.resident(proxy.pids()) for proxy in running}
        found["watcher"] = _watcher(before, _watched(mine, state), mine)
        for proxy in running[1:]:  # the bare pass-through never looks whether its caller is still there
            count = QUICK_ABORTS if given.quick else ABORTS
            some = count if proxy is mine else PEER_ABORTS
            found["aborts"][proxy.name] = aborts.aborts(upstream, proxy, some, given.seed)
            if proxy is mine:
                time.sleep(1.5)  # workers say once a second what they have under way
                found["aborts"][proxy.name]["tasks_left"] = stillwatch.in_flight(state)
    with proxies.upstream() as upstream:
        found["losses"] = losses.losses(upstream, QUICK_LOAD if given.quick else LOAD)
        found["visibility"] = visibility.visibility(upstream, QUICK_TRIES if given.quick else TRIES, given.seed)
    tables_of = {"accounts": serving.accounts, "keys": serving.accounts, "held": serving.accounts // 2}
    return {**found, "tables": tables_of, "load": [load, os.getloadavg()[0]], "repeats": repeats, "seed": given.seed}


def _watched(mine: Proxy, state: Path) -> tuple[float, int]:
    """Return the watcher's processor seconds, and the events it has taken in, once it has caught up."""
    status = stillwatch.until_taken(state)
    return processor.seconds(mine.aside), int(status["events"])


def _watcher(before: tuple[float, int], after: tuple[float, int], mine: Proxy) -> dict[str, Any]:
    events = after[1] - before[1]
    cpu = (after[0] - before[0]) / max(events, 1)
    return {"cpu": cpu, "events": events, "resident": processor.resident(mine.aside)}


def _peer(given: argparse.Namespace, absent: dict[str, str], start: Callable[[], None]) -> None:
    """Start LiteLLM, or note why not."""
    why = "asked to with --no-litellm" if given.no_litellm else litellm.install()
    if why:
        absent["LiteLLM"] = why
        return
    try:
        start()
    except SystemExit as error:
        absent["LiteLLM"] = str(error)


def source(found: dict[str, Any]) -> str:
    """Return the line that says what made the figures."""
    cores = sorted(os.sched_getaffinity(0))
    return (
        f"Command: `python -m bench.gateway {' '.join(sys.argv[1:])}`; seed {found['seed']}; "
        f"{found['repeats']} repeats; commit {page.commit()}.\n"
        f"Machine: {len(cores)} cores, proxies on one and upstream and client on the rest"
        f"{', all ahead of other jobs' if processor.ahead() else ''}; shared with other work: "
        f"load average {found['load'][0]:.1f} before, {found['load'][1]:.1f} after; "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}."
    )


def main() -> None:
    """Parse the arguments, run, print."""
    if sys.platform != "linux":
        raise SystemExit("bench.gateway reads what processes cost from the Linux kernel; run it on Linux.")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="two repeats, small samples")
    parser.add_argument("--repeats", type=int, help=f"repeats of every sample; default {REPEATS}")
    parser.add_argument("--no-litellm", action="store_true", help="leave LiteLLM out")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the tables into bench/RESULTS.md as well")
    given = parser.parse_args()
    found = measure(given)
    text = f"{source(found)}\n\n{tables.render(found)}"
    print(json.dumps(found) if given.json else text)
    if given.write:
        page.put(text, MARKS)
    if broken := figures.broken(found):
        raise SystemExit("\n".join(broken))


if __name__ == "__main__":
    main()
