"""Turn samples into figures: medians with their spread, ratios within one repeat, goals met or not.

In: samples by proxy and measure, in seconds. Out: numbers. Nothing is rounded in our favour.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

STILLWATCH: Final = "Stillwatch"
PLAIN: Final = "bare pass-through"
DIRECT: Final = "direct"
Samples = Mapping[str, Mapping[str, Sequence[float]]]
"""Values by proxy and measure, one a repeat, in the same order for every proxy."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the least and the greatest of the repeats."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of the values.

        >>> Spread.of([3.0, 1.0, 2.0])
        Spread(median=2.0, low=1.0, high=3.0)
        """
        return cls(statistics.median(values), min(values), max(values))

    def text(self, scale: float, places: int) -> str:
        """Return `median (low-high)`.

        >>> Spread.of([0.001, 0.002, 0.004]).text(1e3, 1)
        '2.0 (1.0-4.0)'
        """
        return f"{self.median * scale:.{places}f} ({self.low * scale:.{places}f}-{self.high * scale:.{places}f})"


def ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """Return how many times more one proxy costs than another, repeat by repeat, so that load on the machine cancels.

    >>> ratios([10.0, 30.0], [1.0, 2.0])
    [10.0, 15.0]
    """
    return [a / b for a, b in zip(slow, fast, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of the table of goals."""

    measure: str
    must: str
    aim: str
    found: str
    met: bool | None
    """None where it was not measured."""
    reached: bool | None = None
    """Whether the aim, too, is reached; None where there is none."""
    gate: bool = False
    """Whether every machine must agree on it, so that missing it fails the benchmark."""


def goals(found: Mapping[str, Any]) -> list[Goal]:
    """Hold a run against what the project set out to reach."""
    samples: Samples = found["samples"]
    peer = next((name for name in samples if name.startswith("LiteLLM")), None)
    mine = samples.get(STILLWATCH)
    if mine is None:
        return []
    return [
        _at_most("processor time a JSON request", mine["json"], 0.6e-3, 0.35e-3),
        *_times_peer(samples, peer),
        _at_most("processor time a streamed chunk, 40 streams of 50 chunks/s", mine["paced_many"], 0.13e-3, 0.1e-3),
        _at_most("added latency, one client, p50", mine["added_p50"], 0.9e-3, None),
        _at_most("added latency, one client, p99", mine["added_p99"], 3e-3, None),
        *_left_behind(found["aborts"].get(STILLWATCH)),
        *_lost(found.get("losses")),
    ]


def _at_most(name: str, values: Sequence[float], must: float, aim: float | None) -> Goal:
    spread = Spread.of(values)
    return Goal(
        measure=name,
        must=f"<= {must * 1e3:g} ms",
        aim=f"{aim * 1e3:g} ms" if aim else "",
        found=spread.text(1e3, 3) + " ms",
        met=spread.median <= must,
        reached=spread.median <= aim if aim else None,
    )


def _times_peer(samples: Samples, peer: str | None) -> list[Goal]:
    if peer is None:
        return [Goal(measure="requests a core against LiteLLM", must=">= 25x", aim="40x", found="no LiteLLM", met=None)]
    spread = Spread.of(ratios(samples[peer]["json"], samples[STILLWATCH]["json"]))
    return [
        Goal(
            measure=f"requests a core against {peer}", must=">= 25x", aim="40x", found=spread.text(1, 1) + "x",
            met=spread.median >= 25, reached=spread.median >= 40, gate=True,
        )
    ]  # fmt: skip


def _left_behind(aborts: Mapping[str, Any] | None) -> list[Goal]:
    if aborts is None:
        return []
    leaks = max(0, aborts["streams_left"]) + max(0, aborts["sockets_left"]) + aborts["never_closed"]
    leaks += max(0, aborts.get("tasks_left") or 0)
    worst = aborts["worst"]
    return [
        Goal(
            measure="caller hangs up -> upstream closed, p99 (slowest)", must="<= 100 ms", aim="",
            found=f"{aborts['p99'] * 1e3:.1f} ms ({worst * 1e3:.1f} ms)" if worst is not None else "never closed",
            met=worst is not None and aborts["p99"] <= 0.1,
        ),
        Goal(
            measure=f"streams, sockets and requests left after {aborts['count']:,} aborts", must="0", aim="",
            found=str(leaks), met=leaks == 0, gate=True,
        ),
    ]  # fmt: skip


def _lost(losses: Mapping[str, Any] | None) -> list[Goal]:
    if not losses:
        return []
    term, kill = losses["sigterm"], losses["sigkill"]
    allowed = kill["allowed"]
    return [
        Goal(
            measure=f"events lost on SIGTERM, of {term['answered']:,} answers", must="0", aim="",
            found=str(term["lost"]), met=term["lost"] == 0, gate=True,
        ),
        Goal(
            measure=f"events lost on SIGKILL, of {kill['answered']:,} answers",
            must=f"<= those of one fsync interval ({allowed:,})", aim="",
            found=f"{kill['lost']}, {kill['told']} told as lost",
            met=kill["lost"] <= allowed, gate=True,
        ),
    ]  # fmt: skip


def broken(found: Mapping[str, Any]) -> list[str]:
    """Return the gates that the run did not pass, in words."""
    return [f"{g.measure}: {g.found}; must be {g.must}" for g in goals(found) if g.gate and g.met is False]
