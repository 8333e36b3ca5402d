"""Put the figures of the gateway benchmark into Markdown.

In: what `__main__` measured. Out: text for the terminal and for RESULTS.md.
"""

from collections.abc import Mapping
from typing import Any, Final

from bench.gateway.figures import PLAIN, STILLWATCH, Goal, Spread, goals, ratios
from bench.layout import table

ROWS: Final = (
    ("CPU, JSON request", "json", 1e3, 3),
    ("CPU, chunk of a 64-chunk burst", "burst", 1e3, 4),
    ("CPU, chunk, 8 paced streams", "paced_few", 1e3, 3),
    ("CPU, chunk, 40 paced streams", "paced_many", 1e3, 3),
    ("chunk lag p50, 40 paced streams", "lag_p50", 1e3, 2),
    ("chunk lag p99, 40 paced streams", "lag_p99", 1e3, 1),
    ("added latency p50, one client", "added_p50", 1e3, 2),
    ("added latency p99, one client", "added_p99", 1e3, 1),
)
"""Label, measure, factor to milliseconds, places."""


def render(found: Mapping[str, Any]) -> str:
    """Return every table."""
    parts = [_goals(goals(found)), _costs(found), _watcher(found), _aborts(found), _losses(found), _notes(found)]
    return "\n\n".join(part for part in parts if part)


def _goals(rows: list[Goal]) -> str:
    if not rows:
        return ""
    word = {True: "yes", False: "no", None: "-"}
    lines = [
        [g.measure, g.must, g.aim or "-", g.found, word[g.met], word[g.reached], "gate" if g.gate else "recorded"]
        for g in rows
    ]
    head = ["measure", "must", "aim", "measured, median (low-high)", "met", "aim reached", "kind"]
    return "### Goals\n\n" + table(head, lines)


def _costs(found: Mapping[str, Any]) -> str:
    samples = found["samples"]
    lines = []
    for label, measure, scale, places in ROWS:
        cells = [Spread.of(s[measure]).text(scale, places) if s.get(measure) else "-" for s in samples.values()]
        lines.append([f"{label}, ms", *cells])
    rates = [f"{1 / Spread.of(s['json']).median:,.0f}" if s.get("json") else "-" for s in samples.values()]
    lines.append(["JSON requests a second and core (1 / CPU)", *rates])
    memory = found["resident"]
    lines.append(["memory (RSS), MiB", *(f"{memory[n] / 2**20:.0f}" if n in memory else "-" for n in samples)])
    return (
        "### Cost by proxy\n\nMedian (least-greatest) of the repeats; `direct` is the dummy upstream's own cost. "
        "Memory is that of all its processes but the watcher.\n\n"
        + (table(["figure", *samples], lines) + _against(samples))
    )


def _against(samples: Mapping[str, Any]) -> str:
    """Return what Stillwatch costs over the bare pass-through, repeat by repeat."""
    if STILLWATCH not in samples or PLAIN not in samples:
        return ""
    more = [
        f"{label} {Spread.of(ratios(samples[STILLWATCH][key], samples[PLAIN][key])).text(1, 2)}"
        for label, key in (("JSON", "json"), ("burst", "burst"), ("40 paced streams", "paced_many"))
    ]
    return "\n\nStillwatch over the bare pass-through, times: " + "; ".join(more) + "."


def _watcher(found: Mapping[str, Any]) -> str:
    watcher = found.get("watcher")
    if not watcher:
        return ""
    return (
        f"The watcher, told apart: {watcher['cpu'] * 1e3:.2f} ms of processor time an event "
        f"({watcher['events']:,} events, a process of its own), {watcher['resident'] / 2**20:.0f} MiB."
    )


def _aborts(found: Mapping[str, Any]) -> str:
    lines = [
        [
            name, f"{a['count']:,}", _ms(a["p50"]), _ms(a["p99"]), _ms(a["worst"]), str(a["never_closed"]),
            str(a["sockets_left"]), str(a.get("tasks_left", "-")), f"{a['memory_left'] / 1024:,.0f}",
        ]
        for name, a in found["aborts"].items()
    ]  # fmt: skip
    head = [
        "proxy", "aborts", "closed after p50, ms", "p99, ms", "slowest, ms", "never closed", "sockets left",
        "requests left", "memory left, KiB",
    ]  # fmt: skip
    return "### Callers that hang up\n\n" + table(head, lines) if lines else ""


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None or seconds != seconds else f"{seconds * 1e3:.1f}"


def _losses(found: Mapping[str, Any]) -> str:
    losses = found.get("losses")
    if not losses:
        return ""
    lines = [
        [
            label,
            *(
                f"{losses[key][name]:,}"
                for name in ("answered", "kept", "lost", "told", "doubled", "unfinished", "allowed")
            ),
        ]
        for label, key in (("SIGTERM to the supervisor", "sigterm"), ("SIGKILL to every process", "sigkill"))
    ]
    head = ["under load", "whole answers", "events kept", "lost", "told as lost", "twice", "cut answers", "may be lost"]
    return "### Events that outlive the gateway\n\n" + table(head, lines)


def _notes(found: Mapping[str, Any]) -> str:
    notes = [f"{name}: row left out, {why}." for name, why in found["absent"].items()]
    seen = found.get("visibility")
    if seen:
        spread = Spread.of(seen)
        notes.append(f"A verdict published is acted on after {spread.text(1, 2)} s ({len(seen)} times).")
    tables = found.get("tables")
    if tables:
        notes.append(
            f"Stillwatch ran with {tables['accounts']:,} accounts, {tables['keys']:,} keys and "
            f"{tables['held']:,} published verdicts; every worker held all of them."
        )
    return "\n".join(notes)
